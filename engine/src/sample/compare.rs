//! What differs between two JSON values, a line for each place.

use serde_json::Value;

/// Lines shown of one comparison; the rest would hide them.
const LINES: usize = 20;
/// Characters shown of a value.
const SHOWN: usize = 120;

/// Every place where `found` is not what was expected.
pub(super) fn differences(at: &str, expected: &Value, found: &Value) -> Vec<String> {
    let mut told = Vec::new();
    walk(at, expected, found, true, &mut told);
    told
}

/// Every place where `found` lacks a part that was expected; what it has besides is no matter.
pub(super) fn includes(at: &str, expected: &Value, found: &Value) -> Vec<String> {
    let mut told = Vec::new();
    walk(at, expected, found, false, &mut told);
    told
}

/// A line if the two differ.
pub(super) fn same<E: PartialEq<F> + std::fmt::Debug, F: std::fmt::Debug + ?Sized>(
    at: &str,
    expected: &E,
    found: &F,
) -> Vec<String> {
    if expected == found {
        Vec::new()
    } else {
        vec![format!("{at}: expected {expected:?}, found {found:?}")]
    }
}

/// A line if `part` is not within `text`.
pub(super) fn contains(at: &str, part: &str, text: &str) -> Vec<String> {
    if text.contains(part) {
        Vec::new()
    } else {
        vec![format!("{at}: expected {part:?} within {text:?}")]
    }
}

fn walk(at: &str, expected: &Value, found: &Value, exact: bool, told: &mut Vec<String>) {
    if told.len() >= LINES {
        return;
    }
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                match found.get(key) {
                    Some(other) => walk(&format!("{at}.{key}"), value, other, exact, told),
                    None => {
                        told.push(format!("{at}.{key}: expected {}, found nothing", shown(value)));
                    }
                }
            }
            let surplus = found.iter().filter(|(key, _)| exact && !expected.contains_key(*key));
            told.extend(
                surplus.map(|(key, value)| {
                    format!("{at}.{key}: not expected, found {}", shown(value))
                }),
            );
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (value, other)) in expected.iter().zip(found).enumerate() {
                walk(&format!("{at}[{index}]"), value, other, exact, told);
            }
        }
        _ if expected == found => {}
        _ => told.push(format!("{at}: expected {}, found {}", shown(expected), shown(found))),
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
