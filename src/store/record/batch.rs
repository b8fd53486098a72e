//! One transaction of the writer: events first, for what is a duplicate decides the receipts;
//! then receipts; then what the triggers show. Rows are written in the order of their keys, so
//! that two replicas wait for each other and never in a circle.

use std::collections::{BTreeMap, HashSet};

use data_encoding::HEXLOWER;
use hearken_engine::Micros;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Inbound, Recorded};
use crate::store::{
    Statement,
    dialect::{Pool, Transaction},
    model::{NewEvent, NewNotice, Receipt},
    statement::{Bind, storable},
};

/// Rows in one statement, well below the 32,766 binds that SQLite allows.
const ROWS: usize = 256;

/// External ids up to this many bytes are stored as they are; PostgreSQL cannot index longer ones
/// than some 2,700.
const EXTERNAL_ID: usize = 512;
/// Levels of nesting that are sure to be read back: the JSON parser takes 127.
const DEPTH: usize = 120;

/// A request to store, its events already as text.
pub(in crate::store) struct Entry {
    receipt: Receipt,
    events: Vec<(NewEvent, String)>,
    notice: Option<NewNotice>,
    /// Whether it shows that the provider reaches the trigger.
    proof: bool,
}

/// What makes an event unique: its trigger and its external id.
type Key<'a> = (&'a str, &'a str);
/// The id that each key's event has in the database.
type Owners = BTreeMap<(String, String), String>;

impl Entry {
    pub(super) fn new(inbound: Inbound) -> Self {
        let Inbound { mut receipt, events, notice } = inbound;
        let proof = proves(&receipt);
        // Keys are compared with what the database gives back, so they must look like it.
        receipt.trigger_id = receipt.trigger_id.as_deref().map(storable);
        let events = events.into_iter().map(|mut event| {
            event.external_event_id = key(&event.external_event_id);
            let data = text(&event.data.take());
            (event, data)
        });
        Self { events: events.collect(), receipt, notice, proof }
    }

    /// Events that were asked for: they show nothing of whether the provider reaches us.
    pub(in crate::store) fn asked_for(inbound: Inbound) -> Self {
        Self { proof: false, ..Self::new(inbound) }
    }

    /// Roughly how many bytes it brings.
    pub(super) fn size(&self) -> usize {
        let data: usize = self.events.iter().map(|(_, data)| data.len()).sum();
        let notice = self.notice.as_ref().and_then(|notice| notice.document.as_ref());
        data + self.receipt.body.as_ref().map_or(0, Vec::len) + notice.map_or(0, String::len)
    }

    fn keyed(&self) -> impl Iterator<Item = (Key<'_>, &(NewEvent, String))> {
        let trigger = self.receipt.trigger_id.as_deref().unwrap_or_default();
        self.events.iter().map(move |event| ((trigger, event.0.external_event_id.as_str()), event))
    }

    /// Which of its events were stored, given the ids that their keys have.
    fn recorded(&self, owners: &Owners) -> Recorded {
        let mut recorded = Recorded::default();
        for ((trigger, external), (event, _)) in self.keyed() {
            match owners.get(&(trigger.to_owned(), external.to_owned())) {
                Some(owner) if *owner != event.id => recorded.duplicates.push(owner.clone()),
                _ => recorded.stored.push(event.id.clone()),
            }
        }
        recorded
    }
}

/// An external id as it is stored: a long one as its digest, which tells it apart just as well.
fn key(external_id: &str) -> String {
    if external_id.len() <= EXTERNAL_ID {
        return storable(external_id);
    }
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(external_id)))
}

/// Data as it is stored. A script can nest what was deep already; what could not be read back is
/// kept as the text of itself, so that neither it nor a list it appears in is lost.
fn text(data: &Value) -> String {
    let text = data.to_string();
    if deeper_than(data, DEPTH) { Value::String(text).to_string() } else { text }
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Value::Array(items) => items.iter().any(|item| deeper_than(item, below)),
        Value::Object(fields) => fields.values().any(|field| deeper_than(field, below)),
        _ => false,
    }
}

/// Stores all entries, or none.
pub(super) async fn commit(pool: &Pool, entries: &[&Entry]) -> Result<Vec<Recorded>, sqlx::Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = pool.begin().await?;
    let recorded = write(&mut transaction, entries).await?;
    transaction.commit().await?;
    Ok(recorded)
}

/// Stores all entries within a transaction, which must not do so twice: events are numbered in it.
pub(in crate::store) async fn write(
    transaction: &mut Transaction,
    entries: &[&Entry],
) -> Result<Vec<Recorded>, sqlx::Error> {
    let owners = insert_events(transaction, entries).await?;
    let recorded: Vec<_> = entries.iter().map(|entry| entry.recorded(&owners)).collect();
    insert_receipts(transaction, entries, &recorded).await?;
    insert_notices(transaction, entries).await?;
    touch_triggers(transaction, entries, &recorded).await?;
    touch_provider_apps(transaction, entries).await?;
    Ok(recorded)
}

