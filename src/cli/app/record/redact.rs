//! Masking parts of a body: everywhere they occur, with the rest byte for byte as it was.

use anyhow::{Context as _, anyhow};
use hearken_engine::filter;
use serde_json::Value;

/// Shorter texts are masked only as whole values: they occur within others by chance.
const SHORTEST: usize = 4;

/// The body with what the paths select masked.
pub(super) fn body(body: Vec<u8>, paths: &[String]) -> anyhow::Result<Vec<u8>> {
    if paths.is_empty() {
        return Ok(body);
    }
    let not_json = || anyhow!("only JSON bodies can be masked; leave out --redact");
    let mut text = String::from_utf8(body).map_err(|_| not_json())?;
    let json: Value = serde_json::from_str(&text).map_err(|_| not_json())?;
    for path in paths {
        let selected = filter::select(path, &json).with_context(|| format!("--redact {path}"))?;
        if selected.is_empty() {
            return Err(anyhow!("--redact {path} selects nothing in this body"));
        }
        let mut leaves = Vec::new();
        for value in &selected {
            collect(value, &mut leaves);
        }
        for leaf in leaves {
            text = mask(&text, &leaf).ok_or_else(|| {
                anyhow!("what --redact {path} selects cannot be found in the text")
            })?;
        }
    }
    Ok(text.into_bytes())
}

fn collect(value: &Value, leaves: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, leaves)),
        Value::Object(members) => members.values().for_each(|member| collect(member, leaves)),
        Value::Null | Value::Bool(_) => {}
        Value::String(text) if text.is_empty() => {}
        leaf => leaves.push(leaf.clone()),
    }
}

/// The text with every occurrence of a value masked; nothing if there is none left to mask.
fn mask(text: &str, leaf: &Value) -> Option<String> {
    let written = leaf.to_string();
    match leaf.as_str() {
        Some(plain) => {
            let stand_in = stand_in(plain);
            if plain == stand_in {
                return Some(text.to_owned());
            }
            let inside = &written[1..written.len() - 1];
            // Some writers escape what needs no escaping.
            let slashes = inside.replace('/', "\\/");
            let found = [inside, &slashes].into_iter().find(|inside| text.contains(*inside));
            // Masked already, as part of something else.
            let Some(inside) = found else {
                return Some(text.to_owned()).filter(|_| !written.contains('\\'));
            };
            Some(if plain.len() >= SHORTEST {
                text.replace(inside, stand_in)
            } else {
                text.replace(&written, &format!("\"{stand_in}\""))
            })
        }
        None => Some(replace_number(text, &written)),
    }
}

fn stand_in(text: &str) -> &'static str {
    if text.contains('@') { "someone@example.com" } else { "redacted" }
}

/// Puts zeros for a number wherever it stands alone.
fn replace_number(text: &str, number: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(number) {
        let (before, after) = (&rest[..at], &rest[at + number.len()..]);
        let alone = !before.ends_with(part) && !after.starts_with(part);
        let start = masked.ends_with(part) && before.is_empty();
        masked.push_str(before);
        masked.push_str(if alone && !start { "0" } else { number });
        rest = after;
    }
    masked + rest
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    fn redacted(text: &str, path: &str) -> String {
        let masked = body(text.as_bytes().to_vec(), &[path.to_owned()]).unwrap();
        String::from_utf8(masked).unwrap()
    }

    #[test]
    fn values_are_masked_wherever_they_stand() {
        let text =
            r#"{ "to":"jane@acme.example", "text": "Dear jane@acme.example", "n":12, "m":123 }"#;
        assert_eq!(
            redacted(text, "$.to"),
            r#"{ "to":"someone@example.com", "text": "Dear someone@example.com", "n":12, "m":123 }"#
        );
        assert_eq!(
            redacted(text, "$.n"),
            r#"{ "to":"jane@acme.example", "text": "Dear jane@acme.example", "n":0, "m":123 }"#
        );
        assert_eq!(
            redacted(r#"{"u":{"a":"secret\/1","b":[true]}}"#, "$.u"),
            r#"{"u":{"a":"redacted","b":[true]}}"#
        );
    }

    #[test]
    fn what_cannot_be_masked_is_an_error() {
        for (text, path) in [("{}", "$.a"), ("a=b", "$.a"), ("{\"a\":1}", "a[")] {
            assert!(body(text.as_bytes().to_vec(), &[path.to_owned()]).is_err(), "{text} {path}");
        }
    }
}
