//! What `app.yaml` says, as plain data.

use serde::Deserialize;

use crate::challenge::Challenge;

/// An app's definition. (stub: owner E1)
#[derive(Debug, Clone, Deserialize)]
pub struct Definition {
    /// Human name.
    pub title: String,
    /// How requests arrive.
    #[serde(default)]
    pub ingress: Ingress,
    /// Native handshakes.
    #[serde(default)]
    pub challenges: Vec<Challenge>,
    /// Why requests are not verified, where the provider signs nothing.
    #[serde(default)]
    pub unverified: Option<String>,
}

/// How requests arrive.
#[derive(Debug, Clone, Deserialize)]
pub struct Ingress {
    /// Accepted content types.
    pub content_types: Vec<ContentType>,
    /// The form field that holds the JSON payload.
    pub form_field: Option<String>,
    /// Largest accepted body in bytes.
    pub body_limit: usize,
}

impl Default for Ingress {
    fn default() -> Self {
        Self {
            content_types: vec![ContentType::Json],
            form_field: None,
            body_limit: 1 << 20,
        }
    }
}

/// A body format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentType {
    /// `application/json` and `+json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `text/plain`.
    Text,
}
