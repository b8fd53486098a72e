//! What differs between two JSON values, a line for each place.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// Lines shown of one comparison; the rest would hide them.
const LINES: usize = 20;
/// Characters shown of a value.
const SHOWN: usize = 120;

/// One place where a sample does not come as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: a path in the sample (`expect.events[0].data.number`).
    pub at: String,
    /// What was expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What is wrong, where it is not a matter of two values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Difference {
    /// Two values that should be one.
    pub(super) fn between(
        at: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (expected, found) = (Some(expected.into()), Some(found.into()));
        Self { at: at.into(), expected, found, message: None }
    }

    /// Something else that is wrong.
    pub(super) fn note(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), expected: None, found: None, message: Some(message.into()) }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at)?;
        match (&self.message, &self.expected, &self.found) {
            (Some(message), ..) => write!(f, ": {message}"),
            (_, Some(expected), Some(found)) => write!(f, ": expected {expected}, found {found}"),
            (_, Some(expected), None) => write!(f, ": expected {expected}, found nothing"),
            (_, None, Some(found)) => write!(f, ": not expected, found {found}"),
            (_, None, None) => Ok(()),
        }
    }
}

/// Whether two values are the same.
pub(super) fn same<E, F>(at: &str, expected: &E, found: &F) -> Vec<Difference>
where
    E: PartialEq<F> + fmt::Debug + ?Sized,
    F: fmt::Debug + ?Sized,
{
    if expected == found {
        return Vec::new();
    }
    vec![Difference::between(at, format!("{expected:?}"), format!("{found:?}"))]
}

/// Whether a text contains a part.
pub(super) fn contains(at: &str, part: &str, text: &str) -> Vec<Difference> {
    if text.contains(part) {
        return Vec::new();
    }
    vec![Difference::between(at, format!("{part:?} in it"), format!("{text:?}"))]
}

/// Every place where `found` is not what was expected.
pub(super) fn differences(at: &str, expected: &Value, found: &Value) -> Vec<Difference> {
    let mut told = Vec::new();
    walk(at, expected, found, true, &mut told);
    told
}

/// Every place where `found` lacks a part that was expected; what it has besides is no matter.
pub(super) fn includes(at: &str, expected: &Value, found: &Value) -> Vec<Difference> {
    let mut told = Vec::new();
    walk(at, expected, found, false, &mut told);
    told
}

fn walk(at: &str, expected: &Value, found: &Value, exact: bool, told: &mut Vec<Difference>) {
    if told.len() >= LINES {
        return;
    }
    let difference = |at: String, expected: Option<&Value>, found: Option<&Value>| Difference {
        at,
        expected: expected.map(shown),
        found: found.map(shown),
        message: None,
    };
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let at = format!("{at}.{key}");
                match found.get(key) {
                    Some(other) => walk(&at, value, other, exact, told),
                    None => told.push(difference(at, Some(value), None)),
                }
            }
            let surplus = found.iter().filter(|(key, _)| exact && !expected.contains_key(*key));
            told.extend(
                surplus.map(|(key, value)| difference(format!("{at}.{key}"), None, Some(value))),
            );
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (value, other)) in expected.iter().zip(found).enumerate() {
                walk(&format!("{at}[{index}]"), value, other, exact, told);
            }
        }
        _ if expected == found => {}
        _ => told.push(difference(at.to_owned(), Some(expected), Some(found))),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        text
    } else {
        text.chars().take(SHOWN).chain(['…']).collect()
    }
}
