//! Credentials on their way in: checked without being repeated, then sealed for good.

use hearken_engine::{
    definition::Auth,
    schema::{Schema, Violation},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tracing::error;

use crate::{
    accounts::vault::Place,
    api::{auth::Caller, problem::Problem},
    context::Context,
    store::model::LinkedAccount,
};

fn violations(
    schema: Option<&Value>,
    value: &Map<String, Value>,
) -> Result<Vec<Violation>, Problem> {
    // A kind that asks for nothing takes nothing.
    let nothing = json!({ "type": "object", "additionalProperties": false });
    let schema = Schema::compile(schema.unwrap_or(&nothing)).map_err(|_| Problem::internal())?;
    Ok(schema.check(&Value::Object(value.clone())))
}

/// Checks an account's public facts against what its kind asks for.
pub(super) fn check_metadata(auth: &Auth, metadata: &Map<String, Value>) -> Result<(), Problem> {
    match violations(auth.metadata.as_ref(), metadata)? {
        none if none.is_empty() => Ok(()),
        violations => Err(Problem::violations("/metadata", violations)),
    }
}

/// Says what is wrong without repeating a credential, as other violations do.
pub(super) fn check_credentials(
    auth: &Auth,
    credentials: &Map<String, Value>,
) -> Result<(), Problem> {
    let mut violations = violations(auth.credentials.as_ref(), credentials)?;
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

/// Seals an account's credentials to its row.
pub(super) fn seal(
    context: &Context,
    caller: &Caller,
    id: &str,
    credentials: &Map<String, Value>,
) -> String {
    let text = SecretString::from(Value::Object(credentials.clone()).to_string());
    context.vault.seal(place(id, &caller.project_id), &text)
}

fn place<'a>(id: &'a str, project: &'a str) -> Place<'a> {
    Place { table: "linked_accounts", column: "credentials", row: id, project }
}

/// The names of the credentials an account holds.
pub(super) fn credential_fields(context: &Context, account: &LinkedAccount) -> Vec<String> {
    let opened = context.vault.open(place(&account.id, &account.project_id), &account.credentials);
    let read = |text: SecretString| {
        serde_json::from_str::<Map<String, Value>>(text.expose_secret()).map_err(|_| ())
    };
    if let Ok(fields) = opened.map_err(|_| ()).and_then(read) {
        return fields.into_iter().map(|(name, _)| name).collect();
    }
    error!(account = %account.id, "its credentials do not open; was the master key changed?");
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(schema: &Value) -> Auth {
        let kind = json!({ "kind": "token", "title": "Token", "credentials": schema });
        serde_json::from_value(kind).unwrap_or_else(|error| unreachable!("a sound kind: {error}"))
    }

    #[test]
    fn a_wrong_credential_is_named_and_never_repeated() {
        let auth = auth(&json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["token", "user"],
            "properties": {
                "token": { "type": "string", "pattern": "^tok_", "maxLength": 20 },
                "user": { "enum": ["a", "b"] },
            },
        }));
        let secret = "s3cret-".repeat(20);
        for credentials in [
            json!({ "token": secret, "user": secret }),
            json!({ "token": [secret], "user": { "deep": secret } }),
            json!({ "token": "s3cret", "user": 5_318_008 }),
        ] {
            let credentials = credentials.as_object().cloned().unwrap_or_default();
            let told = check_credentials(&auth, &credentials);
            let shown = format!("{told:?}");
            assert!(shown.contains("/credentials/token"), "{shown}");
            assert!(shown.contains("/credentials/user"), "{shown}");
            assert!(!shown.contains("s3cret") && !shown.contains("5318008"), "{shown}");
        }
        let missing = format!("{:?}", check_credentials(&auth, &Map::new()));
        assert!(missing.contains("`token` is missing"), "{missing}");
    }
}
