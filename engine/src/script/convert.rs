//! From script values back to JSON: exact, bounded in size and depth, and closed to secrets
//! unless the caller opens it.

use rhai::{Dynamic, Map};
use secrecy::ExposeSecret;
use serde_json::{Number, Value};

use super::{json::Json, secret::Secret};

/// Weight all values of one result may have together: their text plus [`NODE`] per value.
pub(super) const MAX_OUTPUT: usize = 64 << 20;
/// Nesting a result may have. JSON readers stop at 128; envelopes around it need some of that.
pub(super) const MAX_DEPTH: usize = 120;
/// What one value weighs apart from its text: about what it takes in memory.
const NODE: usize = 32;

/// Converts the values of one call's result.
pub(super) struct Output {
    left: usize,
    reveal_secrets: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self::at_most(MAX_OUTPUT)
    }
}

impl Output {
    /// At most `weight`, and no secrets.
    pub(super) fn at_most(weight: usize) -> Self {
        Self { left: weight, reveal_secrets: false }
    }

    /// For what goes to the provider: at most `limit` of weight, and secrets in the clear.
    pub(super) fn to_provider(limit: usize) -> Self {
        Self { left: limit, reveal_secrets: true }
    }

    /// The JSON value a script value stands for; the error is a sentence for the author.
    pub(super) fn value(&mut self, value: Dynamic) -> Result<Value, String> {
        self.convert(value, 0)
    }

    fn convert(&mut self, value: Dynamic, depth: usize) -> Result<Value, String> {
        self.spend(NODE, depth)?;
        if value.is_unit() {
            return Ok(Value::Null);
        }
        if let Ok(flag) = value.as_bool() {
            return Ok(Value::Bool(flag));
        }
        if let Ok(integer) = value.as_int() {
            return Ok(integer.into());
        }
        if let Ok(float) = value.as_float() {
            return Number::from_f64(float)
                .map(Value::Number)
                .ok_or_else(|| format!("JSON has no number {float}"));
        }
        if value.is_string() || value.is_char() {
            let text = value.to_string();
            self.spend(text.len(), depth)?;
            return Ok(Value::String(text));
        }
        self.compound(value, depth)
    }

    fn compound(&mut self, value: Dynamic, depth: usize) -> Result<Value, String> {
        let value = match value.try_cast_result::<Json>() {
            Ok(json) => {
                self.weigh(json.value(), depth)?;
                return Ok(json.value().clone());
            }
            Err(other) => other,
        };
        let value = match value.try_cast_result::<Map>() {
            Ok(map) => return self.object(map, depth),
            Err(other) => other,
        };
        match value.try_cast_result::<Secret>() {
            Ok(secret) if self.reveal_secrets => {
                Ok(Value::String(secret.reveal().expose_secret().to_owned()))
            }
            Ok(_) => Err("a Secret cannot be put here".to_owned()),
            Err(other) => match other.into_array() {
                Ok(items) => items.into_iter().map(|item| self.convert(item, depth + 1)).collect(),
                Err(kind) => Err(format!("a value of type {kind} cannot become JSON")),
            },
        }
    }

    fn object(&mut self, map: Map, depth: usize) -> Result<Value, String> {
        map.into_iter()
            .map(|(key, value)| {
                self.spend(key.len(), depth)?;
                Ok((key.to_string(), self.convert(value, depth + 1)?))
            })
            .collect()
    }

    /// Accounts for a value that is about to be copied whole.
    fn weigh(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        self.spend(NODE, depth)?;
        match value {
            Value::String(text) => self.spend(text.len(), depth),
            Value::Array(items) => items.iter().try_for_each(|item| self.weigh(item, depth + 1)),
            Value::Object(members) => members.iter().try_for_each(|(key, value)| {
                self.spend(key.len(), depth)?;
                self.weigh(value, depth + 1)
            }),
            _ => Ok(()),
        }
    }

    fn spend(&mut self, weight: usize, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        self.left = self.left.checked_sub(weight).ok_or_else(|| "it is too large".to_owned())?;
        Ok(())
    }
}
