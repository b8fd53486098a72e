//! Reading the maps that functions return: unknown keys and wrong types are errors that name the
//! key, never ignored.

use rhai::{Dynamic, Map};
use secrecy::SecretString;
use serde_json::Value;

use super::{convert::Output, json::Json, moment, secret::Secret, web::Response};
use crate::Micros;

/// A map that must have no other than known keys.
pub(super) struct Record {
    /// What it describes, for messages: `register()` or `event 2`.
    what: String,
    fields: Map,
}

impl Record {
    /// Takes a map apart; the error is a sentence for the author, as with all of these functions.
    pub(super) fn new(what: &str, value: Dynamic, known: &[&str]) -> Result<Self, String> {
        let kind = kind_of(&value);
        let fields = value.try_cast::<Map>().ok_or_else(|| {
            format!("{what} must be a map `#{{{}}}`, not {kind}", known.join(", "))
        })?;
        if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!(
                "{what} has an unknown key `{unknown}`{}",
                nearest(unknown, known)
            ));
        }
        Ok(Self { what: what.to_owned(), fields })
    }

    fn take(&mut self, key: &str) -> Option<Dynamic> {
        self.fields.remove(key).filter(|value| !value.is_unit())
    }

    /// Whether the key is there, be it with a value or with `()`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    fn wrong(&self, key: &str, expected: &str, value: &Dynamic) -> String {
        let kind = kind_of(value);
        format!("`{key}` of {} must be {expected}, not {kind}", self.what)
    }

    /// An array; empty where absent.
    pub(super) fn list(&mut self, key: &str) -> Result<Vec<Dynamic>, String> {
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        if !value.is_array() {
            return Err(self.wrong(key, "an array", &value));
        }
        Ok(value.into_array().unwrap_or_default())
    }

    /// A text; whole numbers count as their digits. Empty counts as absent.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        match plain_text(&value) {
            Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            None => Err(self.wrong(key, "a text or a whole number", &value)),
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, key: &str) -> Result<String, String> {
        self.text(key)?
            .ok_or_else(|| format!("{} must have a `{key}`, and it is missing", self.what))
    }

    /// A text or a secret.
    pub(super) fn secret(&mut self, key: &str) -> Result<Option<SecretString>, String> {
        if let Some(secret) = self.fields.get(key).and_then(Dynamic::read_lock::<Secret>) {
            return Ok(Some(secret.reveal().clone()));
        }
        Ok(self.text(key)?.map(SecretString::from))
    }

    /// A flag; `default` where absent.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> Result<bool, String> {
        match self.take(key) {
            None => Ok(default),
            Some(value) => value.as_bool().map_err(|_| self.wrong(key, "true or false", &value)),
        }
    }

    /// A whole number of seconds, at least one.
    pub(super) fn seconds(&mut self, key: &str) -> Result<Option<u32>, String> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
        let wrong = || format!("`{key}` of {} must be a whole number of seconds", self.what);
        seconds.map(Some).ok_or_else(wrong)
    }

    /// A point in time.
    pub(super) fn moment(&mut self, key: &str) -> Result<Option<Micros>, String> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        let expected = "a time: RFC 3339, or seconds or milliseconds since 1970";
        let moment = match (value.as_int(), value.as_float()) {
            (Ok(number), _) => moment::from_integer(number),
            (_, Ok(number)) => moment::parse(&format!("{number:.6}")),
            _ => value.clone().into_string().ok().and_then(|text| moment::parse(&text)),
        };
        match (moment, value.is_string()) {
            (Some(moment), _) => Ok(Some(moment)),
            (None, true) => Err(format!(
                "`{key}` of {} must be {expected}, not {:?}",
                self.what,
                super::natives::text(&value).chars().take(60).collect::<String>()
            )),
            (None, false) => Err(self.wrong(key, expected, &value)),
        }
    }

    /// Any JSON; null where absent.
    pub(super) fn json(&mut self, key: &str, output: &mut Output) -> Result<Value, String> {
        match self.take(key) {
            None => Ok(Value::Null),
            Some(value) => output
                .value(value)
                .map_err(|error| format!("`{key}` of {} cannot be kept: {error}", self.what)),
        }
    }
}

/// A text, or a whole number as text, also one that only a JSON document can hold.
fn plain_text(value: &Dynamic) -> Option<String> {
    if value.is_string() || value.is_int() || value.is_char() {
        return Some(value.to_string());
    }
    match value.read_lock::<Json>()?.value() {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// How a value's type is called towards authors.
fn kind_of(value: &Dynamic) -> &'static str {
    match value {
        value if value.is_unit() => "()",
        value if value.is_string() => "a text",
        value if value.is_int() => "a whole number",
        value if value.is_float() => "a number with a fraction",
        value if value.is_bool() => "true or false",
        value if value.is_array() => "an array",
        value if value.is_map() => "a map",
        value if value.is::<Json>() => "JSON",
        value if value.is::<Secret>() => "a Secret",
        value if value.is::<Response>() => "an HTTP answer",
        _ => "a value of another type",
    }
}

/// `; did you mean …?` where one of the known names is close.
pub(super) fn nearest(name: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 2.min(candidate.len() / 2))
        .map_or_else(
            || format!("; known are {}", known.join(", ")),
            |(_, candidate)| format!("; did you mean `{candidate}`?"),
        )
}
