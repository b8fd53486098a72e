//! What `app.yaml` says of how deliveries arrive, how their bodies are read, and how they are
//! answered.

use serde::{Deserialize, Serialize};

use crate::Reply;

/// How deliveries arrive.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingress {
    /// Whose URL requests arrive at.
    pub scope: IngressScope,
    /// For the scope `app`: `JSONPath`s over the request document of the provider's ids of the
    /// accounts it is about; the first path that finds any counts.
    pub route: Vec<String>,
    /// Accepted body formats.
    pub content_types: Vec<ContentType>,
    /// What a `text/plain` body holds.
    pub text: PlainText,
    /// The field of a form or of a multipart body that holds the JSON payload; without it such a
    /// body is an object of its fields.
    pub form_field: Option<String>,
    /// JSON pointer to a text in the body that is base64; what it encodes takes its place.
    pub base64_field: Option<String>,
    /// Accepted content codings; none unless told.
    pub compression: Vec<Compression>,
    /// Largest accepted body in bytes, compressed or not.
    pub body_limit: usize,
    /// Whether a delivery may have no body at all: some are nothing but header fields.
    pub empty_body: bool,
    /// What is answered in place of the usual 202, where the provider insists on something.
    pub acknowledge: Option<Acknowledgement>,
}

impl Default for Ingress {
    fn default() -> Self {
        Self {
            scope: IngressScope::Trigger,
            route: Vec::new(),
            content_types: vec![ContentType::Json],
            text: PlainText::Text,
            form_field: None,
            base64_field: None,
            compression: Vec::new(),
            body_limit: 1 << 20,
            empty_body: false,
            acknowledge: None,
        }
    }
}

/// Whose URL requests arrive at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressScope {
    /// Each trigger has its own.
    #[default]
    Trigger,
    /// The provider's app has one for all accounts.
    App,
}

/// A body format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentType {
    /// `application/json` and any `+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `text/plain`.
    Text,
    /// `multipart/form-data` (RFC 7578).
    Multipart,
    /// `application/xml`, `text/xml` and any `+xml`.
    Xml,
    /// JSON values, one a line: `application/x-ndjson` and its other names.
    Ndjson,
}

/// What a `text/plain` body holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlainText {
    /// Text.
    #[default]
    Text,
    /// JSON, by a provider that does not say so.
    Json,
}

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// `gzip` (RFC 1952).
    Gzip,
}

/// The answer to an accepted delivery, where the provider insists on one.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acknowledgement {
    /// HTTP status, 2xx.
    pub status: u16,
    /// Body.
    pub body: String,
    /// Content type of the body.
    pub content_type: String,
}

impl Default for Acknowledgement {
    fn default() -> Self {
        let content_type = "text/plain; charset=utf-8".to_owned();
        Self { status: 200, body: String::new(), content_type }
    }
}

impl Acknowledgement {
    /// The answer itself.
    pub fn reply(&self) -> Reply {
        let headers = if self.body.is_empty() {
            Vec::new()
        } else {
            vec![("content-type".to_owned(), self.content_type.clone())]
        };
        Reply { status: self.status, headers, body: self.body.clone().into_bytes() }
    }
}
