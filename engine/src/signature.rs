//! Signature schemes: described as data by an app's script, compiled at load, run natively.
//!
//! One description fits every family of schemes that providers use; see [`Description`]. What a
//! request carries is checked on its raw bytes, in constant time, against every current secret,
//! and anything unexpected is a rejection: no signature, two of them, one of another form.

mod description;
mod keys;
mod mac;
mod message;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

pub use self::{
    description::{Description, Encoding},
    keys::KeyRing,
};
use self::{
    description::{Kind, Source},
    message::Parts,
};
use crate::{Recipient, Rejection, Request};

/// Signatures of one request that are tried; providers send two during a rotation.
const CANDIDATES: usize = 16;

/// How an app's deliveries are verified.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Any of these may vouch for a request; none at all means that nothing is signed.
    alternatives: Vec<Description>,
}

/// Why a description is not a usable scheme.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct SchemeError {
    /// Field of the description.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Scheme {
    /// The scheme of a provider that signs nothing.
    pub fn none() -> Self {
        Self { alternatives: Vec::new() }
    }

    /// Reads what an app's `signature()` returned: one description, or a list of alternatives.
    pub fn parse(description: &Value) -> Result<Self, SchemeError> {
        let alternatives = match description {
            Value::Array(list) if !list.is_empty() => {
                list.iter().map(Description::parse).collect::<Result<_, _>>()?
            }
            one => vec![Description::parse(one)?],
        };
        Ok(Self { alternatives })
    }

    /// Verifies a request and says what vouches for it. Where several alternatives fail, the
    /// reason is that of the one whose signature the request carries.
    pub fn verify(
        &self,
        request: &Request,
        recipient: &Recipient,
        _keys: &KeyRing,
    ) -> Result<&'static str, Rejection> {
        if self.alternatives.is_empty() {
            return Ok("none");
        }
        let secrets = &recipient.secrets;
        if secrets.is_empty() {
            return Err(Rejection::NoSecret);
        }
        let mut reason = None;
        for description in &self.alternatives {
            match description.verify(request, secrets) {
                Ok(()) => return Ok(description.name()),
                Err(Rejection::MissingSignature(missing)) => {
                    reason.get_or_insert(Rejection::MissingSignature(missing));
                }
                Err(rejection) => reason = Some(rejection),
            }
        }
        Err(reason.unwrap_or(Rejection::BadSignature))
    }

    /// The header fields that make `request` a signed one, by the first alternative. For trying
    /// out and for writing samples; never used to check anything.
    pub fn sign(
        &self,
        request: &Request,
        secret: &SecretString,
    ) -> Result<Vec<(String, String)>, SchemeError> {
        self.alternatives
            .first()
            .map_or_else(|| Ok(Vec::new()), |first| first.sign(request, secret))
    }

    /// Whether a delivery that is too old can be told from a fresh one.
    pub fn has_timestamp(&self) -> bool {
        self.alternatives.iter().any(|description| description.timestamp.is_some())
    }

    /// Whether anything is signed at all.
    pub fn is_signed(&self) -> bool {
        !self.alternatives.is_empty()
    }

    /// Header fields (lower case) whose value is a credential that could be used again.
    pub fn secret_carriers(&self) -> Vec<String> {
        let tokens = self.alternatives.iter().filter(|one| one.kind == Kind::Token);
        let headers = tokens.flat_map(|one| one.source.headers());
        headers.map(|name| name.to_ascii_lowercase()).collect()
    }
}

