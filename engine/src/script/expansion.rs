//! Thin notices: a provider says that something happened, and the script asks what.

use std::sync::Arc;

use rhai::Dynamic;
use serde_json::Value;

use super::{
    HttpClient, LifecycleContext, LifecycleError, MappedEvent, Script,
    convert::Output,
    json::Json,
    lifecycle::{self, Reach},
    mapping,
    record::Record,
    secret::Known,
};
use crate::document::Document;

/// What `expand` found at the provider.
#[derive(Debug)]
pub struct Expansion {
    /// Events, not yet completed with the trigger's type. Each has an id: an expansion that is
    /// done again must not double them.
    pub events: Vec<MappedEvent>,
    /// How far the history was read now; nothing where the app reads none.
    pub cursor: Option<Value>,
    /// Whether there is more to be had at once, from the new cursor on.
    pub more: bool,
}

/// Calls `expand`.
pub(super) fn expand(
    script: &Script,
    client: &dyn HttpClient,
    context: &LifecycleContext,
    notice: Option<&Document>,
) -> Result<Expansion, LifecycleError> {
    let notice = notice.map_or(Dynamic::UNIT, |notice| Json::present(Arc::clone(notice.root())));
    let reach = Reach { client, base_url: &context.base_url, hosts: &context.hosts };
    let describe = |known: &Known| lifecycle::describe(context, known);
    lifecycle::call_with(script, "expand", reach, describe, Some(notice), read)
}

fn read(what: &str, value: Dynamic) -> Result<Expansion, String> {
    let mut record = Record::new(what, value, &["events", "cursor", "more"])?;
    let mut output = Output::default();
    let events = mapping::read_items(record.list("events")?, &mut output)?;
    if let Some(index) = events.iter().position(|event| event.id.is_none()) {
        return Err(format!(
            "event {} of {what} must have an `id`: an expansion can be run again",
            index + 1
        ));
    }
    let cursor = Some(record.json("cursor", &mut output)?).filter(|cursor| !cursor.is_null());
    Ok(Expansion { events, cursor, more: record.flag("more", false)? })
}
