//! The request document: what matching, filtering and mapping see of a verified request.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    Rejection, Request, Verified,
    definition::{ContentType, Ingress},
};

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
        if verified.is_unwrapped() {
            return Ok(Self::with_body(request, json_body(verified.body())?));
        }
        let body = match content_type(request, ingress)? {
            ContentType::Json => json_body(verified.body())?,
            ContentType::Form => form_body(verified.body(), ingress)?,
            ContentType::Text => Value::String(text_body(verified.body())?.to_owned()),
        };
        Ok(Self::with_body(request, body))
    }

    /// The document of a request whose body is not looked at.
    pub(crate) fn bodiless(request: &Request) -> Self {
        Self::with_body(request, Value::Null)
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

/// The declared content type, which must be one the app lists. An app that only knows JSON takes
/// a missing one for JSON, because some providers send none.
fn content_type(request: &Request, ingress: &Ingress) -> Result<ContentType, Rejection> {
    let unsupported = |text: &str| Err(Rejection::UnsupportedContentType(text.to_owned()));
    let mut declared = request.headers.all("content-type");
    let declared = match (declared.next(), declared.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => return unsupported("several at once"),
        (None, _) if ingress.content_types == [ContentType::Json] => return Ok(ContentType::Json),
        (None, _) => return unsupported("none"),
    };
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = match essence.as_str() {
        "application/x-www-form-urlencoded" => ContentType::Form,
        "text/plain" => ContentType::Text,
        "application/json" => ContentType::Json,
        json if json.starts_with("application/") && json.ends_with("+json") => ContentType::Json,
        _ => return unsupported(declared),
    };
    if ingress.content_types.contains(&known) { Ok(known) } else { unsupported(declared) }
}

fn json_body(body: &[u8]) -> Result<Value, Rejection> {
    serde_json::from_slice(body)
        .map_err(|error| Rejection::MalformedBody(format!("not JSON: {error}")))
}

fn text_body(body: &[u8]) -> Result<&str, Rejection> {
    str::from_utf8(body).map_err(|_| Rejection::MalformedBody("not UTF-8 text".to_owned()))
}

fn form_body(body: &[u8], ingress: &Ingress) -> Result<Value, Rejection> {
    text_body(body)?;
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let Some(field) = &ingress.form_field else {
        return Ok(joined(fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    };
    let payload = fields
        .iter()
        .find(|(name, _)| name == field)
        .ok_or_else(|| Rejection::MalformedBody(format!("the form field `{field}` is missing")))?;
    json_body(payload.1.as_bytes())
}
