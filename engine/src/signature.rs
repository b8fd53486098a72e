//! Signature schemes. (stub: owner E3)

use secrecy::SecretString;
use serde_json::Value;

use crate::{Rejection, Request};

/// A scheme.
#[derive(Debug, Clone)]
pub struct Scheme {}

/// Why a description is not a scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SchemeError {
    /// Field of the description.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Scheme {
    /// Parses a description.
    pub fn parse(_description: &Value) -> Result<Self, SchemeError> {
        unimplemented!()
    }
    /// Verifies a request.
    pub fn verify(
        &self,
        _request: &Request,
        _secrets: &[SecretString],
    ) -> Result<&'static str, Rejection> {
        unimplemented!()
    }
    /// Signs a request.
    pub fn sign(
        &self,
        _request: &Request,
        _secret: &SecretString,
    ) -> Result<Vec<(String, String)>, SchemeError> {
        unimplemented!()
    }
    /// Whether stale requests can be told.
    pub fn has_timestamp(&self) -> bool {
        unimplemented!()
    }
}