impl Description {
    /// What is written on receipts.
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Hmac => self.algorithm.hmac_name(),
            Kind::Digest => "digest",
            Kind::Token => "token",
            Kind::StandardWebhooks => "standard-webhooks",
        }
    }

    fn verify(&self, request: &Request, secrets: &[SecretString]) -> Result<(), Rejection> {
        let carried = self.carried(request)?;
        let candidates = self.candidates(&carried)?;
        if self.kind == Kind::Token {
            let any = candidates.iter().any(|candidate| one_of(candidate, secrets));
            return if any { Ok(()) } else { Err(Rejection::BadSignature) };
        }
        let timestamp = self.timestamp_text(request, &carried)?;
        let parts = Parts { request, timestamp: timestamp.as_deref() };
        let message = self.message.render(&parts)?;
        let mut matched = Choice::from(0);
        for secret in secrets {
            let Some(expected) = self.compute(secret, &message) else {
                continue;
            };
            for candidate in &candidates {
                matched |= expected.as_slice().ct_eq(candidate);
            }
        }
        if !bool::from(matched) {
            return Err(Rejection::BadSignature);
        }
        // Only a timestamp that is signed says anything, so it is judged last.
        self.check_age(timestamp.as_deref(), request.received_at)
    }

    /// The texts that carry signatures: one in each place that has any.
    fn carried(&self, request: &Request) -> Result<Vec<String>, Rejection> {
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
            Source::Body(field) => {
                look(body_field(request, field).as_deref().into_iter().collect())?;
            }
            Source::Basic => {
                let values: Vec<&str> = request.headers.all("authorization").collect();
                look(values)?;
                carried = carried.iter().filter_map(|text| basic_credentials(text)).collect();
            }
        }
        if carried.is_empty() {
            return Err(Rejection::MissingSignature(self.source.to_string()));
        }
        Ok(carried)
    }

    /// The decoded signatures in the carried texts.
    fn candidates(&self, carried: &[String]) -> Result<Vec<Vec<u8>>, Rejection> {
        let split = |text: &'_ str| -> Vec<String> {
            match (&self.pair, &self.separator) {
                (Some(key), separator) => {
                    pairs(text, separator.as_deref(), key).into_iter().map(str::to_owned).collect()
                }
                (None, Some(separator)) => {
                    text.split(separator.as_str()).map(str::to_owned).collect()
                }
                (None, None) => vec![text.to_owned()],
            }
        };
        let decoded: Vec<Vec<u8>> = carried
            .iter()
            .flat_map(|text| split(text))
            .filter_map(|text| text.trim().strip_prefix(self.prefix.as_str()).map(str::to_owned))
            .take(CANDIDATES)
            .filter_map(|text| self.decode(&text))
            .filter(|bytes| !bytes.is_empty())
            .collect();
        if decoded.is_empty() {
            let form = if self.prefix.is_empty() {
                String::new()
            } else {
                format!(" after `{}`", self.prefix)
            };
            let expected = format!("expected {}{form} in {}", self.encoding.name(), self.source);
            return Err(Rejection::MalformedSignature(expected));
        }
        Ok(decoded)
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        if self.kind == Kind::Token {
            return Some(text.as_bytes().to_vec());
        }
        let bytes = self.encoding.decode(text)?;
        (bytes.len() == self.algorithm.length()).then_some(bytes)
    }

    fn sign(
        &self,
        request: &Request,
        secret: &SecretString,
    ) -> Result<Vec<(String, String)>, SchemeError> {
        let Some(name) = self.source.headers().first() else {
            return Err(SchemeError {
                field: "header".to_owned(),
                message: "only a signature in a header field can be made here".to_owned(),
                hint: None,
            });
        };
        if self.kind == Kind::Token {
            return Ok(vec![(name.clone(), format!("{}{}", self.prefix, secret.expose_secret()))]);
        }
        let timestamp = self.timestamp.as_ref().map(|clock| clock.write(request.received_at));
        let parts = Parts { request, timestamp: timestamp.as_deref() };
        let signed =
            self.message.render(&parts).ok().and_then(|message| self.compute(secret, &message));
        let Some(mac) = signed else {
            return Err(SchemeError {
                field: "message".to_owned(),
                message: "the request lacks what the message is made of".to_owned(),
                hint: None,
            });
        };
        let mut value = format!("{}{}", self.prefix, self.encoding.encode(&mac));
        let mut fields = Vec::new();
        if let (Some(clock), Some(timestamp)) = (&self.timestamp, timestamp) {
            match (&clock.pair, &clock.header) {
                (Some(pair), _) => {
                    value = format!(
                        "{pair}={timestamp},{}={value}",
                        self.pair.as_deref().unwrap_or_default()
                    );
                }
                (None, Some(header)) => fields.push((header.clone(), timestamp)),
                (None, None) => {}
            }
        }
        fields.push((name.clone(), value));
        Ok(fields)
    }
}

/// The values of `key` in text such as `t=1,v1=abc,v1=def`.
fn pairs<'a>(text: &'a str, separator: Option<&str>, key: &str) -> Vec<&'a str> {
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

/// A field of the body as text: by JSON pointer, or by the name of a form field. Only for schemes
/// that put something they sign, or the signature itself, into the body.
fn body_field(request: &Request, field: &str) -> Option<String> {
    if !field.starts_with('/') {
        let mut fields = url::form_urlencoded::parse(&request.body);
        return fields.find(|(name, _)| name == field).map(|(_, value)| value.into_owned());
    }
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    match body.pointer(field)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Whether `given` is one of the secrets; takes as long whichever it is.
pub(crate) fn one_of(given: &[u8], secrets: &[SecretString]) -> bool {
    let mut matched = Choice::from(0);
    for secret in secrets {
        matched |= secret.expose_secret().as_bytes().ct_eq(given);
    }
    bool::from(matched)
}
