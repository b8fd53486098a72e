//! Signature schemes: described as data by an app's script, compiled at load, run natively.
//!
//! One vocabulary fits every family of schemes that providers use; see `written`. What a request
//! carries is checked on its raw bytes, in constant time, against every current secret, and
//! anything unexpected is a rejection: no signature, two of them, one of another form.
//!
//! - `written`: what a script may say; `description`: the same compiled, and verification.
//! - `place`, `reading`, `message`, `clock`: where things stand in a request, and what is signed.
//! - `mac`, `public_key`, `jwt`, `sealed`: the families; `keys`: public keys from elsewhere.
//! - `sign`: making signatures, for trying an app out.

mod clock;
mod description;
mod encoding;
mod jwt;
mod keys;
mod mac;
mod message;
mod place;
mod public_key;
mod reading;
mod sealed;
mod sign;
mod written;

use std::cell::OnceCell;

use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;

pub(crate) use self::description::one_of;
pub(crate) use self::keys::HostPattern;
use self::{description::Description, reading::Reading};
pub use self::{encoding::Encoding, keys::KeyRing};
use crate::{Recipient, Rejection, Request, Verified};

/// How an app's deliveries are verified.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Any of these may vouch for a request; none at all means that nothing is signed.
    alternatives: Vec<Description>,
    /// Stands for schemes that differ from trigger to trigger, and vouches for nothing itself.
    of_each_trigger: bool,
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

impl SchemeError {
    pub(crate) fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into(), hint: None }
    }

    fn hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}

impl Scheme {
    /// The scheme of a provider that signs nothing.
    pub fn none() -> Self {
        Self { alternatives: Vec::new(), of_each_trigger: false }
    }

    /// Stands for the schemes of an app whose triggers each say how they are signed.
    pub(crate) fn of_each_trigger() -> Self {
        Self { of_each_trigger: true, ..Self::none() }
    }

    /// Reads what an app's `signature()` returned: one description, or a list of alternatives.
    pub fn parse(description: &Value) -> Result<Self, SchemeError> {
        let alternatives = match description {
            Value::Array(list) if !list.is_empty() => {
                let parsed = list.iter().map(written::parse).collect::<Result<Vec<_>, _>>()?;
                parsed.into_iter().flatten().collect()
            }
            one => written::parse(one)?,
        };
        Ok(Self { alternatives, of_each_trigger: false })
    }

    /// Verifies a request, and says what vouches for it. Where several alternatives fail, the
    /// reason is that of the one that came furthest.
    pub fn verify<'r>(
        &self,
        request: &'r Request,
        recipient: &Recipient,
        keys: &KeyRing,
    ) -> Result<Verified<'r>, Rejection> {
        if self.of_each_trigger {
            return Err(Rejection::NoScheme("it depends on the trigger".to_owned()));
        }
        if self.alternatives.is_empty() {
            return Ok(Verified::new(request, "none"));
        }
        let json = OnceCell::new();
        let reading = Reading::new(request, recipient, &json);
        let mut reason: Option<Rejection> = None;
        for description in &self.alternatives {
            match description.verify(&reading, keys) {
                Ok(None) => return Ok(Verified::new(request, description.name())),
                Ok(Some(body)) => {
                    return Ok(Verified::new(request, description.name()).with_body(body));
                }
                Err(rejection) => {
                    if reason.as_ref().is_none_or(|known| progress(&rejection) > progress(known)) {
                        reason = Some(rejection);
                    }
                }
            }
        }
        Err(reason.unwrap_or(Rejection::BadSignature))
    }

    /// The header fields that make `request` a signed one, by the first alternative that can be
    /// signed with a secret. For trying out and for writing samples; never used to check
    /// anything.
    pub fn sign(
        &self,
        request: &Request,
        secret: &SecretString,
    ) -> Result<Vec<(String, String)>, SchemeError> {
        let mut reason = None;
        for description in &self.alternatives {
            match description.sign(request, secret) {
                Ok(fields) => return Ok(fields),
                Err(error) => drop(reason.get_or_insert(error)),
            }
        }
        reason.map_or_else(|| Ok(Vec::new()), Err)
    }

    /// Whether a delivery that is too old can be told from a fresh one.
    pub fn has_timestamp(&self) -> bool {
        self.alternatives.iter().any(Description::has_timestamp)
    }

    /// Whether anything is signed at all.
    pub fn is_signed(&self) -> bool {
        self.of_each_trigger || !self.alternatives.is_empty()
    }

    /// Header fields (lower case) whose value is a credential that could be used again.
    pub fn secret_carriers(&self) -> Vec<String> {
        let reusable = self.alternatives.iter().filter(|one| one.is_reusable());
        let headers = reusable.flat_map(|one| one.place.source.headers());
        headers.map(|name| name.to_ascii_lowercase()).collect()
    }

    /// The URLs of the sets of public keys that verification needs.
    pub fn key_sets(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().filter_map(Description::jwks)
    }
}

/// How far verification came before it failed.
fn progress(rejection: &Rejection) -> u8 {
    match rejection {
        Rejection::MissingSignature(_) => 0,
        Rejection::MalformedSignature(_) => 1,
        Rejection::NoSecret | Rejection::MissingFact(_) => 2,
        Rejection::Stale { .. } | Rejection::WrongClaim(_) => 4,
        Rejection::KeyUnavailable(_) => 5,
        _ => 3,
    }
}
