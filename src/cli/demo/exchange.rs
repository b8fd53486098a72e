//! A recorded call to a provider's API and its answer, and how it is played to a similar call.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

/// What is said in place of what the sample says: the caller's own values.
pub(super) type Substitutes = BTreeMap<String, String>;

/// A recorded call and its answer.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    method: String,
    segments: Vec<String>,
    request: Value,
    /// The subscription's id in the recording.
    pub(super) external_id: Option<String>,
    /// HTTP status of the answer.
    pub(super) status: u16,
    /// Header fields of the answer.
    pub(super) headers: BTreeMap<String, String>,
    /// Body of the answer: JSON, or text in a JSON string.
    body: Option<Value>,
    is_text: bool,
}

impl Exchange {
    /// Reads an exchange of a sample; nothing where it has another form.
    pub(super) fn read(
        recorded: &Value,
        base_url: &str,
        external_id: Option<&str>,
    ) -> Option<Self> {
        let (request, response) = (recorded.get("request")?, recorded.get("response")?);
        let sent = request.get("json").or(request.get("form"));
        let text = response.get("text");
        let headers = response.get("headers").and_then(Value::as_object);
        let header =
            |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        Some(Self {
            method: request.get("method")?.as_str()?.to_owned(),
            segments: below(request.get("url")?.as_str()?, base_url),
            request: sent.cloned().unwrap_or_default(),
            external_id: external_id.map(str::to_owned),
            status: u16::try_from(response.get("status")?.as_u64()?).ok()?,
            headers: headers.into_iter().flatten().filter_map(header).collect(),
            body: response.get("json").or(text).cloned(),
            is_text: text.is_some(),
        })
    }

    /// How well a call fits: the number of path segments, and then of values in its body, that are
    /// the same. Where everything has one path, only the body tells calls apart.
    pub(super) fn fit(
        &self,
        method: &str,
        segments: &[&str],
        request: &Value,
    ) -> Option<(usize, usize)> {
        let same_form = self.method == method && self.segments.len() == segments.len();
        let same = self.segments.iter().zip(segments).filter(|(one, other)| one == *other).count();
        (same_form && same > 0).then(|| (same, alike(&self.request, request)))
    }

    /// Where a call differs from the recorded one: its values by those of the recording.
    pub(super) fn differences(&self, segments: &[&str], request: &Value) -> Substitutes {
        let mut found = Substitutes::new();
        let paths = self.segments.iter().zip(segments).filter(|(one, other)| one != *other);
        found.extend(paths.map(|(recorded, actual)| (recorded.clone(), (*actual).to_owned())));
        compare(&self.request, request, &mut found);
        found
    }

    /// The recorded body with the caller's values.
    pub(super) fn answer(&self, substitutes: &Substitutes) -> String {
        match &self.body {
            None => String::new(),
            Some(Value::String(text)) if self.is_text => text.clone(),
            Some(body) => substitute(body, substitutes).to_string(),
        }
    }
}

/// The path segments of `url` that follow those of `base_url`.
fn below(url: &str, base_url: &str) -> Vec<String> {
    let segments = |url: &str| -> Vec<String> {
        let parsed = Url::parse(url).ok();
        let segments = parsed.as_ref().and_then(Url::path_segments);
        segments.into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (own, base) = (segments(url), segments(base_url));
    own.strip_prefix(base.as_slice()).map_or_else(|| own.clone(), <[String]>::to_vec)
}

/// The number of values that stand at the same place in both and are the same.
fn alike(recorded: &Value, actual: &Value) -> usize {
    match (recorded, actual) {
        (Value::Object(recorded), Value::Object(actual)) => {
            let both = recorded.iter().filter_map(|(name, value)| Some((value, actual.get(name)?)));
            both.map(|(one, other)| alike(one, other)).sum()
        }
        (Value::Array(recorded), Value::Array(actual)) => {
            recorded.iter().zip(actual).map(|(one, other)| alike(one, other)).sum()
        }
        _ => usize::from(recorded == actual),
    }
}

/// Collects the texts that stand at the same place in both and differ.
fn compare(recorded: &Value, actual: &Value, found: &mut Substitutes) {
    match (recorded, actual) {
        (Value::Object(recorded), Value::Object(actual)) => {
            for (name, value) in recorded {
                compare(value, actual.get(name).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(recorded), Value::Array(actual)) => {
            recorded.iter().zip(actual).for_each(|(one, other)| compare(one, other, found));
        }
        (Value::String(recorded), Value::String(actual)) if recorded != actual => {
            found.insert(recorded.clone(), actual.clone());
        }
        _ => {}
    }
}

/// `value` with whole texts and numbers replaced.
fn substitute(value: &Value, substitutes: &Substitutes) -> Value {
    match value {
        Value::Object(fields) => {
            let fields =
                fields.iter().map(|(name, value)| (name.clone(), substitute(value, substitutes)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => items.iter().map(|item| substitute(item, substitutes)).collect(),
        Value::String(text) => Value::from(substitutes.get(text).unwrap_or(text).as_str()),
        Value::Number(number) => {
            let other =
                substitutes.get(&number.to_string()).and_then(|text| text.parse::<i64>().ok());
            other.map_or_else(|| value.clone(), Value::from)
        }
        _ => value.clone(),
    }
}
