//! Credentials on their way in: checked without being repeated.

use hearken_engine::schema::{Schema, Violation};
use serde_json::{Map, Value, json};

use super::problem::Problem;

fn violations(
    schema: Option<&Value>,
    value: &Map<String, Value>,
) -> Result<Vec<Violation>, Problem> {
    // What asks for nothing takes nothing.
    let nothing = json!({ "type": "object", "additionalProperties": false });
    let schema = Schema::compile(schema.unwrap_or(&nothing)).map_err(|_| Problem::internal())?;
    Ok(schema.check(&Value::Object(value.clone())))
}

/// Checks public facts against the schema of what they belong to.
pub(super) fn check_metadata(
    schema: Option<&Value>,
    metadata: &Map<String, Value>,
) -> Result<(), Problem> {
    match violations(schema, metadata)? {
        none if none.is_empty() => Ok(()),
        violations => Err(Problem::violations("/metadata", violations)),
    }
}

/// Says what is wrong without repeating a credential, as other violations do.
pub(super) fn check_credentials(
    schema: Option<&Value>,
    credentials: &Map<String, Value>,
) -> Result<(), Problem> {
    let mut violations = violations(schema, credentials)?;
    let repeats = |text: &str| credentials.values().any(|value| mentions(text, value));
    for violation in violations.iter_mut().filter(|violation| repeats(&violation.message)) {
        "does not have the form that the app asks for".clone_into(&mut violation.message);
    }
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Problem::violations("/credentials", violations))
    }
}

/// Whether `text` contains the beginning of any text or number in `value`.
fn mentions(text: &str, value: &Value) -> bool {
    let begins = |secret: &str| {
        let beginning: String = secret.chars().take(8).collect();
        !beginning.is_empty() && text.contains(&beginning)
    };
    match value {
        Value::String(secret) => begins(secret),
        Value::Number(number) => begins(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| mentions(text, item)),
        Value::Object(fields) => fields.values().any(|field| mentions(text, field)),
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_credential_is_named_and_never_repeated() {
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["token", "user"],
            "properties": {
                "token": { "type": "string", "pattern": "^tok_", "maxLength": 20 },
                "user": { "enum": ["a", "b"] },
            },
        });
        let secret = "s3cret-".repeat(20);
        for credentials in [
            json!({ "token": secret, "user": secret }),
            json!({ "token": [secret], "user": { "deep": secret } }),
            json!({ "token": "s3cret", "user": 5_318_008 }),
        ] {
            let credentials = credentials.as_object().cloned().unwrap_or_default();
            let told = check_credentials(Some(&schema), &credentials);
            let shown = format!("{told:?}");
            assert!(shown.contains("/credentials/token"), "{shown}");
            assert!(shown.contains("/credentials/user"), "{shown}");
            assert!(!shown.contains("s3cret") && !shown.contains("5318008"), "{shown}");
        }
        let missing = format!("{:?}", check_credentials(Some(&schema), &Map::new()));
        assert!(missing.contains("`token` is missing"), "{missing}");
    }
}
