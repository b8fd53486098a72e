//! What a script can do with a `Json` handle beyond `a.b[0]`: size, keys, search, loops, text.
//!
//! These are functions, written with parentheses, never properties: `payload.len` is the
//! payload's own field of that name. They take handles by value, so that they work on constants.

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use serde_json::Value;

use super::{
    convert::Output,
    engine::MAX_ITEMS,
    failure::{Fallible, fault},
    json::Json,
};

/// Registers the type and its functions.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Json>("Json")
        .register_indexer_get(|json: &mut Json, key: ImmutableString| json.member(&key))
        .register_indexer_get(|json: &mut Json, index: i64| json.element(index))
        // Every script value has a property `tag` of its own; a payload's field comes first.
        .register_get("tag", |json: &mut Json| json.member(&"tag".into()))
        .register_iterator_result::<Json, Dynamic>()
        .register_fn("len", |json: Json| size(&json))
        .register_fn("is_empty", |json: Json| size(&json) == 0)
        .register_fn("keys", |json: Json| keys(&json))
        .register_fn("values", |json: Json| values(&json))
        .register_fn("to_array", |json: Json| values(&json))
        .register_fn("to_map", |json: Json| to_map(&json))
        .register_fn("contains", |json: Json, wanted: Dynamic| contains(&json, wanted))
        .register_fn("==", |a: Json, b: Json| a.value() == b.value())
        .register_fn("!=", |a: Json, b: Json| a.value() != b.value());
    missing_values_chain(engine);
}

/// Makes `a.b.c` give `()` when `a.b` is missing, so that authors need not guard every step.
fn missing_values_chain(engine: &mut Engine) {
    engine
        .register_indexer_get(|(): &mut (), _: ImmutableString| ())
        .register_indexer_get(|(): &mut (), _: i64| ())
        .register_get("tag", |(): &mut ()| ());
}

fn size(json: &Json) -> i64 {
    let size = match json.value() {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        Value::String(text) => text.chars().count(),
        _ => 0,
    };
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Refuses to list what would not fit into a script's array.
fn listable(json: &Json) -> Fallible<()> {
    if usize::try_from(size(json)).is_ok_and(|size| size <= MAX_ITEMS) {
        return Ok(());
    }
    Err(fault(format!(
        "this JSON has {} entries, more than the {MAX_ITEMS} an array or map may hold; \
         loop over it with `for` instead",
        size(json)
    )))
}

fn keys(json: &Json) -> Fallible<Array> {
    listable(json)?;
    Ok(match json.value() {
        Value::Object(members) => members.keys().map(|key| key.as_str().into()).collect(),
        _ => Array::new(),
    })
}

fn values(json: &Json) -> Fallible<Array> {
    listable(json)?;
    Ok(match json.value() {
        Value::Object(members) => {
            members.keys().map(|key| json.member(&key.as_str().into())).collect()
        }
        _ => (0..size(json)).map(|index| json.element(index)).collect(),
    })
}

fn to_map(json: &Json) -> Fallible<Map> {
    listable(json)?;
    match json.value() {
        Value::Object(members) => Ok(members
            .keys()
            .map(|key| (key.as_str().into(), json.member(&key.as_str().into())))
            .collect()),
        _ => Err(fault("only a JSON object can become a map")),
    }
}

fn contains(json: &Json, wanted: Dynamic) -> Fallible<bool> {
    let wanted = Output::default().value(wanted).map_err(fault)?;
    Ok(match (json.value(), &wanted) {
        (Value::Object(members), Value::String(key)) => members.contains_key(key),
        (Value::Array(items), wanted) => items.contains(wanted),
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        _ => false,
    })
}

/// The elements of a JSON array, one handle at a time.
pub(super) struct Elements {
    json: Json,
    next: i64,
    end: i64,
}

impl IntoIterator for Json {
    type Item = Fallible<Dynamic>;
    type IntoIter = Elements;

    fn into_iter(self) -> Elements {
        let end = match self.value() {
            Value::Array(_) => size(&self),
            // One round, to say what is wrong.
            _ => 1,
        };
        Elements { json: self, next: 0, end }
    }
}

impl Iterator for Elements {
    type Item = Fallible<Dynamic>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        self.next += 1;
        if self.json.value().is_array() {
            return Some(Ok(self.json.element(self.next - 1)));
        }
        Some(Err(fault(
            "`for` cannot loop over a JSON object; loop over its `keys()` or `values()`",
        )))
    }
}
