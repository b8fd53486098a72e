//! Checks that what the definition says of accounts, of the provider's app and of the secret fits
//! together.

use serde_json::Value;

use super::Checks;
use crate::{
    definition::{Auth, AuthKind, Definition, SecretScope},
    nearest::did_you_mean,
};

/// What OAuth2 needs of the app registered at the provider.
const CLIENT: [&str; 2] = ["client_id", "client_secret"];

impl Checks<'_> {
    pub(super) fn accord(&mut self, definition: &Definition) {
        for (index, auth) in definition.auth.iter().enumerate() {
            self.auth(index, auth, definition);
        }
        self.secret(definition);
    }

    fn auth(&mut self, index: usize, auth: &Auth, definition: &Definition) {
        let at = |field: &str| format!("/auth/{index}/{field}");
        let is_flow = auth.kind == AuthKind::OAuth2;
        if is_flow && auth.oauth2.is_none() {
            let hint = "Say under `oauth2` its `authorize_url` and `token_url`.".to_owned();
            self.note(&at("kind"), "the endpoints of the OAuth2 flow are missing", Some(hint));
        }
        if !is_flow && auth.oauth2.is_some() {
            let hint = "Write `kind: oauth2`, or remove them.".to_owned();
            let message = "endpoints of OAuth2 belong to accounts of that kind";
            self.note(&at("oauth2"), message, Some(hint));
        }
        if is_flow {
            self.client(index, definition);
        }
        let Some(name) = &auth.identified_by else { return };
        let known = properties(auth.metadata.as_ref());
        if !known.contains(&name.as_str()) {
            let near = did_you_mean(name, known.into_iter());
            let message = format!("accounts have no public fact `{name}`{near}");
            let hint = "Add it to the properties of `metadata`.".to_owned();
            self.note(&at("identified_by"), message, Some(hint));
        }
    }

    /// An OAuth2 flow is that of a client.
    fn client(&mut self, index: usize, definition: &Definition) {
        let Some(app) = &definition.provider_app else {
            let hint = "Say under `provider_app` what an operator registers at the provider.";
            let message = "OAuth2 needs an app that is registered at the provider";
            self.note(&format!("/auth/{index}/kind"), message, Some(hint.to_owned()));
            return;
        };
        let known = properties(app.credentials.as_ref());
        for name in CLIENT.iter().filter(|name| !known.contains(name)) {
            let message = format!("OAuth2 needs the credential `{name}` of the provider's app");
            let hint = "Add it to the properties of these `credentials`.".to_owned();
            self.note("/provider_app/credentials", message, Some(hint));
        }
    }

    fn secret(&mut self, definition: &Definition) {
        let secret = &definition.secret;
        if secret.scope != SecretScope::Trigger && secret.generate.is_some() {
            let message = "only a trigger's own secret is made here";
            let hint = "Remove it, or write `scope: trigger`.".to_owned();
            self.note("/secret/generate", message, Some(hint));
        }
        let Some(field) = &secret.field else { return };
        let of_accounts =
            definition.auth.iter().flat_map(|auth| properties(auth.credentials.as_ref()));
        let app = definition.provider_app.as_ref().and_then(|app| app.credentials.as_ref());
        let known: Vec<&str> = match secret.scope {
            SecretScope::Trigger => Vec::new(),
            SecretScope::Account => of_accounts.collect(),
            SecretScope::App => of_accounts.chain(properties(app)).collect(),
        };
        let (message, hint) = match secret.scope {
            SecretScope::Trigger => (
                "a trigger's own secret is no field of anything".to_owned(),
                "Write `scope: account` or `scope: app`, or remove it.".to_owned(),
            ),
            _ if known.contains(&field.as_str()) => return,
            _ => (
                format!(
                    "there is no credential `{field}`{}",
                    did_you_mean(field, known.into_iter())
                ),
                "Add it to the properties of `credentials`.".to_owned(),
            ),
        };
        self.note("/secret/field", message, Some(hint));
    }
}

/// The names a JSON Schema of an object knows.
fn properties(schema: Option<&Value>) -> Vec<&str> {
    let properties = schema.and_then(|schema| schema["properties"].as_object());
    properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}
