//! JSON Schema, compiled once, with violations told as sentences. The only file that names the
//! schema library. A schema never reaches the network or the file system: remote references are
//! refused, and patterns run on an engine whose time grows no faster than the input.

use jsonschema::{
    Draft, PatternOptions, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde::Serialize;
use serde_json::Value;

use crate::nearest::did_you_mean;

/// Largest accepted schema, as JSON text in bytes.
const SCHEMA_BYTES: usize = 256 << 10;
/// Known keys that are listed beside an unknown one.
const KEYS: usize = 20;
/// Largest compiled pattern in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// One place where an instance does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// JSON pointer into the instance.
    pub pointer: String,
    /// What is wrong there, in one sentence.
    pub message: String,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// JSON pointer into the schema.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    source: Value,
    validator: Validator,
}

impl Schema {
    /// Compiles a schema of draft 2020-12.
    pub fn compile(source: &Value) -> Result<Self, SchemaError> {
        if source.to_string().len() > SCHEMA_BYTES {
            let message = format!("the schema is larger than {} KiB", SCHEMA_BYTES >> 10);
            return Err(SchemaError { pointer: String::new(), message });
        }
        let patterns =
            PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .with_pattern_options(patterns)
            .offline()
            .build(source)
            .map_err(|error| SchemaError {
                pointer: error.instance_path().to_string(),
                message: format!("not a valid JSON Schema: {}", of_schema(&error)),
            })?;
        Ok(Self { source: source.clone(), validator })
    }

    /// Every violation of the schema by `instance`; empty when it fits.
    pub fn check(&self, instance: &Value) -> Vec<Violation> {
        let mut violations = Vec::new();
        for error in self.validator.iter_errors(instance) {
            self.explain(&error, &mut violations);
        }
        violations.dedup();
        violations
    }

    fn explain(&self, error: &ValidationError<'_>, violations: &mut Vec<Violation>) {
        let pointer = error.instance_path().to_string();
        let mut note = |pointer: String, message: String| {
            violations.push(Violation { pointer, message });
        };
        match error.kind() {
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let known = self.siblings(error);
                for key in unexpected {
                    let mut hint = did_you_mean(key, known.iter().map(String::as_str));
                    if hint.is_empty() && (1..=KEYS).contains(&known.len()) {
                        hint = format!("; known here: `{}`", known.join("`, `"));
                    }
                    note(member(&pointer, key), format!("unknown key `{key}`{hint}"));
                }
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let about = self.about(error, &format!("/properties/{name}"));
                note(member(&pointer, name), format!("`{name}` is missing{about}"));
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                // The branch that fits best is the one that was meant.
                let closest = context.iter().min_by_key(|branch| branch.len());
                for error in closest.into_iter().flatten() {
                    self.explain(error, violations);
                }
            }
            Kind::Pattern { .. } => {
                note(pointer, sentence(error) + &self.about(error, ""));
            }
            _ => note(pointer, sentence(error)),
        }
    }

    /// What the schema itself says of the node at `path` beside the keyword that failed.
    fn about(&self, error: &ValidationError<'_>, path: &str) -> String {
        let keyword = error.schema_path().to_string();
        let schema = keyword.rsplit_once('/').map_or("", |(schema, _)| schema);
        let about = self.source.pointer(&format!("{schema}{path}/description"));
        let about = about.and_then(Value::as_str).unwrap_or_default();
        if about.is_empty() { String::new() } else { format!(" ({})", about.trim_end_matches('.')) }
    }

    /// The keys known beside an unknown one.
    fn siblings(&self, error: &ValidationError<'_>) -> Vec<String> {
        let path = error.schema_path().to_string();
        let object = path.rsplit_once('/').map_or("", |(object, _)| object);
        let properties = self.source.pointer(&format!("{object}/properties"));
        properties
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|map| map.keys().cloned())
            .collect()
    }
}

/// The pointer of a member of the object at `pointer`.
pub(crate) fn member(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn sentence(error: &ValidationError<'_>) -> String {
    let found = error.instance();
    match error.kind() {
        Kind::Type { kind } => format!("expected {}, found {}", expected(kind), kind_of(found)),
        Kind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let names: Vec<String> =
                options.iter().map(|option| format!("`{}`", plain(option))).collect();
            let hint = found.as_str().map_or_else(String::new, |found| {
                did_you_mean(found, options.iter().filter_map(Value::as_str))
            });
            format!("`{}` is not one of {}{hint}", plain(found), names.join(", "))
        }
        Kind::Constant { expected_value } => format!("expected `{}`", plain(expected_value)),
        Kind::Pattern { pattern } => match prefix(pattern) {
            Some(prefix) => format!("`{}` must begin with `{prefix}`", plain(found)),
            None => format!("`{}` does not have the form {pattern}", plain(found)),
        },
        Kind::Format { format } => {
            let such_as = match format.as_str() {
                "date" => ", such as 2026-11-24",
                "date-time" => ", such as 2026-11-24T10:00:00Z",
                "uri" => ", such as https://acme.example",
                _ => "",
            };
            format!("`{}` is not a valid {format}{such_as}", plain(found))
        }
        Kind::Minimum { limit } => format!("{found} is too small; give {limit} at least"),
        Kind::Maximum { limit } => format!("{found} is too large; give {limit} at most"),
        Kind::MaxProperties { limit: 1 } => "only one of these keys may be given".to_owned(),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinItems { limit: 1 } => "must have at least one entry".to_owned(),
        Kind::OneOfMultipleValid { .. } => {
            "fits more than one of the allowed forms; give one of them".to_owned()
        }
        Kind::Not { .. } => "this combination is not allowed".to_owned(),
        _ => error.to_string(),
    }
}

/// The text that a pattern only wants at the beginning.
fn prefix(pattern: &str) -> Option<&str> {
    let prefix = pattern.strip_prefix('^')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ":/-_".contains(c);
    prefix.chars().all(plain).then_some(prefix)
}

/// What is wrong with a schema, which itself is checked against a schema.
fn of_schema(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let mut branches = context.iter().flatten();
            let named = branches.find(|branch| matches!(branch.kind(), Kind::Enum { .. }));
            named.map_or_else(|| error.to_string(), sentence)
        }
        Kind::Referencing(_) => {
            "a `$ref` leads elsewhere; copy what it refers to into `$defs`, and \
                                 refer to it with `#/$defs/name`"
                .to_owned()
        }
        _ => sentence(error),
    }
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => in_words(&one.to_string()).to_owned(),
        TypeKind::Multiple(set) => {
            let names: Vec<String> =
                set.iter().map(|one| in_words(&one.to_string()).to_owned()).collect();
            names.join(" or ")
        }
    }
}

fn in_words(name: &str) -> &str {
    match name {
        "string" => "text",
        "number" => "a number",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        "null" => "nothing",
        other => other,
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A value as a person would write it, cut short.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() > 60 { text.chars().take(60).chain(['…']).collect() } else { text }
}
