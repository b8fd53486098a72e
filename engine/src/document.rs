//! The request document. (stub: owner E3)

use std::sync::Arc;

use serde_json::Value;

use crate::{Rejection, Verified, definition::Ingress};

/// A parsed request.
#[derive(Debug, Clone)]
pub struct Document(Arc<Value>);

impl Document {
    /// A document of the given root.
    pub fn new(root: Value) -> Self {
        Self(Arc::new(root))
    }
    /// Parses a verified request.
    pub fn parse(_verified: &Verified<'_>, _ingress: &Ingress) -> Result<Self, Rejection> {
        unimplemented!()
    }
    /// `{method, query, headers, body}`.
    pub fn root(&self) -> &Arc<Value> {
        &self.0
    }
    /// The parsed body.
    pub fn body(&self) -> &Value {
        &self.0["body"]
    }
}
