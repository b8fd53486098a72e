//! Consumers: named readers of a project's log, each of which sees every event it wants, and shares
//! the work among all who pull in its name.
//!
//! A consumer's row says how far it has read, and is locked by whoever pulls; rows of items are
//! what was read and not acknowledged. Times are the database's, which all replicas share.

mod settling;

use std::collections::HashMap;

use hearken_engine::Micros;
use serde_json::{Value, json};
use sqlx::FromRow;

use super::{
    Page, Statement, Store, StoreError,
    dialect::Transaction,
    events,
    log::{self, Interest, Passed, Place, Position},
    model::TriggerEvent,
    statement::{Bind, JsonText},
};
use crate::{clock, ids};

/// Events a reader passes in one step.
const STRIDE: u32 = 500;
/// Steps in one pull; where little fits, the rest waits for the next.
const STEPS: usize = 20;

/// What to pull.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Project whose events are meant.
    pub project: String,
    /// Name of the consumer, which is made if it is not there.
    pub consumer: String,
    /// Events at most.
    pub max: u32,
    /// Seconds in which they must be acknowledged.
    pub lease_seconds: u32,
    /// How often an event is handed out before it is put aside.
    pub max_attempts: u32,
    /// What the consumer wants to see: must be what it was made with, where given.
    pub interest: Option<Interest>,
    /// Where it begins, if it is new.
    pub from: Place,
}

/// An event handed out.
#[derive(Debug, Clone)]
pub struct Taken {
    /// `dlv_…`, the token to settle it with.
    pub delivery: String,
    /// How often it was handed out, this time included.
    pub attempt: i64,
    /// The event.
    pub event: TriggerEvent,
}

/// What came of a pull.
#[derive(Debug, Clone)]
pub enum Pulled {
    /// These events, in the order of the log, those that came back first.
    Events(Vec<Taken>),
    /// The consumer is new, and the event it should begin with is not there.
    NoSuchEvent,
}

/// A consumer as it stands.
#[derive(Debug, Clone, FromRow)]
pub struct Consumer {
    /// `csm_…`
    pub id: String,
    /// Its name.
    pub name: String,
    #[sqlx(try_from = "JsonText")]
    filter: Value,
    /// How far it has read.
    #[sqlx(flatten)]
    pub position: Position,
    /// When it was made.
    pub created_at: Micros,
    /// Events read and not yet acknowledged.
    pub unacknowledged: i64,
    /// Events put aside.
    pub dead_letters: i64,
}

impl Consumer {
    /// What it wants to see.
    pub fn interest(&self) -> Interest {
        serde_json::from_value(self.filter.clone()).unwrap_or_default()
    }
}

/// An event put aside.
#[derive(Debug, Clone, FromRow)]
pub struct DeadLetter {
    /// The event.
    #[sqlx(flatten)]
    pub event: TriggerEvent,
    /// How often it was handed out.
    pub attempts: i64,
    /// When it was put aside.
    pub dead_at: Micros,
}

/// A consumer's row, locked, and the database's time.
#[derive(FromRow)]
struct Reader {
    id: String,
    #[sqlx(try_from = "JsonText")]
    filter: Value,
    #[sqlx(flatten)]
    position: Position,
    now: Micros,
}