async fn insert_events(
    transaction: &mut Transaction,
    entries: &[&Entry],
) -> Result<Owners, sqlx::Error> {
    // The first of a key wins, within the batch as well as against the database.
    let mut firsts = BTreeMap::new();
    let mut position = 0;
    for entry in entries {
        for (key, event) in entry.keyed() {
            position += 1;
            firsts.entry(key).or_insert((position, &entry.receipt, event));
        }
    }
    let firsts: Vec<_> = firsts.into_iter().collect();
    let mut owners = Owners::new();
    if firsts.is_empty() {
        return Ok(owners);
    }
    let number = transaction.number().await?;
    for chunk in firsts.chunks(ROWS) {
        let statement = Statement::new(
            "INSERT INTO events (id, project_id, trigger_id, app, event_type, external_event_id, \
                 data, status, receipt_id, definition_version, occurred_at, received_at, \
                 expires_at, position",
        )
        .then(if number.is_some() { ", txid) VALUES" } else { ") VALUES" })
        .tuples(chunk.iter().map(|(_, (position, receipt, (event, data)))| {
            let row = event_row(receipt, event, data, *position);
            row.into_iter().chain(number.map(Bind::from))
        }))
        .then(" ON CONFLICT (trigger_id, external_event_id) DO NOTHING RETURNING id");
        let inserted: HashSet<String> =
            transaction.rows(statement).await?.into_iter().map(|(id,)| id).collect();
        let known: Vec<Key<'_>> = chunk
            .iter()
            .filter(|(_, (_, _, (event, _)))| !inserted.contains(&event.id))
            .map(|(key, _)| *key)
            .collect();
        let new = chunk.iter().filter(|(_, (_, _, (event, _)))| inserted.contains(&event.id));
        owners.extend(new.map(|((t, e), (_, _, (event, _)))| {
            (((*t).to_owned(), (*e).to_owned()), event.id.clone())
        }));
        find_owners(transaction, &known, &mut owners).await?;
    }
    Ok(owners)
}

/// Looks up the events that stood in the way. One that retention deleted in between makes the
/// whole batch fail, and its sender try again.
async fn find_owners(
    transaction: &mut Transaction,
    keys: &[Key<'_>],
    owners: &mut Owners,
) -> Result<(), sqlx::Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let found: Vec<(String, String, String)> = transaction.rows(select_owners(keys)).await?;
    if found.len() < keys.len() {
        return Err(sqlx::Error::RowNotFound);
    }
    owners.extend(found.into_iter().map(|(trigger, external, id)| ((trigger, external), id)));
    Ok(())
}

