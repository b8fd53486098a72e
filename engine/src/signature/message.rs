//! What is signed: a template of parts of the request and literal text.

use crate::{Rejection, Request};

/// A template such as `v0:{timestamp}:{body}`, compiled.
#[derive(Debug, Clone)]
pub(super) struct Message(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Body,
    Timestamp,
    Method,
    Url,
    PathAndQuery,
    Header(String),
    Query(String),
    Field(String),
    SortedForm,
}

/// What the parts are taken from.
pub(super) struct Parts<'r> {
    pub(super) request: &'r Request,
    pub(super) timestamp: Option<&'r str>,
}

const KNOWN: &str = "{body}, {timestamp}, {method}, {url}, {path_and_query}, {sorted_form}, {header:name}, {query:name} or {field:/pointer}";

impl Message {
    /// Reads a template.
    pub(super) fn parse(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, tail)) = rest.split_once('{') {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let (name, tail) = tail.split_once('}').ok_or("a `{` is never closed")?;
            parts.push(part(name)?);
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        if parts.is_empty() { Err("the message is empty".to_owned()) } else { Ok(Self(parts)) }
    }

    pub(super) fn needs_timestamp(&self) -> bool {
        self.0.contains(&Part::Timestamp)
    }

    /// The bytes that were signed, if the request has all the parts.
    pub(super) fn render(&self, parts: &Parts<'_>) -> Result<Vec<u8>, Rejection> {
        let request = parts.request;
        let mut message = Vec::with_capacity(request.body.len() + 64);
        for part in &self.0 {
            match part {
                Part::Literal(text) => message.extend(text.as_bytes()),
                Part::Body => message.extend(&request.body),
                Part::Timestamp => message.extend(parts.timestamp.unwrap_or_default().as_bytes()),
                Part::Method => message.extend(request.method.as_bytes()),
                Part::Url => message.extend(request.url.as_bytes()),
                Part::PathAndQuery => message.extend(path_and_query(&request.url).as_bytes()),
                Part::Header(name) => {
                    let value = request.headers.get(name).ok_or_else(|| {
                        Rejection::MissingSignature(format!("the header `{name}`, which is signed"))
                    })?;
                    message.extend(value.as_bytes());
                }
                Part::Query(name) => {
                    let found = request.query.iter().find(|(key, _)| key == name);
                    let (_, value) = found.ok_or_else(|| {
                        Rejection::MissingSignature(format!(
                            "the query parameter `{name}`, which is signed"
                        ))
                    })?;
                    message.extend(value.as_bytes());
                }
                Part::Field(field) => {
                    let value = super::body_field(request, field).ok_or_else(|| {
                        Rejection::MissingSignature(format!(
                            "the field `{field}` of the body, which is signed"
                        ))
                    })?;
                    message.extend(value.as_bytes());
                }
                Part::SortedForm => message.extend(sorted_form(&request.body).as_bytes()),
            }
        }
        Ok(message)
    }
}

fn part(name: &str) -> Result<Part, String> {
    Ok(match name {
        "body" => Part::Body,
        "timestamp" => Part::Timestamp,
        "method" => Part::Method,
        "url" => Part::Url,
        "path_and_query" => Part::PathAndQuery,
        "sorted_form" => Part::SortedForm,
        _ => match name.split_once(':') {
            Some(("header", header)) if !header.is_empty() => {
                Part::Header(header.to_ascii_lowercase())
            }
            Some(("field", field)) if !field.is_empty() => Part::Field(field.to_owned()),
            Some(("query", query)) if !query.is_empty() => Part::Query(query.to_owned()),
            _ => return Err(format!("`{{{name}}}` is not a part; give {KNOWN}")),
        },
    })
}

fn path_and_query(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or("/", |at| &url[after_scheme + at..])
}

/// The form's fields sorted by name, each name followed by its value, without separators.
fn sorted_form(body: &[u8]) -> String {
    let mut fields: Vec<_> = url::form_urlencoded::parse(body).collect();
    fields.sort();
    fields.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]).collect()
}
