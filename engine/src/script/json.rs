//! `Json`: a script's read-only view into a JSON document, which it walks without converting it.
//!
//! A handle is the shared document and the path to one place in it. Reading a place gives a plain
//! script value where that loses nothing (`()` for null and for what is missing, booleans,
//! integers, floats, strings up to the script's string limit), and another handle where it would:
//! objects, arrays, long strings, and integers above 2^63-1. Handing a handle back puts exactly
//! what it points at into the result.

use std::sync::Arc;

use rhai::{Dynamic, ImmutableString};
use serde_json::Value;

use super::engine::MAX_STRING;

/// A place in a JSON document.
#[derive(Clone)]
pub(super) struct Json {
    root: Arc<Value>,
    path: Vec<Step>,
}

#[derive(Clone)]
enum Step {
    Key(ImmutableString),
    Index(usize),
}

impl Json {
    /// What a script sees of a whole document.
    pub(super) fn present(root: Arc<Value>) -> Dynamic {
        let handle = Self { root, path: Vec::new() };
        plain(handle.value()).unwrap_or_else(|| Dynamic::from(handle.clone()))
    }

    /// The value at this place.
    pub(super) fn value(&self) -> &Value {
        self.path
            .iter()
            .try_fold(&*self.root, |value, step| match step {
                Step::Key(key) => value.get(key.as_str()),
                Step::Index(index) => value.get(*index),
            })
            .expect("a handle is only made for a place that exists, and documents never change")
    }

    /// The member `key` of an object; `()` where there is none.
    pub(super) fn member(&self, key: &ImmutableString) -> Dynamic {
        match self.value().get(key.as_str()) {
            Some(value) => self.child(value, || Step::Key(key.clone())),
            None => Dynamic::UNIT,
        }
    }

    /// The element at `index` of an array, negative ones counted from its end; `()` where there
    /// is none.
    pub(super) fn element(&self, index: i64) -> Dynamic {
        let Value::Array(items) = self.value() else {
            return Dynamic::UNIT;
        };
        let from_start = match usize::try_from(index) {
            Ok(index) => Some(index),
            Err(_) => usize::try_from(index.unsigned_abs())
                .ok()
                .and_then(|back| items.len().checked_sub(back)),
        };
        match from_start.and_then(|index| items.get(index).map(|value| (index, value))) {
            Some((index, value)) => self.child(value, || Step::Index(index)),
            None => Dynamic::UNIT,
        }
    }

    fn child(&self, value: &Value, step: impl FnOnce() -> Step) -> Dynamic {
        plain(value).unwrap_or_else(|| {
            let mut path = Vec::with_capacity(self.path.len() + 1);
            path.extend(self.path.iter().cloned());
            path.push(step());
            Dynamic::from(Self { root: Arc::clone(&self.root), path })
        })
    }
}

/// The script value that says the same as `value`, where there is one.
fn plain(value: &Value) -> Option<Dynamic> {
    match value {
        Value::Null => Some(Dynamic::UNIT),
        Value::Bool(flag) => Some((*flag).into()),
        Value::Number(number) if number.is_f64() => number.as_f64().map(Dynamic::from),
        Value::Number(number) => number.as_i64().map(Dynamic::from),
        Value::String(text) if text.len() <= MAX_STRING => Some(text.as_str().into()),
        Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
