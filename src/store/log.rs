//! The log of events: each has a place in it, which is where it became visible, and a reader that
//! goes on from the last place it saw misses nothing.
//!
//! A place is the number of a transaction and that of a row in it. SQLite numbers transactions as
//! they commit. On PostgreSQL several replicas commit at once and out of order; a reader there sees
//! nothing of a transaction that may still have an earlier one beside it.

use data_encoding::BASE32HEX_NOPAD;
use hearken_engine::Micros;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{Statement, dialect::Transaction};

const PREFIX: &str = "pos_";

/// A place in the log, after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromRow)]
pub struct Position {
    txid: i64,
    position: i64,
}

impl Position {
    pub(super) const BEGINNING: Self = Self { txid: 0, position: 0 };

    pub(super) fn new(txid: i64, position: i64) -> Self {
        Self { txid, position }
    }

    pub(super) fn parts(self) -> (i64, i64) {
        (self.txid, self.position)
    }

    /// As opaque text, `pos_…`.
    pub fn text(self) -> String {
        let bytes = [self.txid.to_be_bytes(), self.position.to_be_bytes()].concat();
        format!("{PREFIX}{}", BASE32HEX_NOPAD.encode(&bytes).to_lowercase())
    }

    /// Reads [`Self::text`] back.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(PREFIX)?.to_uppercase();
        let bytes = BASE32HEX_NOPAD.decode(text.as_bytes()).ok()?;
        let (txid, position) = bytes.split_at_checked(8)?;
        let number = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_be_bytes);
        Some(Self { txid: number(txid)?, position: number(position)? })
    }
}

/// Where to begin to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// With the oldest event there is.
    Beginning,
    /// With what comes from now on.
    Now,
    /// With this event.
    Event(String),
    /// With the first event received at this time or later.
    Time(Micros),
}

/// Which events a reader wants to see: all, unless it names some.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interest {
    /// Ids of triggers; any if empty.
    pub triggers: Vec<String>,
    /// Event types, with `*` at the end for all that begin so; any if empty.
    pub types: Vec<String>,
}

impl Interest {
    fn wants(&self, trigger: &str, event_type: &str) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(beginning) => event_type.starts_with(beginning),
            None => wanted == event_type,
        };
        (self.triggers.is_empty() || self.triggers.iter().any(|wanted| wanted == trigger))
            && (self.types.is_empty() || self.types.iter().any(fits))
    }
}

/// An event as a reader passes it.
#[derive(FromRow)]
pub(super) struct Passed {
    pub(super) id: String,
    trigger_id: String,
    event_type: String,
    #[sqlx(flatten)]
    pub(super) place: Position,
}

impl Passed {
    pub(super) fn fits(&self, interest: &Interest) -> bool {
        interest.wants(&self.trigger_id, &self.event_type)
    }
}

/// A project's events after a position, in their order; `horizon` is the database's.
pub(super) fn after(
    project: &str,
    position: Position,
    horizon: &'static str,
    limit: u32,
) -> Statement {
    Statement::new(
        "SELECT id, trigger_id, event_type, txid, position FROM events
         WHERE project_id = $1 AND (txid, position) > ($2, $3) AND txid < ",
    )
    .then(horizon)
    .then(" ORDER BY txid, position LIMIT $4")
    .bind(project)
    .bind(position.txid)
    .bind(position.position)
    .bind(i64::from(limit))
}

/// The position before a place; none where it is that of an event which is not there.
pub(super) async fn find(
    transaction: &mut Transaction,
    project: &str,
    place: &Place,
    horizon: &'static str,
) -> Result<Option<Position>, sqlx::Error> {
    let before =
        Statement::new("SELECT txid, position - 1 AS position FROM events WHERE project_id = $1");
    let statement = match place {
        Place::Beginning => return Ok(Some(Position::BEGINNING)),
        Place::Now => None,
        Place::Event(id) => Some(before.bind(project).and("id = $", Some(id))),
        Place::Time(time) => {
            let since = before.bind(project).and("received_at >= $", Some(*time));
            Some(since.then(" ORDER BY txid, position LIMIT 1"))
        }
    };
    if let Some(statement) = statement {
        let found = transaction.rows(statement).await?.pop();
        if found.is_some() || matches!(place, Place::Event(_)) {
            return Ok(found);
        }
    }
    let now = Statement::new("SELECT ").then(horizon);
    let now = now.then(" - 1 AS txid, 9223372036854775807 AS position");
    Ok(transaction.rows(now).await?.pop())
}
