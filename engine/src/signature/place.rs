//! Where signatures stand in a request, and taking them out of the text around them.

use std::fmt;

use super::{encoding::Encoding, reading::Reading};
use crate::Rejection;

/// Signatures of one request that are tried; providers send two during a rotation.
const CANDIDATES: usize = 16;

/// Where signatures stand, and the text around them.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) source: Source,
    /// Text before each signature.
    pub(super) prefix: String,
    /// What stands between several.
    pub(super) separator: Option<String>,
    /// The name before it, in text such as `t=1,v1=abc`.
    pub(super) pair: Option<String>,
}

/// The part of a request a signature stands in.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Any of these header fields, each at most once.
    Headers(Vec<String>),
    Query(String),
    /// A field of the body: a JSON pointer, or the name of a form field; `""` is all of it.
    Body(String),
    /// HTTP basic authentication; the secret is `user:password`.
    Basic,
}

impl Source {
    /// The header fields it may stand in.
    pub(super) fn headers(&self) -> &[String] {
        match self {
            Self::Headers(names) => names,
            Self::Query(_) | Self::Body(_) | Self::Basic => &[],
        }
    }

    /// Whether the body as a whole is what carries it.
    pub(super) fn is_whole_body(&self) -> bool {
        matches!(self, Self::Body(field) if field.is_empty())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers(names) => write!(f, "the header `{}`", names.join("` or `")),
            Self::Query(name) => write!(f, "the query parameter `{name}`"),
            Self::Body(field) if field.is_empty() => f.write_str("the body"),
            Self::Body(field) => write!(f, "the field `{field}` of the body"),
            Self::Basic => f.write_str("the header `Authorization`, scheme Basic"),
        }
    }
}

impl Place {
    /// The texts that carry signatures: one in each part of the request that has any.
    pub(super) fn carried(&self, reading: &Reading<'_>) -> Result<Vec<String>, Rejection> {
        let request = reading.request;
        let mut carried = Vec::new();
        let mut look = |values: Vec<&str>| match values.as_slice() {
            [] => Ok(()),
            [value] => {
                carried.extend(Some(value.trim().to_owned()).filter(|text| !text.is_empty()));
                Ok(())
            }
            _ => Err(Rejection::DuplicateSignature(self.source.to_string())),
        };
        match &self.source {
            Source::Headers(names) => {
                for name in names {
                    look(request.headers.all(&name.to_ascii_lowercase()).collect())?;
                }
            }
            Source::Query(name) => {
                let pairs = request.query.iter().filter(|(key, _)| key == name);
                look(pairs.map(|(_, value)| value.as_str()).collect())?;
            }
            Source::Body(field) => look(reading.field(field).as_deref().into_iter().collect())?,
            Source::Basic => {
                look(request.headers.all("authorization").collect())?;
                carried = carried.iter().filter_map(|text| basic_credentials(text)).collect();
            }
        }
        if carried.is_empty() {
            return Err(Rejection::MissingSignature(self.source.to_string()));
        }
        Ok(carried)
    }

    /// The signatures in the carried texts, as text and still with what `read` has to decode.
    /// Those that `read` cannot read are passed over; if none is left, `form` says what was
    /// expected.
    pub(super) fn candidates(
        &self,
        carried: &[String],
        form: &str,
        read: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, Rejection> {
        let found: Vec<Vec<u8>> = carried
            .iter()
            .flat_map(|text| self.split(text))
            .filter_map(|text| text.trim().strip_prefix(self.prefix.as_str()))
            .take(CANDIDATES)
            .filter_map(read)
            .filter(|bytes| !bytes.is_empty())
            .collect();
        if found.is_empty() {
            let after = if self.prefix.is_empty() {
                String::new()
            } else {
                format!(" after `{}`", self.prefix)
            };
            let expected = format!("expected {form}{after} in {}", self.source);
            return Err(Rejection::MalformedSignature(expected));
        }
        Ok(found)
    }

    fn split<'t>(&self, text: &'t str) -> Vec<&'t str> {
        match (&self.pair, &self.separator) {
            (Some(key), separator) => pairs(text, separator.as_deref(), key),
            (None, Some(separator)) => text.split(separator.as_str()).collect(),
            (None, None) => vec![text],
        }
    }
}

/// The values of `key` in text such as `t=1,v1=abc,v1=def`.
pub(super) fn pairs<'a>(text: &'a str, separator: Option<&str>, key: &str) -> Vec<&'a str> {
    let pairs = text.split(separator.unwrap_or(","));
    pairs
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
        .collect()
}

/// `user:password` of an `Authorization` field of the scheme Basic (RFC 7617).
fn basic_credentials(field: &str) -> Option<String> {
    let (scheme, encoded) = field.split_once(' ')?;
    let decoded = Encoding::Base64.decode(encoded.trim())?;
    scheme.eq_ignore_ascii_case("basic").then(|| String::from_utf8(decoded).ok())?
}
