//! What a registration call tells the pretend provider: where to deliver, and with which secret.

use hearken_engine::definition::{Generate, SecretEncoding};
use serde_json::Value;

/// The text in `request` that is a URL of the server.
pub(super) fn callback(request: &Value, public_url: &str) -> Option<String> {
    let prefix = format!("{public_url}/v1/webhooks/");
    let found = texts(request).into_iter().find(|text| text.starts_with(&prefix));
    found.map(str::to_owned)
}

/// The text in `request` that has the form of a generated secret.
pub(super) fn secret(request: &Value, generate: &Generate) -> Option<String> {
    let found = texts(request).into_iter().find(|text| has_form(text, generate));
    found.map(str::to_owned)
}

fn has_form(text: &str, generate: &Generate) -> bool {
    let (length, fits): (_, fn(char) -> bool) = match generate.encoding {
        SecretEncoding::Hex => (2 * generate.bytes, |c| c.is_ascii_hexdigit()),
        SecretEncoding::Base64 => (generate.bytes.div_ceil(3) * 4, |c| {
            c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
        }),
        SecretEncoding::Base64Url => ((generate.bytes * 4).div_ceil(3), |c| {
            c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
        }),
    };
    text.len() == length && text.chars().all(fits)
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// A new id of the same form: a UUID for a UUID, as many digits for a number.
pub(super) fn fresh(id: &str) -> String {
    if uuid::Uuid::try_parse(id).is_ok() {
        return uuid::Uuid::now_v7().to_string();
    }
    let digit = |index: usize, c: char| match c {
        '0'..='9' if index == 0 => char::from(b'1' + rand::random_range(0..9)),
        '0'..='9' => char::from(b'0' + rand::random_range(0..10)),
        _ => c,
    };
    let renewed: String = id.char_indices().map(|(index, c)| digit(index, c)).collect();
    if renewed == id { format!("{id}-{}", rand::random_range(1000..10_000)) } else { renewed }
}
