//! A script's request turned into one that can be sent: options checked, secrets put in place.

use percent_encoding::percent_decode_str;
use rhai::{Array, Dynamic, Map};
use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

use super::{
    HttpRequest,
    convert::Output,
    failure::{Fallible, fault},
    record::nearest,
    secret::Secret,
};

/// Bytes a request's body may have.
const MAX_BODY: usize = 256 << 10;
/// Header fields a request may have.
const MAX_HEADERS: usize = 64;
const OPTIONS: [&str; 4] = ["headers", "json", "form", "body"];
/// Header fields that belong to the connection.
const RESERVED: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

/// Reads a URL, which may contain secrets.
pub(super) fn url(value: Dynamic) -> Fallible<Url> {
    let text = text("the URL", value)?;
    if climbs(text.expose_secret()) {
        return Err(fault("the URL's path must not contain `..`"));
    }
    let url = Url::parse(text.expose_secret())
        .map_err(|error| fault(format!("the URL cannot be used: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(fault("the URL must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("the URL must not contain a user name; use an `Authorization` header"));
    }
    Ok(url)
}

/// Whether a path leaves its folder, so that a configured name would choose another resource.
/// Parsing resolves such steps, so this looks at the text before.
fn climbs(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\'])
        .map(|part| percent_decode_str(part).decode_utf8_lossy())
        .any(|part| part == ".." || part == ".")
}

/// Builds the request a script described.
pub(super) fn request(method: &str, url: &Url, mut options: Map) -> Fallible<HttpRequest> {
    if let Some(unknown) = options.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        return Err(fault(format!(
            "a request has no option `{unknown}`{}",
            nearest(unknown, &OPTIONS)
        )));
    }
    let mut headers = headers(options.remove("headers"))?;
    let body = body(&mut options, &mut headers)?;
    default_header(&mut headers, "Accept", "application/json");
    let agent = concat!("Hearken/", env!("CARGO_PKG_VERSION"));
    default_header(&mut headers, "User-Agent", agent);
    Ok(HttpRequest { method: method.to_owned(), url: url.to_string(), headers, body })
}

fn default_header(headers: &mut Vec<(String, SecretString)>, name: &str, value: &str) {
    if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
        headers.push((name.to_owned(), value.into()));
    }
}

fn headers(value: Option<Dynamic>) -> Fallible<Vec<(String, SecretString)>> {
    let fields = match value {
        None => return Ok(Vec::new()),
        Some(value) => value
            .try_cast_result::<Map>()
            .map_err(|_| fault("`headers` must be a map of names and values"))?,
    };
    if fields.len() > MAX_HEADERS {
        return Err(fault(format!("a request may have {MAX_HEADERS} headers")));
    }
    fields
        .into_iter()
        .filter(|(_, value)| !value.is_unit())
        .map(|(name, value)| header(&name, value))
        .collect()
}

fn header(name: &str, value: Dynamic) -> Fallible<(String, SecretString)> {
    // The characters of a token in RFC 9110.
    let well_formed = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !well_formed {
        return Err(fault(format!("{name:?} is not the name of a header")));
    }
    if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(fault(format!("the header `{name}` is set by the connection")));
    }
    let value = text(&format!("the header `{name}`"), value)?;
    let printable = |c: char| c == '\t' || (!c.is_control() && c.is_ascii());
    if !value.expose_secret().chars().all(printable) {
        return Err(fault(format!(
            "the header `{name}` contains a line break or a character outside ASCII"
        )));
    }
    Ok((name.to_owned(), value))
}

fn body(options: &mut Map, headers: &mut Vec<(String, SecretString)>) -> Fallible<Option<Vec<u8>>> {
    let mut given = Vec::new();
    for kind in &OPTIONS[1..] {
        given.extend(options.remove(*kind).map(|value| (*kind, value)));
    }
    if given.len() > 1 {
        return Err(fault("a request has one of `json`, `form` and `body`"));
    }
    let Some((kind, value)) = given.pop() else {
        return Ok(None);
    };
    let body = match kind {
        "json" => {
            default_header(headers, "Content-Type", "application/json");
            let value = Output::to_provider(64 * MAX_BODY)
                .value(value)
                .map_err(|error| fault(format!("`json` cannot be sent: {error}")))?;
            value.to_string()
        }
        "form" => {
            default_header(headers, "Content-Type", "application/x-www-form-urlencoded");
            form(value)?
        }
        _ => text("`body`", value)?.expose_secret().to_owned(),
    };
    if body.len() > MAX_BODY {
        return Err(fault(format!(
            "the request's body has {} bytes; {MAX_BODY} are allowed",
            body.len()
        )));
    }
    Ok(Some(body.into_bytes()))
}

/// A form: each value a text, or an array of texts for a repeated field; `()` leaves one out.
fn form(value: Dynamic) -> Fallible<String> {
    let fields = value
        .try_cast_result::<Map>()
        .map_err(|_| fault("`form` must be a map of names and values"))?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        let values = match value.try_cast_result::<Array>() {
            Ok(values) => values,
            Err(single) if single.is_unit() => Array::new(),
            Err(single) => vec![single],
        };
        for value in values {
            let value = text(&format!("the form field `{name}`"), value)?;
            form.append_pair(&name, value.expose_secret());
        }
    }
    Ok(form.finish())
}

/// A text, number, flag or secret as the text to send.
fn text(what: &str, value: Dynamic) -> Fallible<SecretString> {
    match value.try_cast_result::<Secret>() {
        Ok(secret) => Ok(secret.reveal().clone()),
        Err(value) if value.is_string() || value.is_int() || value.is_bool() => {
            Ok(value.to_string().into())
        }
        Err(_) => Err(fault(format!("{what} must be a text, a number or a secret"))),
    }
}