impl Store {
    /// Hands out events: first those that came back, then those not read yet.
    ///
    /// # Errors
    /// `Conflict` where the consumer was made to see something else.
    pub async fn pull(&self, pull: &Pull) -> Result<Pulled, StoreError> {
        let mut transaction = self.write().begin().await?;
        let Some(reader) = self.reader(&mut transaction, pull).await? else {
            return Ok(Pulled::NoSuchEvent);
        };
        let interest: Interest = serde_json::from_value(reader.filter).unwrap_or_default();
        if pull.interest.as_ref().is_some_and(|asked| *asked != interest) {
            return Err(StoreError::Conflict(format!(
                "the consumer `{}` was made for other triggers or types; leave them out, or take \
                 another name",
                pull.consumer
            )));
        }
        let due = self.due(&mut transaction, &reader.id, reader.now, pull).await?;
        let (mut wanted, dead): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|(_, attempts)| *attempts < i64::from(pull.max_attempts));
        put_aside(&mut transaction, &reader.id, reader.now, &dead).await?;
        let place =
            self.read_on(&mut transaction, pull, &interest, reader.position, &mut wanted).await?;
        if place != reader.position {
            move_to(&mut transaction, &reader.id, place).await?;
        }
        let until = reader.now + Micros::from(pull.lease_seconds) * 1_000_000;
        let taken = hand_out(&mut transaction, pull, &reader.id, until, wanted).await?;
        transaction.commit().await?;
        Ok(Pulled::Events(taken))
    }

    /// The position before a place; none where it is that of an event which is not there.
    pub async fn position(
        &self,
        project: &str,
        place: &Place,
    ) -> Result<Option<Position>, StoreError> {
        let mut transaction = self.write().begin().await?;
        Ok(log::find(&mut transaction, project, place, self.write().horizon()).await?)
    }

    /// A project's next events after a position, at most `limit` that fit, and how far they are.
    pub async fn events_after(
        &self,
        project: &str,
        position: Position,
        interest: &Interest,
        limit: u32,
    ) -> Result<(Vec<(Position, TriggerEvent)>, Position), StoreError> {
        let stride = if *interest == Interest::default() { limit } else { STRIDE };
        let statement = log::after(project, position, self.read().horizon(), stride);
        let passed: Vec<Passed> = self.read().rows(statement).await?;
        let mut reached = passed.last().map_or(position, |last| last.place);
        let mut fitting: Vec<Passed> =
            passed.into_iter().filter(|event| event.fits(interest)).collect();
        if fitting.len() > limit as usize {
            fitting.truncate(limit as usize);
            reached = fitting.last().map_or(position, |last| last.place);
        }
        if fitting.is_empty() {
            return Ok((Vec::new(), reached));
        }
        let whole = events::select(project).then(" AND id IN");
        let whole: Vec<TriggerEvent> =
            self.read().rows(whole.list(fitting.iter().map(|event| &event.id))).await?;
        let mut whole: HashMap<String, TriggerEvent> =
            whole.into_iter().map(|event| (event.id.clone(), event)).collect();
        let placed =
            fitting.into_iter().filter_map(|one| Some((one.place, whole.remove(&one.id)?)));
        Ok((placed.collect(), reached))
    }

    /// Whether a pull may find something: cheap, and no more than a hint.
    pub async fn may_pull(&self, project: &str, consumer: &str) -> Result<bool, StoreError> {
        let statement = Statement::new(
            "SELECT 1 FROM consumers WHERE project_id = $1 AND name = $2 AND (
                 EXISTS (SELECT 1 FROM consumer_items
                     WHERE consumer_id = consumers.id AND due_at <= ",
        )
        .then(self.read().now())
        .then(
            ") OR EXISTS (SELECT 1 FROM events WHERE project_id = $1
                     AND (txid, position) > (consumers.txid, consumers.position) AND txid < ",
        )
        .then(self.read().horizon())
        .then("))");
        let found: Option<(i32,)> = self.read().row(statement.bind(project).bind(consumer)).await?;
        Ok(found.is_some())
    }

    /// The locked row of the consumer, made if need be; none where its beginning is not there.
    async fn reader(
        &self,
        transaction: &mut Transaction,
        pull: &Pull,
    ) -> Result<Option<Reader>, StoreError> {
        if let Some(reader) = self.lock(transaction, &pull.project, &pull.consumer).await? {
            return Ok(Some(reader));
        }
        let horizon = self.write().horizon();
        let Some(start) = log::find(transaction, &pull.project, &pull.from, horizon).await? else {
            return Ok(None);
        };
        let (txid, position) = start.parts();
        let statement = Statement::new(
            "INSERT INTO consumers (id, project_id, name, filter, txid, position, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (project_id, name) DO NOTHING",
        )
        .bind(&ids::new(ids::CONSUMER))
        .bind(&pull.project)
        .bind(&pull.consumer)
        .bind(&json!(pull.interest.clone().unwrap_or_default()))
        .bind(txid)
        .bind(position)
        .bind(clock::now());
        transaction.run(statement).await?;
        Ok(self.lock(transaction, &pull.project, &pull.consumer).await?)
    }

    async fn lock(
        &self,
        transaction: &mut Transaction,
        project: &str,
        name: &str,
    ) -> Result<Option<Reader>, sqlx::Error> {
        let statement = Statement::new("SELECT id, filter, txid, position, ")
            .then(self.write().now())
            .then(" AS now FROM consumers WHERE project_id = $1 AND name = $2")
            .then(self.write().for_update());
        Ok(transaction.rows(statement.bind(project).bind(name)).await?.pop())
    }

    /// Events that came back, and how often they were handed out. What is being settled at this
    /// moment is left to the next.
    async fn due(
        &self,
        transaction: &mut Transaction,
        consumer: &str,
        now: Micros,
        pull: &Pull,
    ) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let statement = due_items(consumer, now, pull.max).then(self.write().for_update_free());
        transaction.rows(statement).await
    }

    /// Reads on until there is as much as was asked for; says how far.
    async fn read_on(
        &self,
        transaction: &mut Transaction,
        pull: &Pull,
        interest: &Interest,
        mut place: Position,
        wanted: &mut Vec<(String, i64)>,
    ) -> Result<Position, sqlx::Error> {
        for _ in 0..STEPS {
            if wanted.len() >= pull.max as usize {
                break;
            }
            let statement = log::after(&pull.project, place, self.write().horizon(), STRIDE);
            let passed: Vec<Passed> = transaction.rows(statement).await?;
            let last = passed.len() < STRIDE as usize;
            for event in passed {
                if wanted.len() >= pull.max as usize {
                    return Ok(place);
                }
                place = event.place;
                if event.fits(interest) {
                    wanted.push((event.id, 0));
                }
            }
            if last {
                break;
            }
        }
        Ok(place)
    }
}

