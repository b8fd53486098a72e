//! What a clause asks of the nodes its path selects.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde_json::{Number, Value};

/// Largest compiled pattern in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// An operator with what it compares to, ready to run.
#[derive(Debug, Clone)]
pub(super) enum Operator {
    Equals(Value),
    NotEquals(Value),
    In(Vec<Value>),
    Contains(Value),
    Exists(bool),
    Compare(&'static str, Value),
    Regex(Regex),
}

/// The operator `name` with its operand, or why there is no such.
pub(super) fn operator(name: &str, expected: &Value) -> Result<Operator, String> {
    let comparable = |name: &'static str| match expected {
        Value::Number(_) | Value::String(_) => Ok(Operator::Compare(name, expected.clone())),
        _ => Err(format!("`{name}` takes a number or text")),
    };
    match name {
        "equals" => Ok(Operator::Equals(expected.clone())),
        "not_equals" => Ok(Operator::NotEquals(expected.clone())),
        "in" => match expected {
            Value::Array(values) => Ok(Operator::In(values.clone())),
            _ => Err("`in` takes a list of values".to_owned()),
        },
        "contains" => Ok(Operator::Contains(expected.clone())),
        "exists" => match expected {
            Value::Bool(wanted) => Ok(Operator::Exists(*wanted)),
            _ => Err("`exists` takes true or false".to_owned()),
        },
        "gt" => comparable("gt"),
        "gte" => comparable("gte"),
        "lt" => comparable("lt"),
        "lte" => comparable("lte"),
        "regex" => match expected {
            Value::String(pattern) => regex(pattern),
            _ => Err("`regex` takes text".to_owned()),
        },
        // `all`, `any` and `not` beside a path.
        other => Err(format!("`{other}` cannot stand beside `path`")),
    }
}

fn regex(pattern: &str) -> Result<Operator, String> {
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .build()
        .map(Operator::Regex)
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "this pattern is too large".to_owned(),
            other => {
                let text = other.to_string();
                format!("not a regular expression: {}", text.lines().last().unwrap_or_default())
            }
        })
}

impl Operator {
    /// Its name in filters.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Equals(_) => "equals",
            Self::NotEquals(_) => "not_equals",
            Self::In(_) => "in",
            Self::Contains(_) => "contains",
            Self::Exists(_) => "exists",
            Self::Compare(name, _) => name,
            Self::Regex(_) => "regex",
        }
    }

    /// Whether the selected nodes satisfy it.
    pub(super) fn holds(&self, nodes: &[&Value]) -> bool {
        match self {
            Self::Equals(expected) => nodes.iter().any(|node| same(node, expected)),
            Self::NotEquals(expected) => !nodes.iter().any(|node| same(node, expected)),
            Self::In(list) => nodes.iter().any(|node| list.iter().any(|item| same(node, item))),
            Self::Contains(part) => nodes.iter().any(|node| contains(node, part)),
            Self::Exists(wanted) => nodes.is_empty() != *wanted,
            Self::Compare(name, expected) => nodes.iter().any(|node| {
                order(node, expected).is_some_and(|order| match *name {
                    "gt" => order.is_gt(),
                    "gte" => order.is_ge(),
                    "lt" => order.is_lt(),
                    _ => order.is_le(),
                })
            }),
            Self::Regex(pattern) => {
                nodes.iter().any(|node| node.as_str().is_some_and(|text| pattern.is_match(text)))
            }
        }
    }
}

/// Equality as people mean it: `1` and `1.0` are the same number, also inside lists and objects.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            compare(left, right) == Some(Ordering::Equal)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

/// Text contains text, a list contains an element, an object contains a key.
fn contains(node: &Value, part: &Value) -> bool {
    match (node, part) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), part) => items.iter().any(|item| same(item, part)),
        (Value::Object(members), Value::String(key)) => members.contains_key(key),
        _ => false,
    }
}

/// Numbers by value, text by code point (which is also the order of RFC 3339 times in one zone);
/// a number and a text have no order.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Integers compare exactly, beyond what a float can hold.
fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}
