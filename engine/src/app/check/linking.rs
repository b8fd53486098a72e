//! Whether accounts can be linked as the definition says: credentials, provider app, flows, and
//! whose secret verifies.

use serde_json::Value;

use super::Checks;
use crate::{
    definition::{Auth, AuthKind, Definition, OAuth2, ProviderApp, SecretScope},
    schema::Schema,
};

/// What stands beside an account's credentials in scripts, and would be hidden by one.
const TAKEN: [&str; 5] = ["kind", "id", "metadata", "base_url", "provider_app"];
/// What every OAuth2 client needs (RFC 6749, section 2.3.1).
const CLIENT: [&str; 2] = ["client_id", "client_secret"];

impl Checks<'_> {
    /// Checks `auth`, `provider_app` and `secret` against each other.
    pub(super) fn linking(&mut self, definition: &Definition) {
        for (index, auth) in definition.auth.iter().enumerate() {
            let pointer = format!("/auth/{index}");
            self.credentials(&pointer, auth.credentials.as_ref(), auth.metadata.as_ref());
            self.identity(&pointer, auth);
            self.flow(&pointer, auth, definition.provider_app.as_ref());
        }
        if let Some(ProviderApp { credentials, metadata, .. }) = &definition.provider_app {
            self.credentials("/provider_app", credentials.as_ref(), metadata.as_ref());
        }
        self.api(definition);
        self.secret(definition);
    }

    fn credentials(
        &mut self,
        pointer: &str,
        credentials: Option<&Value>,
        metadata: Option<&Value>,
    ) {
        for (name, schema) in [("credentials", credentials), ("metadata", metadata)] {
            let Some(schema) = schema else { continue };
            if let Err(error) = Schema::compile(schema) {
                self.note(&format!("{pointer}/{name}{}", error.pointer), error.message, None);
            }
        }
        for name in TAKEN.iter().filter(|name| property(credentials, name).is_some()) {
            let place = format!("{pointer}/credentials/properties/{name}");
            let message =
                format!("a credential cannot be named `{name}`: scripts find another thing there");
            self.note(&place, message, Some("Give it another name.".to_owned()));
        }
    }

    fn identity(&mut self, pointer: &str, auth: &Auth) {
        let Some(name) = &auth.identified_by else { return };
        if property(auth.metadata.as_ref(), name).is_none() {
            let known = properties(auth.metadata.as_ref());
            let hint = crate::nearest::did_you_mean(name, known);
            let message = format!("`metadata` has no property `{name}`{hint}");
            let hint = "Name one of its properties, or add it there.".to_owned();
            self.note(&format!("{pointer}/identified_by"), message, Some(hint));
        }
    }

    fn flow(&mut self, pointer: &str, auth: &Auth, provider_app: Option<&ProviderApp>) {
        let oauth2 = match (auth.kind == AuthKind::OAuth2, &auth.oauth2) {
            (false, None) => return,
            (false, Some(_)) => {
                let message = "only the kind `oauth2` has a flow";
                let hint = "Write `kind: oauth2`, or remove it.".to_owned();
                return self.note(&format!("{pointer}/oauth2"), message, Some(hint));
            }
            (true, None) => {
                let hint = "Give `authorize_url` and `token_url` under `oauth2`.".to_owned();
                return self.note(pointer, "the flow's endpoints are missing", Some(hint));
            }
            (true, Some(oauth2)) => oauth2,
        };
        if auth.credentials.is_some() {
            let message = "an account linked by OAuth2 has its tokens and no other credentials";
            let hint =
                "Remove them; what else is needed of an account goes into `metadata`.".to_owned();
            self.note(&format!("{pointer}/credentials"), message, Some(hint));
        }
        let Some(provider_app) = provider_app else {
            let hint = "Describe it under `provider_app`, with `client_id` and `client_secret`.";
            let message = "OAuth2 needs an app registered at the provider, and none is described";
            return self.note(pointer, message, Some(hint.to_owned()));
        };
        for name in CLIENT {
            // Not always demanded: accounts may be linked in other ways, too.
            if property(provider_app.credentials.as_ref(), name).is_none() {
                let message =
                    format!("OAuth2 needs the credential `{name}`, and it is not described");
                let hint = "Add it to the properties of its `credentials`.".to_owned();
                self.note("/provider_app", message, Some(hint));
            }
        }
        self.endpoints(&format!("{pointer}/oauth2"), oauth2, auth.metadata.as_ref());
    }

    /// The client's secret goes to `token_url`, and users to `authorize_url`: whatever in them is
    /// told by who links an account must not lead elsewhere.
    fn endpoints(&mut self, pointer: &str, oauth2: &OAuth2, metadata: Option<&Value>) {
        for (name, url) in
            [("authorize_url", &oauth2.authorize_url), ("token_url", &oauth2.token_url)]
        {
            let place = format!("{pointer}/{name}");
            let rest = url.strip_prefix("{base_url}").or_else(|| url.strip_prefix("https://"));
            let Some(rest) = rest else {
                self.note(&place, "it must begin with https:// or {base_url}", None);
                continue;
            };
            let host = if url.starts_with('{') { "" } else { rest.split('/').next().unwrap_or("") };
            for fact in placeholders(rest) {
                if !required(metadata, fact) {
                    let message = format!("`{{{fact}}}` is no required property of `metadata`");
                    self.note(&place, message, None);
                } else if placeholders(host).any(|name| name == fact) && !anchored(metadata, fact) {
                    let hint =
                        "Give it a `pattern` of the form ^…$ that only the provider's hosts fit.";
                    let message = format!("`{{{fact}}}` decides the host, and may be anything");
                    self.note(&place, message, Some(hint.to_owned()));
                }
            }
        }
    }

    /// Credentials go to the provider's API: what in its URL is told by who links an account must
    /// not lead elsewhere.
    fn api(&mut self, definition: &Definition) {
        for fact in placeholders(definition.base_url.as_deref().unwrap_or_default()) {
            let bound = |auth: &Auth| {
                let metadata = auth.metadata.as_ref();
                required(metadata, fact) && anchored(metadata, fact)
            };
            if !definition.auth.iter().all(bound) {
                let hint = "Require it in `metadata` of every way under `auth`, with a `pattern` of the form ^…$ that only the provider's hosts fit.";
                let message = format!("`{{{fact}}}` decides the host, and may be anything");
                self.note("/base_url", message, Some(hint.to_owned()));
            }
        }
    }

    fn secret(&mut self, definition: &Definition) {
        let secret = &definition.secret;
        if secret.scope != SecretScope::Trigger && secret.generate.is_some() {
            let hint = "Remove it, or set `scope` to trigger.".to_owned();
            self.note("/secret/generate", "only a trigger's own secret is made here", Some(hint));
        }
        let Some(field) = &definition.secret.field else { return };
        let accounts = definition.auth.iter().map(|auth| auth.credentials.as_ref());
        let app = definition.provider_app.as_ref().map(|app| app.credentials.as_ref());
        let places: Vec<Option<&Value>> = match definition.secret.scope {
            SecretScope::Trigger => {
                let hint = "Leave it out, or set `scope` to account or app.".to_owned();
                let message = "a trigger's own secret is no field of any credentials";
                return self.note("/secret/field", message, Some(hint));
            }
            SecretScope::Account => accounts.collect(),
            SecretScope::App => accounts.chain(app).collect(),
        };
        if places.iter().all(|schema| property(*schema, field).is_none()) {
            let known = places.iter().flat_map(|schema| properties(*schema));
            let hint = crate::nearest::did_you_mean(field, known);
            let message = format!("no credentials have a property `{field}`{hint}");
            let hint = "Name one of their properties, or add it there.".to_owned();
            self.note("/secret/field", message, Some(hint));
        }
    }
}

fn property<'a>(schema: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    schema?.get("properties")?.get(name)
}

fn properties(schema: Option<&Value>) -> impl Iterator<Item = &str> {
    let found = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    found.into_iter().flatten().map(|(name, _)| name.as_str())
}

fn required(schema: Option<&Value>, name: &str) -> bool {
    let listed = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
    listed.is_some_and(|names| names.iter().any(|one| one == name))
        && property(schema, name).is_some()
}

fn anchored(schema: Option<&Value>, name: &str) -> bool {
    let pattern = property(schema, name).and_then(|it| it.get("pattern")).and_then(Value::as_str);
    pattern.is_some_and(|pattern| pattern.starts_with('^') && pattern.ends_with('$'))
}

/// The names in braces.
fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name)
}