pub(super) fn due_items(consumer: &str, now: Micros, limit: u32) -> Statement {
    Statement::new(
        "SELECT event_id, attempts FROM consumer_items
         WHERE consumer_id = $1 AND due_at <= $2 ORDER BY due_at, event_id LIMIT $3",
    )
    .bind(consumer)
    .bind(now)
    .bind(i64::from(limit))
}

async fn put_aside(
    transaction: &mut Transaction,
    consumer: &str,
    now: Micros,
    dead: &[(String, i64)],
) -> Result<(), sqlx::Error> {
    if dead.is_empty() {
        return Ok(());
    }
    let statement = Statement::new(
        "UPDATE consumer_items SET dead_at = $2, due_at = NULL, delivery = NULL
         WHERE consumer_id = $1 AND event_id IN",
    );
    let statement = statement.bind(consumer).bind(now).list(dead.iter().map(|(id, _)| id));
    transaction.run(statement).await.map(drop)
}

async fn move_to(
    transaction: &mut Transaction,
    consumer: &str,
    place: Position,
) -> Result<(), sqlx::Error> {
    let (txid, position) = place.parts();
    let statement = Statement::new("UPDATE consumers SET txid = $2, position = $3 WHERE id = $1");
    transaction.run(statement.bind(consumer).bind(txid).bind(position)).await.map(drop)
}

/// Leases events and reads them whole. One that retention has just taken is passed over.
async fn hand_out(
    transaction: &mut Transaction,
    pull: &Pull,
    consumer: &str,
    until: Micros,
    wanted: Vec<(String, i64)>,
) -> Result<Vec<Taken>, sqlx::Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let whole = events::select(&pull.project).then(" AND id IN");
    let whole: Vec<TriggerEvent> =
        transaction.rows(whole.list(wanted.iter().map(|(id, _)| id))).await?;
    let mut whole: HashMap<String, TriggerEvent> =
        whole.into_iter().map(|event| (event.id.clone(), event)).collect();
    let taken: Vec<Taken> = wanted
        .into_iter()
        .filter_map(|(id, attempts)| {
            let event = whole.remove(&id)?;
            Some(Taken { delivery: ids::new(ids::DELIVERY), attempt: attempts + 1, event })
        })
        .collect();
    if taken.is_empty() {
        return Ok(taken);
    }
    let rows = taken.iter().map(|item| {
        let row: [Bind; 6] = [
            consumer.into(),
            (&item.event.id).into(),
            (&pull.project).into(),
            (&item.delivery).into(),
            item.attempt.into(),
            until.into(),
        ];
        row
    });
    let statement = Statement::new(
        "INSERT INTO consumer_items (consumer_id, event_id, project_id, delivery, attempts, due_at)
         VALUES",
    )
    .tuples(rows)
    .then(
        " ON CONFLICT (consumer_id, event_id) DO UPDATE SET delivery = excluded.delivery,
             attempts = excluded.attempts, due_at = excluded.due_at, dead_at = NULL",
    );
    transaction.run(statement).await?;
    Ok(taken)
}

/// A page of dead letters, newest event first.
pub(super) fn dead_letters(project: &str, consumer: &str, page: &Page) -> Statement {
    Statement::new("SELECT ")
        .then(events::COLUMNS)
        .then(
            ", attempts, dead_at FROM events JOIN (
                 SELECT event_id, attempts, dead_at FROM consumer_items
                 WHERE consumer_id = $2 AND dead_at IS NOT NULL) AS letter
                 ON letter.event_id = events.id
             WHERE project_id = $1",
        )
        .bind(project)
        .bind(consumer)
        .page(page)
}
