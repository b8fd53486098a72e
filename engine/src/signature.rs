//! Signature schemes: described as data by an app's script, compiled at load, run natively.
//!
//! One description fits every family of schemes that providers use; see [`Description`]. What a
//! request carries is checked on its raw bytes, in constant time, against every current secret,
//! and anything unexpected is a rejection: no signature, two of them, one of another form.

mod description;
mod mac;
mod message;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

pub use self::description::{Description, Encoding};
use self::{
    description::{Kind, Source},
    message::Parts,
};
use crate::{Rejection, Request};

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
        secrets: &[SecretString],
    ) -> Result<&'static str, Rejection> {
        if self.alternatives.is_empty() {
            return Ok("none");
        }
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
        tokens.filter_map(|one| one.source.header().map(str::to_ascii_lowercase)).collect()
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

    /// The text that carries the signature; exactly one.
    fn carried(&self, request: &Request) -> Result<String, Rejection> {
        let place = self.source.to_string();
        let name;
        let mut values: Vec<&str> = match &self.source {
            Source::Header(header) => {
                name = header.to_ascii_lowercase();
                request.headers.all(&name).collect()
            }
            Source::Query(name) => {
                let pairs = request.query.iter().filter(|(key, _)| key == name);
                pairs.map(|(_, value)| value.as_str()).collect()
            }
        };
        match (values.pop(), values.is_empty()) {
            (Some(_), false) => Err(Rejection::DuplicateSignature(place)),
            (Some(value), true) if !value.trim().is_empty() => Ok(value.trim().to_owned()),
            _ => Err(Rejection::MissingSignature(place)),
        }
    }

    /// The decoded signatures in the carried text.
    fn candidates(&self, carried: &str) -> Result<Vec<Vec<u8>>, Rejection> {
        let texts: Vec<&str> = match (&self.pair, &self.separator) {
            (Some(key), _) => pairs(carried, self.separator.as_deref(), key),
            (None, Some(separator)) => carried.split(separator.as_str()).collect(),
            (None, None) => vec![carried],
        };
        let with_prefix = texts
            .iter()
            .map(|text| text.trim())
            .filter_map(|text| text.strip_prefix(self.prefix.as_str()));
        let decoded: Vec<Vec<u8>> = with_prefix
            .take(CANDIDATES)
            .filter_map(|text| self.decode(text))
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
        let Source::Header(name) = &self.source else {
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

/// Whether `given` is one of the secrets; takes as long whichever it is.
pub(crate) fn one_of(given: &[u8], secrets: &[SecretString]) -> bool {
    let mut matched = Choice::from(0);
    for secret in secrets {
        matched |= secret.expose_secret().as_bytes().ct_eq(given);
    }
    bool::from(matched)
}
