//! What is signed: a template of parts of the request and literal text.

use super::reading::Reading;
use crate::Rejection;

/// A template such as `v0:{timestamp}:{body}`, compiled.
#[derive(Debug, Clone)]
pub(super) struct Message(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Body,
    BodyCrc32,
    Timestamp,
    Secret,
    Method,
    Url,
    UrlDecoded,
    PathAndQuery,
    Header(String),
    Query(String),
    Field(String),
    Fact(String),
    SortedForm,
    /// Only there if the body has this field.
    If(String, Vec<Part>),
}

/// What the parts are taken from.
pub(super) struct Parts<'r> {
    pub(super) reading: &'r Reading<'r>,
    pub(super) timestamp: Option<&'r str>,
    pub(super) secret: &'r [u8],
}

const KNOWN: &str = "{body}, {body_crc32}, {timestamp}, {secret}, {method}, {url}, {url_decoded}, {path_and_query}, {sorted_form}, {header:name}, {query:name}, {field:/pointer}, {fact:name} or {if:/pointer}…{end}";

/// What `{url_decoded}` decodes, and nothing else: characters that need no escape in a query.
const DECODED: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// One step through a template.
pub(super) enum Piece<'t> {
    Literal(&'t str),
    Named(&'t str),
}

/// The literals and the names in braces of a template, in order.
pub(super) fn pieces(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((literal, tail)) = rest.split_once('{') {
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        let (name, tail) = tail.split_once('}').ok_or("a `{` is never closed")?;
        pieces.push(Piece::Named(name));
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

impl Message {
    /// Reads a template.
    pub(super) fn parse(template: &str) -> Result<Self, String> {
        let mut outer: Vec<(String, Vec<Part>)> = Vec::new();
        let mut parts = Vec::new();
        for piece in pieces(template)? {
            match piece {
                Piece::Literal(text) => parts.push(Part::Literal(text.to_owned())),
                Piece::Named("end") => {
                    let (field, before) = outer.pop().ok_or("an {end} without an {if:…}")?;
                    let inside = std::mem::replace(&mut parts, before);
                    parts.push(Part::If(field, inside));
                }
                Piece::Named(name) => match name.split_once(':') {
                    Some(("if", field)) if !field.is_empty() => {
                        outer.push((field.to_owned(), std::mem::take(&mut parts)));
                    }
                    _ => parts.push(part(name)?),
                },
            }
        }
        if let Some((field, _)) = outer.pop() {
            return Err(format!("the {{if:{field}}} has no {{end}}"));
        }
        if parts.is_empty() { Err("the message is empty".to_owned()) } else { Ok(Self(parts)) }
    }

    /// The same with the secret before it, unless the template says where it stands.
    pub(super) fn with_secret(mut self) -> Self {
        if !self.needs_secret() {
            self.0.insert(0, Part::Secret);
        }
        self
    }

    pub(super) fn needs_timestamp(&self) -> bool {
        contains(&self.0, &|part| *part == Part::Timestamp)
    }

    pub(super) fn needs_secret(&self) -> bool {
        contains(&self.0, &|part| *part == Part::Secret)
    }

    /// Whether it has the body as a whole in it.
    pub(super) fn covers_body(&self) -> bool {
        let whole = [Part::Body, Part::BodyCrc32, Part::SortedForm];
        contains(&self.0, &|part| whole.contains(part))
    }

    /// The bytes that were signed, if the request has all the parts.
    pub(super) fn render(&self, parts: &Parts<'_>) -> Result<Vec<u8>, Rejection> {
        let mut message = Vec::new();
        render(&self.0, parts, &mut message)?;
        Ok(message)
    }
}

fn contains(parts: &[Part], wanted: &dyn Fn(&Part) -> bool) -> bool {
    parts.iter().any(|part| match part {
        Part::If(_, inside) => contains(inside, wanted),
        part => wanted(part),
    })
}

fn render(template: &[Part], parts: &Parts<'_>, message: &mut Vec<u8>) -> Result<(), Rejection> {
    let (reading, request) = (parts.reading, parts.reading.request);
    for part in template {
        match part {
            Part::Literal(text) => message.extend(text.as_bytes()),
            Part::Body => message.extend(&request.body),
            Part::BodyCrc32 => message.extend(crc32(&request.body).to_string().as_bytes()),
            Part::Timestamp => message.extend(parts.timestamp.unwrap_or_default().as_bytes()),
            Part::Secret => message.extend(parts.secret),
            Part::Method => message.extend(request.method.as_bytes()),
            Part::Url => message.extend(request.url.as_bytes()),
            Part::UrlDecoded => message.extend(decoded(&request.url).as_bytes()),
            Part::PathAndQuery => message.extend(path_and_query(&request.url).as_bytes()),
            Part::SortedForm => message.extend(sorted_form(&request.body).as_bytes()),
            Part::Header(name) => {
                let value = reading
                    .header(name)
                    .ok_or_else(|| missing(&format!("the header `{name}`, once")))?;
                message.extend(value.as_bytes());
            }
            Part::Query(name) => {
                let value = reading
                    .query(name)
                    .ok_or_else(|| missing(&format!("the query parameter `{name}`, once")))?;
                message.extend(value.as_bytes());
            }
            Part::Field(field) => {
                let value = reading
                    .field(field)
                    .ok_or_else(|| missing(&format!("the field `{field}` of the body")))?;
                message.extend(value.as_bytes());
            }
            Part::Fact(name) => {
                let value = reading.fact(name);
                message.extend(value.ok_or_else(|| Rejection::MissingFact(name.clone()))?.bytes());
            }
            Part::If(field, inside) => {
                if reading.field(field).is_some() {
                    render(inside, parts, message)?;
                }
            }
        }
    }
    Ok(())
}

fn missing(what: &str) -> Rejection {
    Rejection::MissingSignature(format!("{what}, which is signed"))
}

fn part(name: &str) -> Result<Part, String> {
    Ok(match name {
        "body" => Part::Body,
        "body_crc32" => Part::BodyCrc32,
        "timestamp" => Part::Timestamp,
        "secret" => Part::Secret,
        "method" => Part::Method,
        "url" => Part::Url,
        "url_decoded" => Part::UrlDecoded,
        "path_and_query" => Part::PathAndQuery,
        "sorted_form" => Part::SortedForm,
        _ => match name.split_once(':') {
            Some(("header", header)) if !header.is_empty() => {
                Part::Header(header.to_ascii_lowercase())
            }
            Some(("field", field)) if !field.is_empty() => Part::Field(field.to_owned()),
            Some(("query", query)) if !query.is_empty() => Part::Query(query.to_owned()),
            Some(("fact", fact)) if !fact.is_empty() => Part::Fact(fact.to_owned()),
            _ => return Err(format!("`{{{name}}}` is not a part; give {KNOWN}")),
        },
    })
}

fn path_and_query(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or("/", |at| &url[after_scheme + at..])
}

fn decoded(url: &str) -> String {
    let mut decoded = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, tail)) = rest.split_once('%') {
        decoded.push_str(before);
        let known = DECODED.iter().find(|(escape, _)| {
            tail.get(..2).is_some_and(|digits| digits.eq_ignore_ascii_case(escape))
        });
        if let Some((_, character)) = known {
            decoded.push(*character);
            rest = &tail[2..];
        } else {
            decoded.push('%');
            rest = tail;
        }
    }
    decoded + rest
}

/// The form's fields sorted by name, each name followed by its value, without separators; what
/// comes twice counts once.
fn sorted_form(body: &[u8]) -> String {
    let mut fields: Vec<_> = url::form_urlencoded::parse(body).collect();
    fields.sort();
    fields.dedup();
    fields.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]).collect()
}

/// CRC-32 as in ISO 3309 and zip files: no protection by itself, but part of what some sign.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index: u32 = 0;
        while index < 256 {
            let mut value = index;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[index as usize] = value;
            index += 1;
        }
        table
    };
    !bytes
        .iter()
        .fold(!0, |crc: u32, byte| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8))
}
