//! The vocabulary in which an app's script describes how deliveries are signed.

use std::fmt;

use data_encoding::{
    BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE,
};
use serde::Deserialize;
use serde_json::Value;

use super::{SchemeError, message::Message};
use crate::nearest::did_you_mean;

/// One way in which a delivery may be signed.
#[derive(Debug, Clone)]
pub struct Description {
    pub(super) kind: Kind,
    pub(super) algorithm: Algorithm,
    pub(super) source: Source,
    pub(super) prefix: String,
    pub(super) encoding: Encoding,
    pub(super) separator: Option<String>,
    pub(super) pair: Option<String>,
    pub(super) message: Message,
    pub(super) key: KeyForm,
    pub(super) timestamp: Option<Clock>,
}

/// Families of schemes that run natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Hmac,
    Digest,
    Token,
    StandardWebhooks,
}

/// Families that can be described, and that this version does not run yet.
const LATER: [&str; 4] = ["ed25519", "ecdsa", "rsa", "jwt"];
const KINDS: [&str; 8] =
    ["hmac", "digest", "token", "standard_webhooks", "ed25519", "ecdsa", "rsa", "jwt"];

/// What a script may write.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    kind: String,
    algorithm: Option<Algorithm>,
    header: Option<OneOrMore>,
    query: Option<String>,
    body: Option<String>,
    basic: bool,
    prefix: String,
    encoding: Option<Encoding>,
    separator: Option<String>,
    pair: Option<String>,
    message: Option<String>,
    key: KeyForm,
    timestamp: Option<Clock>,
    header_prefix: Option<String>,
    public_key: Option<PublicKey>,
    jwt: Option<Claims>,
}

/// One header field, or several of which any may carry a good signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Where the public key of an asymmetric scheme comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "checked when an app is loaded; this version does not run it yet")]
enum PublicKey {
    /// The trigger's secret is the key, in this encoding.
    Secret(String),
    /// A certificate at the URL in this place, on one of these hosts only.
    Certificate { header: Option<String>, body: Option<String>, hosts: Vec<String> },
    /// A set of keys (RFC 7517) at this URL.
    Jwks(String),
}

/// What a signed token must say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Claims {
    issuer: Option<String>,
    audience: Option<String>,
    email: Option<String>,
    /// Claim that holds the hash of the body.
    body_hash: Option<String>,
    algorithms: Vec<String>,
}

const FIELDS: [&str; 16] = [
    "kind",
    "algorithm",
    "header",
    "query",
    "body",
    "basic",
    "public_key",
    "jwt",
    "prefix",
    "encoding",
    "separator",
    "pair",
    "message",
    "key",
    "timestamp",
    "header_prefix",
];

/// Hash functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

impl Algorithm {
    pub(super) fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    pub(super) fn hmac_name(self) -> &'static str {
        match self {
            Self::Md5 => "hmac-md5",
            Self::Sha1 => "hmac-sha1",
            Self::Sha256 => "hmac-sha256",
            Self::Sha512 => "hmac-sha512",
        }
    }
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal; both cases are read, because providers differ and the bytes are the same.
    #[default]
    Hex,
    /// Standard base64, with or without padding.
    Base64,
    /// URL-safe base64, with or without padding.
    Base64Url,
}

impl Encoding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
        }
    }

    /// Writes bytes.
    pub(crate) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => HEXLOWER.encode(bytes),
            Self::Base64 => BASE64.encode(bytes),
            Self::Base64Url => BASE64URL_NOPAD.encode(bytes),
        }
    }

    /// Reads bytes.
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        let text = text.as_bytes();
        match self {
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text).ok(),
            Self::Base64 => BASE64.decode(text).or_else(|_| BASE64_NOPAD.decode(text)).ok(),
            Self::Base64Url => {
                BASE64URL.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text)).ok()
            }
        }
    }
}

/// Where the signature stands.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Any of these header fields, each at most once.
    Headers(Vec<String>),
    Query(String),
    /// A field of the body: a JSON pointer, or the name of a form field.
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
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers(names) => write!(f, "the header `{}`", names.join("` or `")),
            Self::Query(name) => write!(f, "the query parameter `{name}`"),
            Self::Body(field) => write!(f, "the field `{field}` of the body"),
            Self::Basic => f.write_str("the header `Authorization`, scheme Basic"),
        }
    }
}

/// How the secret's text becomes key bytes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KeyForm {
    /// The text itself where absent.
    pub(super) encoding: Option<Encoding>,
    /// Taken off the text first, where it is there.
    pub(super) strip_prefix: String,
}

/// The signed time against replay.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clock {
    /// Header field that holds it.
    #[serde(default)]
    pub(super) header: Option<String>,
    /// Field of the body that holds it: a JSON pointer, or the name of a form field.
    #[serde(default)]
    pub(super) body: Option<String>,
    /// Key of the pair that holds it, in the text that carries the signature.
    #[serde(default)]
    pub(super) pair: Option<String>,
    #[serde(default)]
    pub(super) unit: Unit,
    /// Seconds it may lie in the past, or in the future.
    #[serde(default = "tolerance")]
    pub(super) tolerance: i64,
}

