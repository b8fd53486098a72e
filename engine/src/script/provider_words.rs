//! What a provider says went wrong, in its own words: short, plain text, without markup.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Characters kept.
const MAX_LENGTH: usize = 500;

/// The message of an answer.
pub(super) fn of(json: Option<&Value>, text: &str) -> String {
    let words = match json {
        Some(json) => from_json(json).unwrap_or_else(|| json.to_string()),
        None => from_text(text),
    };
    if words.is_empty() {
        return "(no explanation: the body is empty)".to_owned();
    }
    shorten(&words)
}

/// Joins what common error formats put into well-known fields.
fn from_json(json: &Value) -> Option<String> {
    let parts: Vec<String> = match json {
        Value::String(text) => vec![fold(text)],
        Value::Array(items) => items.iter().filter_map(from_json).collect(),
        Value::Object(fields) => ["message", "error", "title", "error_description", "detail"]
            .iter()
            .filter_map(|name| fields.get(*name).and_then(from_json))
            .chain(fields.get("errors").and_then(details))
            .collect(),
        _ => return None,
    };
    let mut said: Vec<String> = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !said.iter().any(|earlier| earlier.contains(&part)) {
            said.push(part);
        }
    }
    (!said.is_empty()).then(|| said.join(": "))
}

/// A list of errors, or a map from field names to what is wrong with them.
fn details(errors: &Value) -> Option<String> {
    let list: Vec<String> = match errors {
        Value::Array(items) => items.iter().filter_map(detail).collect(),
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(field, wrong)| Some(format!("{field}: {}", from_json(wrong)?)))
            .collect(),
        other => return from_json(other),
    };
    (!list.is_empty()).then(|| list.join("; "))
}

/// One error; where it has no words, its code and the field it is about.
fn detail(error: &Value) -> Option<String> {
    from_json(error).or_else(|| {
        let parts: Vec<&str> = ["resource", "field", "code"]
            .iter()
            .filter_map(|name| error.get(name)?.as_str())
            .collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })
}

fn from_text(text: &str) -> String {
    static INVISIBLE: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"(?is)<!--.*?(-->|$)|<(script|style|head)\b.*?(</(script|style|head)\s*>|$)";
        Regex::new(pattern).expect("the pattern is well-formed")
    });
    static TAG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"<[^>]*>?").expect("the pattern is well-formed"));
    static TITLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?is)<title[^>]*>(.*?)</title").expect("the pattern is well-formed")
    });
    let start: String = text.trim_start().chars().take(200).collect();
    let start = start.to_ascii_lowercase();
    if !["<!doctype", "<html", "<head", "<body"].iter().any(|tag| start.contains(tag)) {
        return fold(&TAG.replace_all(text, " "));
    }
    let title =
        TITLE.captures(text).map_or("", |found| found.get(1).map_or("", |title| title.as_str()));
    let body = INVISIBLE.replace_all(text, " ");
    let body = fold(&unescape(&TAG.replace_all(&body, " ")));
    let title = fold(&unescape(title));
    let words = match (title.is_empty(), body.contains(&title)) {
        (true, _) | (_, true) => body,
        _ => format!("{title}. {body}"),
    };
    let words: String = words.trim_end_matches(". ").chars().take(400).collect();
    format!("an HTML page: \"{words}\"")
}

/// The few entities that occur in every page's text.
fn unescape(text: &str) -> String {
    [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// One line: runs of spaces and control characters become one space.
fn fold(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// At most so much of a message as is kept.
pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_LENGTH {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_LENGTH - 1).collect();
    short.push('…');
    short
}
