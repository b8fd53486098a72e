//! The hot path: a verified request in, the script's events out.

use std::sync::Arc;

use rhai::{Dynamic, Map};
use serde_json::Value;

use super::{
    Script, ScriptError, convert::Output, engine, failure::Ending, json::Json, meter,
    record::Record,
};
use crate::{Micros, TriggerContext, document::Document};

/// What `events` made of a request.
#[derive(Debug)]
pub enum Mapped {
    /// Events, not yet completed with the trigger's type and a fallback id.
    Events(Vec<MappedEvent>),
    /// The script skipped the request, with its reason.
    Skipped(String),
}

/// One event as the script described it.
#[derive(Debug)]
pub struct MappedEvent {
    /// Event type without the app's slug; the trigger's own where absent.
    pub event_type: Option<String>,
    /// The provider's id of the event; a hash of the body where absent.
    pub id: Option<String>,
    /// When it happened.
    pub occurred_at: Option<Micros>,
    /// Its payload.
    pub data: Value,
}

/// Calls `events`, or makes the whole body one event where the script has no such function.
pub(super) fn events(
    script: &Script,
    document: &Document,
    trigger: &TriggerContext,
) -> Result<Mapped, ScriptError> {
    if !script.has("events") {
        let body = document.root().get("body").cloned();
        return Ok(Mapped::Events(vec![MappedEvent {
            event_type: None,
            id: None,
            occurred_at: None,
            data: body.unwrap_or_default(),
        }]));
    }
    let request = Json::present(Arc::clone(document.root()));
    let ((result, mapped), printed) = meter::metered(|| {
        let arguments = (request, describe(trigger));
        let result = engine::call(&script.ast, &script.constants, "events", arguments);
        match result {
            Ok(value) => (None, read(value)),
            Err(error) => (Some(error), Ok(Vec::new())),
        }
    });
    script.log("events", &printed);
    if let Some(error) = result {
        return match script.explain("events", *error)? {
            Ending::Skipped(reason) => Ok(Mapped::Skipped(reason)),
            Ending::Lifecycle(error) => Err(script.error("events", error.to_string())),
        };
    }
    mapped.map(Mapped::Events).map_err(|message| script.error("events", message))
}

/// Calls `subscription_key`, which must return text.
pub(super) fn subscription_key(
    script: &Script,
    trigger: &TriggerContext,
) -> Result<String, ScriptError> {
    let name = "subscription_key";
    let (result, printed) =
        meter::metered(|| engine::call(&script.ast, &script.constants, name, (describe(trigger),)));
    script.log(name, &printed);
    match result {
        Ok(value) => value
            .into_immutable_string()
            .map(Into::into)
            .map_err(|_| script.error(name, "it must return text")),
        Err(error) => Err(script.error(name, script.explain(name, *error)?.text())),
    }
}

/// `trigger`, as far as mapping may know it.
pub(super) fn describe(trigger: &TriggerContext) -> Map {
    let account_id = trigger.account_id.clone();
    Map::from([
        ("id".into(), trigger.id.as_str().into()),
        ("name".into(), trigger.name.as_str().into()),
        ("url".into(), trigger.recipient.url.as_str().into()),
        ("config".into(), Json::present(Arc::new(trigger.config.clone()))),
        (
            "account".into(),
            Map::from([
                ("id".into(), account_id.map_or(Dynamic::UNIT, Dynamic::from)),
                ("metadata".into(), Json::present(Arc::new(trigger.account_metadata.clone()))),
            ])
            .into(),
        ),
    ])
}

/// Reads the returned array of events; a single map counts as an array of one.
fn read(value: Dynamic) -> Result<Vec<MappedEvent>, String> {
    if value.is_unit() {
        return Err("it must return an array of events; to give none, return [] or call \
                    skip(\"why\")"
            .to_owned());
    }
    let items = if value.is_map() {
        vec![value]
    } else {
        value.into_array().map_err(|_| "it must return an array of events")?
    };
    read_items(items, &mut Output::default())
}

/// Reads events one by one.
pub(super) fn read_items(
    items: Vec<Dynamic>,
    output: &mut Output,
) -> Result<Vec<MappedEvent>, String> {
    let items = items.into_iter().enumerate();
    items.map(|(index, item)| read_one(&format!("event {}", index + 1), item, output)).collect()
}

fn read_one(what: &str, item: Dynamic, output: &mut Output) -> Result<MappedEvent, String> {
    let mut record = Record::new(what, item, &["id", "occurred_at", "data", "type"])?;
    if !record.has("data") {
        return Err(format!("{what} must have `data`, and it is missing"));
    }
    let event_type = record.text("type")?;
    let well_formed = |name: &String| {
        name.len() <= 128
            && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.'))
    };
    if let Some(name) = event_type.as_ref().filter(|name| !well_formed(name)) {
        return Err(format!(
            "`type` of {what} may have lower-case letters, digits and `_-.`, not {name:?}"
        ));
    }
    Ok(MappedEvent {
        event_type,
        id: record.text("id")?,
        occurred_at: record.moment("occurred_at")?,
        data: record.json("data", output)?,
    })
}