fn tolerance() -> i64 {
    300
}

/// How a time is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    /// Seconds since the epoch.
    #[default]
    S,
    /// Milliseconds since the epoch.
    Ms,
    /// RFC 3339.
    Iso,
}

fn wrong(field: &str, message: impl Into<String>, hint: Option<&str>) -> SchemeError {
    SchemeError { field: field.to_owned(), message: message.into(), hint: hint.map(str::to_owned) }
}

impl Description {
    /// Reads one description.
    pub(super) fn parse(source: &Value) -> Result<Self, SchemeError> {
        let Some(object) = source.as_object() else {
            let hint = "Return a map such as #{ kind: \"hmac\", header: \"X-Signature\" }.";
            return Err(wrong("", "the description of a signature is a map", Some(hint)));
        };
        if let Some(key) = object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let near = did_you_mean(key, FIELDS.into_iter());
            return Err(wrong(key, format!("unknown field `{key}`{near}"), None));
        }
        // Field by field, so that the one at fault can be named.
        for (key, value) in object {
            let alone = serde_json::json!({ key.as_str(): value });
            serde_json::from_value::<Written>(alone)
                .map_err(|error| wrong(key, error.to_string(), None))?;
        }
        let written: Written = serde_json::from_value(source.clone())
            .map_err(|error| wrong("", error.to_string(), None))?;
        Self::from_written(written)
    }

    fn from_written(written: Written) -> Result<Self, SchemeError> {
        let kind = match written.kind.as_str() {
            "hmac" => Kind::Hmac,
            "digest" => Kind::Digest,
            "token" => Kind::Token,
            "standard_webhooks" => return Ok(standard_webhooks(written.header_prefix.as_deref())),
            later if LATER.contains(&later) => {
                let needs_key = written.public_key.is_none() && later != "jwt";
                if needs_key {
                    let message = format!("`{later}` needs a `public_key`");
                    return Err(wrong("public_key", message, None));
                }
                let message = format!("`{later}` is not supported by this version yet");
                return Err(wrong("kind", message, None));
            }
            other => {
                let near = did_you_mean(other, KINDS.into_iter());
                let message = format!("`{other}` is not one of {}{near}", KINDS.join(", "));
                return Err(wrong("kind", message, None));
            }
        };
        let source = source(written.header, written.query, written.body, written.basic)?;
        let message = written.message.as_deref().unwrap_or("{body}");
        let message = Message::parse(message).map_err(|why| wrong("message", why, None))?;
        if message.needs_timestamp() && written.timestamp.is_none() {
            let message = "the message has a {timestamp}: say under `timestamp` where it stands";
            return Err(wrong("timestamp", message, None));
        }
        if let Some(clock) = &written.timestamp
            && [&clock.header, &clock.pair, &clock.body].into_iter().flatten().count() != 1
        {
            return Err(wrong("timestamp", "give one of `header`, `pair` and `body`", None));
        }
        Ok(Self {
            kind,
            algorithm: written.algorithm.unwrap_or_default(),
            source,
            prefix: written.prefix,
            encoding: written.encoding.unwrap_or_default(),
            separator: written.separator.filter(|separator| !separator.is_empty()),
            pair: written.pair,
            message,
            key: written.key,
            timestamp: written.timestamp,
        })
    }
}

fn source(
    header: Option<OneOrMore>,
    query: Option<String>,
    body: Option<String>,
    basic: bool,
) -> Result<Source, SchemeError> {
    let headers = header.map(|names| match names {
        OneOrMore::One(name) => vec![name],
        OneOrMore::More(names) => names,
    });
    match (headers, query, body, basic) {
        (Some(names), None, None, false) if !names.is_empty() => Ok(Source::Headers(names)),
        (None, Some(name), None, false) => Ok(Source::Query(name)),
        (None, None, Some(field), false) => Ok(Source::Body(field)),
        (None, None, None, true) => Ok(Source::Basic),
        _ => {
            let message =
                "say where the signature stands: one of `header`, `query`, `body` and `basic`";
            Err(wrong("header", message, None))
        }
    }
}

/// Standard Webhooks 1.0.0: HMAC-SHA256 over `{id}.{timestamp}.{body}`, several signatures
/// separated by spaces, each after `v1,`.
fn standard_webhooks(header_prefix: Option<&str>) -> Description {
    let prefix = header_prefix.unwrap_or("webhook-");
    let message = format!("{{header:{prefix}id}}.{{timestamp}}.{{body}}");
    Description {
        kind: Kind::StandardWebhooks,
        algorithm: Algorithm::Sha256,
        source: Source::Headers(vec![format!("{prefix}signature")]),
        prefix: "v1,".to_owned(),
        encoding: Encoding::Base64,
        separator: Some(" ".to_owned()),
        pair: None,
        message: Message::parse(&message).expect("the template is fixed but for a header's name"),
        key: KeyForm { encoding: Some(Encoding::Base64), strip_prefix: "whsec_".to_owned() },
        timestamp: Some(Clock {
            header: Some(format!("{prefix}timestamp")),
            body: None,
            pair: None,
            unit: Unit::S,
            tolerance: tolerance(),
        }),
    }
}
