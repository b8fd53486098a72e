//! The request document: what matching, filtering and mapping see of a verified request.

mod body;
mod gzip;
mod multipart;
mod xml;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{Rejection, Request, Verified, definition::Ingress};

/// Largest body that is read before its request was verified, in bytes, packed or not: what
/// providers send in handshakes is small.
const HANDSHAKE_BYTES: usize = 64 << 10;

/// A parsed request: `{ method, query, headers, body }`, names of headers in lower case. Cheap
/// to clone.
#[derive(Debug, Clone)]
pub struct Document(Arc<Value>);

impl Document {
    /// A document from its parts.
    pub fn new(root: Value) -> Self {
        Self(Arc::new(root))
    }

    /// Parses a verified request by the content type it declares, and by no other: a body is
    /// never guessed at.
    pub fn parse(verified: &Verified<'_>, ingress: &Ingress) -> Result<Self, Rejection> {
        let request = verified.request();
        let body = if verified.is_unwrapped() {
            body::json(verified.body())?
        } else {
            body::parse(request, verified.body(), ingress, ingress.body_limit)?
        };
        Ok(Self::with_body(request, body))
    }

    /// The document of a request that nothing vouches for yet: only to see whether it is a
    /// handshake that is not signed. A body that cannot be read, or is too large to be one, is
    /// null.
    pub(crate) fn unverified(request: &Request, ingress: &Ingress) -> Self {
        let limit = ingress.body_limit.min(HANDSHAKE_BYTES);
        let small = !request.body.is_empty() && request.body.len() <= limit;
        let body = small.then(|| body::parse(request, &request.body, ingress, limit).ok());
        Self::with_body(request, body.flatten().unwrap_or_default())
    }

    /// `{ method, query, headers, body }`.
    pub fn root(&self) -> &Arc<Value> {
        &self.0
    }

    /// The parsed body.
    pub fn body(&self) -> &Value {
        &self.0["body"]
    }

    fn with_body(request: &Request, body: Value) -> Self {
        let headers = joined(request.headers.iter());
        let query =
            joined(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut root = Map::new();
        root.insert("method".to_owned(), request.method.as_str().into());
        root.insert("query".to_owned(), query);
        root.insert("headers".to_owned(), headers);
        // Moved, not copied: it may be 25 MiB.
        root.insert("body".to_owned(), body);
        Self(Arc::new(Value::Object(root)))
    }
}

/// Repeated names are joined by a comma, as RFC 9110 (section 5.3) allows for header fields.
fn joined<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        match object.get_mut(name) {
            Some(Value::String(text)) => {
                text.push_str(", ");
                text.push_str(value);
            }
            _ => drop(object.insert(name.to_owned(), value.into())),
        }
    }
    Value::Object(object)
}
