//! `hearken app reference`: docs/reference.md, made of the schemas and of the engine's own tables,
//! so that it is never out of date; a test compares them.

use std::fmt::Write as _;

use hearken_engine::{
    lint::Rule,
    script::reference::{GROUPS, entry_points, language_functions},
};
use serde_json::Value;

use super::schema;
use crate::cli::{exit::Exit, output::Output};

pub(super) fn run(output: Output) -> Exit {
    output.line(text().trim_end());
    Exit::Ok
}

fn text() -> String {
    let mut text = include_str!("reference/head.md").to_owned();
    text += "\n## app.yaml\n\nAn unknown key is a problem, told with the nearest known one.\n\n";
    keys(&mut text, schema::APP);
    text += "\n## Samples\n\nA file `samples/<name>.yaml` for each case.\n\n";
    keys(&mut text, schema::SAMPLE);
    entries(&mut text);
    functions(&mut text);
    codes(&mut text);
    text
}

/// Every key of a schema with what it means.
fn keys(text: &mut String, schema: &str) {
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    *text += "| key | takes | what |\n|---|---|---|\n";
    rows(text, "", &schema);
}

fn rows(text: &mut String, path: &str, schema: &Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let joint = if path.is_empty() { "" } else { "." };
        let is_list = property["type"] == "array";
        let full = format!("{path}{joint}{name}{}", if is_list { "[]" } else { "" });
        let needed = if required.iter().any(|one| one == name.as_str()) { " (needed)" } else { "" };
        let inner = if is_list { &property["items"] } else { property };
        let about = property["description"].as_str().or(inner["description"].as_str());
        let about = about.unwrap_or_default().replace('|', "\\|");
        let _ = writeln!(text, "| `{full}`{needed} | {} | {about} |", takes(property));
        rows(text, &full, inner);
    }
}

/// What a key takes, in a few words.
fn takes(schema: &Value) -> String {
    if let Some(options) = schema["enum"].as_array() {
        let options: Vec<String> =
            options.iter().filter_map(Value::as_str).map(|one| format!("`{one}`")).collect();
        return options.join(", ");
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds.first().and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    };
    match kind {
        "string" => "text".to_owned(),
        "integer" => match (&schema["minimum"], &schema["maximum"]) {
            (Value::Number(from), Value::Number(to)) => format!("a number, {from} to {to}"),
            _ => "a number".to_owned(),
        },
        "boolean" => "true or false".to_owned(),
        "array" => match takes(&schema["items"]).as_str() {
            "a mapping" => "a list of mappings".to_owned(),
            inner => format!("a list of {inner}"),
        },
        "object" => "a mapping".to_owned(),
        _ if schema["const"] == true => "true".to_owned(),
        _ => "anything".to_owned(),
    }
}

fn entries(text: &mut String) {
    *text += include_str!("reference/entries.md");
    for entry in entry_points().filter(|entry| entry.called) {
        let call = format!("{}({})", entry.name, entry.parameters.join(", "));
        let _ = writeln!(text, "| `{call}` | {} |", entry.about);
    }
}

fn functions(text: &mut String) {
    *text += "\n## Host functions\n";
    for group in GROUPS {
        let _ = write!(text, "\n### {}\n\n| written | what |\n|---|---|\n", group.title);
        for function in group.functions {
            let _ = writeln!(text, "| `{}` | {} |", function.call, function.about);
        }
    }
    *text += include_str!("reference/language.md");
    for (kind, names) in language_functions() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(text, "- On {kind}: {}.", names.join(", "));
    }
}

fn codes(text: &mut String) {
    *text += include_str!("reference/codes.md");
    for rule in Rule::ALL {
        let _ = writeln!(text, "| `{}` | {} | {} |", rule.code(), rule.level(), rule.why());
    }
}
