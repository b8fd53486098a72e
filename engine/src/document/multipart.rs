//! `multipart/form-data` (RFC 7578) to JSON. The only file that names the library, which is
//! written for streams: here the whole body is there at once, so that no step ever waits.

use data_encoding::BASE64;
use futures_util::{FutureExt, stream};
use multer::{Multipart, parse_boundary};
use serde_json::{Map, Value, json};

use super::body::{self, malformed};
use crate::{Rejection, definition::Ingress};

const PARTS: usize = 1000;
/// RFC 2046, section 5.1.1.
const BOUNDARY: usize = 70;

/// The object of all fields, or the JSON in the one that holds it. A file is
/// `{ filename, content_type, size, base64 }`; repeated names give an array.
pub(super) fn parse(bytes: &[u8], declared: &str, ingress: &Ingress) -> Result<Value, Rejection> {
    let boundary = match parse_boundary(declared) {
        Ok(boundary) if (1..=BOUNDARY).contains(&boundary.len()) => boundary,
        _ => return malformed("the content type names no boundary of 1 to 70 characters"),
    };
    let read = parts(bytes.to_vec(), boundary, ingress.form_field.as_deref()).now_or_never();
    read.unwrap_or_else(|| malformed("the body ends before its last part does"))
}

async fn parts(body: Vec<u8>, boundary: String, wanted: Option<&str>) -> Result<Value, Rejection> {
    let chunks = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut multipart = Multipart::new(chunks, boundary);
    let mut fields = Map::new();
    for _ in 0..PARTS {
        let field = multipart.next_field().await.or_else(|error| unreadable(&error))?;
        let Some(field) = field else {
            return match wanted {
                Some(name) => malformed(format!("the form field `{name}` is missing")),
                None => Ok(Value::Object(fields)),
            };
        };
        let Some(name) = field.name().map(str::to_owned) else {
            return malformed("a part has no name");
        };
        let file = field.file_name().map(str::to_owned);
        let kind = field.content_type().map(ToString::to_string);
        let bytes = field.bytes().await.or_else(|error| unreadable(&error))?;
        if wanted == Some(name.as_str()) {
            return body::json(&bytes);
        }
        if wanted.is_some() {
            continue;
        }
        let value = match file {
            Some(file) => json!({
                "filename": file, "content_type": kind, "size": bytes.len(),
                "base64": BASE64.encode(&bytes),
            }),
            None => match str::from_utf8(&bytes) {
                Ok(text) => Value::String(text.to_owned()),
                Err(_) => return malformed(format!("the field `{name}` is not UTF-8 text")),
            },
        };
        add(&mut fields, name, value);
    }
    malformed(format!("more than {PARTS} parts"))
}

fn unreadable<T>(error: &multer::Error) -> Result<T, Rejection> {
    malformed(format!("not multipart: {error}"))
}

/// Adds a member; one whose name is there already makes an array of both. No value is an array
/// of its own.
pub(super) fn add(members: &mut Map<String, Value>, name: String, value: Value) {
    match members.get_mut(&name) {
        None => drop(members.insert(name, value)),
        Some(Value::Array(several)) => several.push(value),
        Some(one) => *one = Value::Array(vec![one.take(), value]),
    }
}
