//! What `app.yaml` says, as plain data. Its form is described by `schemas/app.schema.json`, which
//! is checked first, so that every mistake is told with its place.

mod ingress;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::ingress::{
    Acknowledgement, Compression, ContentType, Ingress, IngressScope, PlainText,
};
use crate::challenge::Challenge;

/// An app's definition.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The provider's name as people write it.
    pub title: String,
    /// What kind of app it is (`developer-tools`).
    pub category: String,
    /// One sentence.
    pub description: String,
    /// The provider's own page.
    #[serde(default)]
    pub homepage: Option<String>,
    /// The provider's documentation of its webhooks.
    pub docs: String,
    /// Where the facts of the folder come from.
    pub facts: Facts,
    /// The provider's API; an operator may override it. `{name}` stands for a public fact of the
    /// account.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The only hosts lifecycle functions may reach, as `host` or `host:port`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The ways an account can be linked.
    pub auth: Vec<Auth>,
    /// The app an operator registers at the provider, where one serves many accounts.
    #[serde(default)]
    pub provider_app: Option<ProviderApp>,
    /// The secret that verifies deliveries.
    #[serde(default)]
    pub secret: Secret,
    /// How deliveries arrive.
    #[serde(default)]
    pub ingress: Ingress,
    /// Why deliveries cannot be verified, where the provider signs nothing.
    #[serde(default)]
    pub unverified: Option<String>,
    /// Handshakes, answered natively.
    #[serde(default)]
    pub challenges: Vec<Challenge>,
    /// The trigger types as written; taken out of a loaded app, which holds them compiled.
    pub triggers: Vec<Trigger>,
}

impl Definition {
    /// Whether the host of `url`, at the usual port, is one that may be called.
    pub(crate) fn lists_host_of(&self, url: &str) -> bool {
        url::Url::parse(url).is_ok_and(|url| {
            let host = url.host_str().filter(|_| url.port().is_none());
            host.is_some_and(|host| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
        })
    }
}

/// Where the facts of an app folder come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// How well they are known.
    pub grade: Grade,
    /// Day they were last checked (`2026-11-24`).
    pub checked: String,
    /// Pages, packages or captures they were taken from.
    pub sources: Vec<String>,
    /// What the provider does when a delivery fails.
    #[serde(default)]
    pub retries: Option<String>,
    /// Seconds the provider waits for an answer.
    #[serde(default)]
    pub ack_deadline_seconds: Option<u32>,
}

/// How well an app's facts are known. Nothing below [`Grade::R3`] is called verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// One source.
    R1,
    /// Two independent sources agree.
    R2,
    /// The vendor's documentation was read and a vector checked by an independent implementation.
    R3,
    /// A real captured delivery was replayed.
    R4,
    /// A round trip with a live account.
    R5,
}

/// One way to link an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// What kind of credential it is.
    pub kind: AuthKind,
    /// Its name as the provider calls it.
    pub title: String,
    /// Where to get it and which rights it needs.
    #[serde(default)]
    pub help: Option<String>,
    /// JSON Schema of the credentials object.
    #[serde(default)]
    pub credentials: Option<Value>,
    /// JSON Schema of the account's public facts.
    #[serde(default)]
    pub metadata: Option<Value>,
    /// Member of `metadata` that holds the provider's id of the account, where the script has no
    /// `identify` to ask for it.
    #[serde(default)]
    pub identified_by: Option<String>,
    /// The flow's endpoints, for `kind: oauth2`.
    #[serde(default)]
    pub oauth2: Option<OAuth2>,
}

/// The app an operator registers at the provider: its client id and secrets, shared by all
/// accounts that are linked through it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderApp {
    /// What the provider calls it.
    pub title: String,
    /// How to register one.
    #[serde(default)]
    pub help: Option<String>,
    /// JSON Schema of its credentials. Accounts linked by OAuth2 need `client_id` and
    /// `client_secret` among them.
    #[serde(default)]
    pub credentials: Option<Value>,
    /// JSON Schema of its public facts.
    #[serde(default)]
    pub metadata: Option<Value>,
}

/// Endpoints and habits of a provider's authorisation-code flow (RFC 6749, section 4.1). In the
/// URLs, `{name}` stands for the account's public fact of that name, and `{base_url}` for the
/// provider's API.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// Where the user consents.
    pub authorize_url: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: String,
    /// Rights that are asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What stands between them.
    #[serde(default = "space")]
    pub scope_separator: String,
    /// Further parameters of the authorisation request.
    #[serde(default)]
    pub authorize_parameters: BTreeMap<String, String>,
    /// Further parameters of the code exchange.
    #[serde(default)]
    pub token_parameters: BTreeMap<String, String>,
    /// How the client proves itself at `token_url`.
    #[serde(default)]
    pub client_authentication: ClientAuthentication,
    /// Whether the provider understands PKCE (RFC 7636); most ignore it where they do not.
    #[serde(default = "yes")]
    pub pkce: bool,
}

/// How a client proves itself (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// `client_id` and `client_secret` in the form.
    #[default]
    Body,
    /// HTTP basic authentication.
    Basic,
}

fn space() -> String {
    " ".to_owned()
}

fn yes() -> bool {
    true
}

/// Kinds of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// A token the user pastes.
    Token,
    /// An API key the user pastes.
    ApiKey,
    /// A user name and a password.
    Basic,
    /// The OAuth2 authorisation-code flow.
    #[serde(rename = "oauth2")]
    OAuth2,
    /// No account is needed.
    None,
}

impl AuthKind {
    /// Its name in definitions and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ApiKey => "api_key",
            Self::Basic => "basic",
            Self::OAuth2 => "oauth2",
            Self::None => "none",
        }
    }
}

/// The secret that verifies deliveries.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secret {
    /// Whose secret it is.
    pub scope: SecretScope,
    /// How the server makes it, where the provider lets us choose it.
    pub generate: Option<Generate>,
    /// Which of the credentials of the account or of the provider's app it is.
    pub field: Option<String>,
}

/// Whose secret verifies a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretScope {
    /// Each trigger has its own.
    #[default]
    Trigger,
    /// That of the linked account.
    Account,
    /// That of the app registered at the provider.
    App,
}

/// How a secret is made.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// Random bytes, 24 to 64.
    pub bytes: usize,
    /// How they are written as text.
    pub encoding: SecretEncoding,
}

/// How random bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Standard base64 with padding.
    Base64,
    /// URL-safe base64 without padding.
    Base64Url,
}

/// A trigger type as defined.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Name without the app's prefix (`PUSH`).
    pub name: String,
    /// Event type without the app's prefix (`push`).
    #[serde(rename = "type")]
    pub event_type: String,
    /// Human name.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// Filter over the request document: which deliveries it is about.
    #[serde(rename = "match")]
    pub matches: Value,
    /// JSON Schema of its configuration.
    pub config: Value,
    /// JSON Schema of its events' data, or `{ $file: path }` of one.
    pub payload: Value,
}