pub(in crate::store) fn select_owners(keys: &[Key<'_>]) -> Statement {
    let tuples = keys.iter().map(|(trigger, external)| [Bind::from(*trigger), (*external).into()]);
    Statement::new(
        "SELECT trigger_id, external_event_id, id FROM events
         WHERE (trigger_id, external_event_id) IN (VALUES",
    )
    .tuples(tuples)
    .then(")")
}

/// The position is that within the transaction, in the order in which events came.
fn event_row(receipt: &Receipt, event: &NewEvent, data: &str, position: i64) -> [Bind; 14] {
    [
        (&event.id).into(),
        receipt.project_id.as_deref().unwrap_or_default().into(),
        receipt.trigger_id.as_deref().unwrap_or_default().into(),
        (&receipt.app).into(),
        (&event.event_type).into(),
        (&event.external_event_id).into(),
        data.into(),
        "pending".into(),
        (&receipt.id).into(),
        receipt.definition_version.as_deref().unwrap_or_default().into(),
        event.occurred_at.into(),
        receipt.received_at.into(),
        event.expires_at.into(),
        position.into(),
    ]
}

async fn insert_receipts(
    transaction: &mut Transaction,
    entries: &[&Entry],
    recorded: &[Recorded],
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = entries.iter().zip(recorded).collect();
    for chunk in rows.chunks(ROWS) {
        let statement = Statement::new(
            "INSERT INTO receipts (id, project_id, trigger_id, app, method, headers, body, \
                 body_size, outcome, reason, detail, answered, definition_version, received_at, \
                 provider_app_id) \
             VALUES",
        );
        let rows = chunk.iter().map(|(entry, recorded)| receipt_row(&entry.receipt, recorded));
        transaction.run(statement.tuples(rows)).await?;
    }
    Ok(())
}

fn receipt_row(receipt: &Receipt, recorded: &Recorded) -> [Bind; 15] {
    let all_known = recorded.stored.is_empty() && !recorded.duplicates.is_empty();
    [
        (&receipt.id).into(),
        (&receipt.project_id).into(),
        (&receipt.trigger_id).into(),
        (&receipt.app).into(),
        (&receipt.method).into(),
        (&receipt.headers).into(),
        (&receipt.body).into(),
        receipt.body_size.into(),
        if all_known { "duplicate" } else { &receipt.outcome }.into(),
        (&receipt.reason).into(),
        (&detail(receipt, recorded)).into(),
        receipt.answered.into(),
        (&receipt.definition_version).into(),
        receipt.received_at.into(),
        (&receipt.provider_app_id).into(),
    ]
}

/// The receipt's details with the ids of its events.
fn detail(receipt: &Receipt, recorded: &Recorded) -> Value {
    let mut detail = match &receipt.detail {
        Value::Object(detail) => detail.clone(),
        Value::Null => Map::new(),
        other => Map::from_iter([("note".to_owned(), other.clone())]),
    };
    if !recorded.stored.is_empty() {
        detail.insert("events".to_owned(), json!(recorded.stored));
    }
    if !recorded.duplicates.is_empty() {
        detail.insert("duplicates".to_owned(), json!(recorded.duplicates));
    }
    Value::Object(detail)
}

/// Notes that the provider reached a shared URL.
async fn touch_provider_apps(
    transaction: &mut Transaction,
    entries: &[&Entry],
) -> Result<(), sqlx::Error> {
    let mut proofs: BTreeMap<&str, Micros> = BTreeMap::new();
    for receipt in entries.iter().map(|entry| &entry.receipt) {
        let reached = receipt.trigger_id.is_none() && proves(receipt);
        if let Some(id) = receipt.provider_app_id.as_deref().filter(|_| reached) {
            let proof = proofs.entry(id).or_default();
            *proof = receipt.received_at.max(*proof);
        }
    }
    for (id, proof) in proofs {
        let statement = Statement::new(
            "UPDATE provider_apps SET last_proof_at =
                 CASE WHEN last_proof_at > $2 THEN last_proof_at ELSE $2 END
             WHERE id = $1",
        );
        transaction.run(statement.bind(id).bind(proof)).await?;
    }
    Ok(())
}

async fn insert_notices(
    transaction: &mut Transaction,
    entries: &[&Entry],
) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.notice.as_ref().map(|notice| notice_row(&entry.receipt, notice)))
        .collect();
    for chunk in rows.chunks(ROWS) {
        let statement = Statement::new(
            "INSERT INTO notices (id, project_id, trigger_id, receipt_id, document, attempts, \
                 next_at, created_at) VALUES",
        );
        transaction.run(statement.tuples(chunk.iter().cloned())).await?;
    }
    Ok(())
}

fn notice_row(receipt: &Receipt, notice: &NewNotice) -> [Bind; 8] {
    [
        (&notice.id).into(),
        receipt.project_id.as_deref().unwrap_or_default().into(),
        receipt.trigger_id.as_deref().unwrap_or_default().into(),
        (&receipt.id).into(),
        (&notice.document).into(),
        0.into(),
        receipt.received_at.into(),
        receipt.received_at.into(),
    ]
}

/// Whether a request shows that the provider reaches the trigger. Anybody may send a handshake
/// that is not signed.
fn proves(receipt: &Receipt) -> bool {
    match receipt.outcome.as_str() {
        "rejected" => false,
        "challenge" => receipt.detail.get("verified_by").is_some(),
        _ => true,
    }
}

/// Moves each trigger's times once, never back.
async fn touch_triggers(
    transaction: &mut Transaction,
    entries: &[&Entry],
    recorded: &[Recorded],
) -> Result<(), sqlx::Error> {
    let mut touches: BTreeMap<&str, (Option<Micros>, Option<Micros>)> = BTreeMap::new();
    for (entry, recorded) in entries.iter().zip(recorded) {
        let Entry { receipt, proof: proven, .. } = entry;
        let Some(trigger) = receipt.trigger_id.as_deref() else {
            continue;
        };
        let (proof, triggered) = touches.entry(trigger).or_default();
        *proof = proven.then_some(receipt.received_at).max(*proof);
        let stored = (!recorded.stored.is_empty()).then_some(receipt.received_at);
        *triggered = stored.max(*triggered);
    }
    touches.retain(|_, (proof, triggered)| proof.is_some() || triggered.is_some());
    for (trigger, (proof, triggered)) in touches {
        let statement = Statement::new(
            "UPDATE triggers SET
                 last_proof_at = CASE WHEN $2 IS NULL OR last_proof_at > $2
                     THEN last_proof_at ELSE $2 END,
                 last_triggered_at = CASE WHEN $3 IS NULL OR last_triggered_at > $3
                     THEN last_triggered_at ELSE $3 END
             WHERE id = $1",
        );
        transaction.run(statement.bind(trigger).bind(proof).bind(triggered)).await?;
    }
    Ok(())
}
