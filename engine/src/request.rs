//! An inbound HTTP request as the engine sees it, and the proof that it was verified.

use secrecy::SecretString;
use serde_json::Value;

/// Microseconds since the Unix epoch, UTC: the only time representation inside the engine.
pub type Micros = i64;

/// A request as it arrived: bytes untouched, header names lower-cased, nothing parsed.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, `HEAD`, …
    pub method: String,
    /// The public URL the provider called, as registered there, with its query string. Some
    /// schemes sign it, so it is built from configuration and never from the `Host` header.
    pub url: String,
    /// Query parameters, percent-decoded, in order.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case, in order, repeated names kept.
    pub headers: Headers,
    /// The raw body.
    pub body: Vec<u8>,
    /// When the request was received.
    pub received_at: Micros,
}

/// Header fields in the order they came.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Collects header fields; names are lower-cased here, once.
    pub fn new(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(
            fields
                .into_iter()
                .map(|(mut name, value)| {
                    name.make_ascii_lowercase();
                    (name, value)
                })
                .collect(),
        )
    }

    /// The first value of `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Every value of `name` (lower case).
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(n, _)| *n == name).map(|(_, v)| v)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// What the engine must know of a trigger to receive a request for it.
#[derive(Debug, Clone)]
pub struct TriggerContext {
    /// The trigger's id (`trg_…`).
    pub id: String,
    /// Its type's full name (`ACME__PUSH`).
    pub name: String,
    /// Its configuration, already validated against the type's JSON Schema.
    pub config: Value,
    /// The provider's id of the linked account, where it is known.
    pub account_id: Option<String>,
    /// The linked account's public facts.
    pub account_metadata: Value,
    /// To whom requests for it are addressed.
    pub recipient: Recipient,
}

/// To whom a request is addressed, as far as verifying it needs to know: one trigger, or an app
/// registered at the provider that receives for many.
#[derive(Debug, Clone, Default)]
pub struct Recipient {
    /// Its webhook URL as registered at the provider.
    pub url: String,
    /// The secrets that may have signed a request, newest first; several during a rotation.
    pub secrets: Vec<SecretString>,
    /// Public facts of the provider's app and of the linked account, as one object.
    pub facts: Value,
}

/// A request whose signature was checked. Only a [`Scheme`](crate::Scheme) makes one, and only a
/// `Verified` can be mapped to events.
#[derive(Debug)]
pub struct Verified<'r> {
    request: &'r Request,
    by: &'static str,
    body: Option<Vec<u8>>,
}

impl<'r> Verified<'r> {
    pub(crate) fn new(request: &'r Request, by: &'static str) -> Self {
        Self { request, by, body: None }
    }

    /// The same with the body that the signature really vouches for.
    pub(crate) fn with_body(self, body: Vec<u8>) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The request itself.
    pub fn request(&self) -> &'r Request {
        self.request
    }

    /// What vouches for it (`hmac-sha256`, `token`, `none`, …), for the receipt.
    pub fn by(&self) -> &'static str {
        self.by
    }

    /// The body to parse: as it was sent, or what a token or a ciphertext held in its place.
    pub fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or(&self.request.body)
    }

    /// Whether the body was a token or a ciphertext, and [`body`](Self::body) is the JSON in it.
    pub fn is_unwrapped(&self) -> bool {
        self.body.is_some()
    }
}

/// An answer the engine gives in place of the usual 2xx: a challenge response or a fixed reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// A normalised event, before it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Event type with the app's slug (`acme.ticket.closed`).
    pub event_type: String,
    /// The id under which duplicates are recognised, unique within a trigger.
    pub external_id: String,
    /// When it happened, where the provider says so.
    pub occurred_at: Option<Micros>,
    /// The event's payload.
    pub data: Value,
}
