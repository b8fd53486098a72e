//! Bodies to JSON, each by the one content type its request declares.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use serde_json::Value;

use super::{gzip, joined, multipart, xml};
use crate::{
    Rejection, Request,
    definition::{ContentType, Ingress, PlainText},
};

/// Parses `bytes`, the body of `request` as it was sent. Unpacked it may have `limit` bytes.
pub(super) fn parse(
    request: &Request,
    bytes: &[u8],
    ingress: &Ingress,
    limit: usize,
) -> Result<Value, Rejection> {
    if bytes.is_empty() && ingress.empty_body {
        return Ok(Value::Null);
    }
    let (kind, declared) = content_type(request, ingress)?;
    let unpacked = gzip::unpacked(request, bytes, ingress, limit)?;
    let bytes: &[u8] = &unpacked;
    let mut body = match kind {
        ContentType::Json => json(bytes)?,
        ContentType::Text if ingress.text == PlainText::Json => json(bytes)?,
        ContentType::Text => Value::String(text(bytes)?.to_owned()),
        ContentType::Form => form(bytes, ingress)?,
        ContentType::Multipart => multipart::parse(bytes, declared, ingress)?,
        ContentType::Xml => xml::parse(text(bytes)?)?,
        ContentType::Ndjson => lines(bytes)?,
    };
    if let Some(pointer) = &ingress.base64_field {
        open_base64(&mut body, pointer)?;
    }
    Ok(body)
}

pub(super) fn malformed<T>(what: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection::MalformedBody(what.into()))
}

/// The declared content type, which must be one the app lists. An app that only knows JSON takes
/// a missing one for JSON, because some providers send none.
fn content_type<'r>(
    request: &'r Request,
    ingress: &Ingress,
) -> Result<(ContentType, &'r str), Rejection> {
    let unsupported = |text: &str| Err(Rejection::UnsupportedContentType(text.to_owned()));
    let mut declared = request.headers.all("content-type");
    let declared = match (declared.next(), declared.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => return unsupported("several at once"),
        (None, _) if ingress.content_types == [ContentType::Json] => {
            return Ok((ContentType::Json, ""));
        }
        (None, _) => return unsupported("none"),
    };
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let suffix = essence.strip_prefix("application/").and_then(|name| name.rsplit_once('+'));
    let known = match (essence.as_str(), suffix) {
        ("application/json", _) | (_, Some((_, "json"))) => ContentType::Json,
        ("application/x-www-form-urlencoded", _) => ContentType::Form,
        ("text/plain", _) => ContentType::Text,
        ("multipart/form-data", _) => ContentType::Multipart,
        ("application/xml" | "text/xml", _) | (_, Some((_, "xml"))) => ContentType::Xml,
        (
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/jsonlines",
            _,
        ) => ContentType::Ndjson,
        _ => return unsupported(declared),
    };
    if ingress.content_types.contains(&known) {
        Ok((known, declared))
    } else {
        unsupported(declared)
    }
}

pub(super) fn json(body: &[u8]) -> Result<Value, Rejection> {
    serde_json::from_slice(body).or_else(|error| malformed(format!("not JSON: {error}")))
}

fn text(body: &[u8]) -> Result<&str, Rejection> {
    str::from_utf8(body).or_else(|_| malformed("not UTF-8 text"))
}

fn form(body: &[u8], ingress: &Ingress) -> Result<Value, Rejection> {
    text(body)?;
    let mut fields = url::form_urlencoded::parse(body);
    let Some(name) = &ingress.form_field else {
        let fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = fields.collect();
        return Ok(joined(fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))));
    };
    match fields.find(|(field, _)| field == name) {
        Some((_, payload)) => json(payload.as_bytes()),
        None => malformed(format!("the form field `{name}` is missing")),
    }
}

/// One JSON value a line; empty lines say nothing.
fn lines(body: &[u8]) -> Result<Value, Rejection> {
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    let values = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(index, line)| {
        serde_json::from_slice(line)
            .or_else(|error| malformed(format!("line {} is not JSON: {error}", index + 1)))
    });
    values.collect::<Result<_, _>>().map(Value::Array)
}

/// Puts what a base64 text encodes in its place: JSON if it is, text otherwise. A message may come
/// without it.
fn open_base64(body: &mut Value, pointer: &str) -> Result<(), Rejection> {
    let Some(field) = body.pointer_mut(pointer) else { return Ok(()) };
    let Some(text) = field.as_str() else {
        return malformed(format!("{pointer} is not a text"));
    };
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
        .iter()
        .find_map(|encoding| encoding.decode(&compact).ok());
    let Some(decoded) = decoded else {
        return malformed(format!("{pointer} is not base64"));
    };
    *field = match serde_json::from_slice(&decoded) {
        Ok(value) => value,
        Err(_) => match String::from_utf8(decoded) {
            Ok(text) => Value::String(text),
            Err(_) => return malformed(format!("{pointer} encodes neither JSON nor text")),
        },
    };
    Ok(())
}
