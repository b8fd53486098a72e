//! One way in which a delivery may be signed, compiled; and holding a request against it.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq};

use super::{
    clock::Clock,
    encoding::{Algorithm, Encoding},
    jwt::{Jwt, TokenKey, TokenTime},
    keys::KeyRing,
    mac::Mac,
    message::{Message, Parts},
    place::Place,
    public_key::{Family, KeySource},
    reading::Reading,
    sealed::AesGcm,
};
use crate::Rejection;

/// Items of a body that are each signed for themselves.
const ITEMS: usize = 1000;

/// One way in which a delivery may be signed.
#[derive(Debug, Clone)]
pub(super) struct Description {
    pub(super) proof: Proof,
    pub(super) place: Place,
    /// How signatures are written.
    pub(super) encoding: Encoding,
    /// What is signed.
    pub(super) message: Message,
    pub(super) clock: Option<Clock>,
    /// The array whose items are each signed for themselves.
    pub(super) each: Option<String>,
    /// A hash of the body besides the signature.
    pub(super) body_hash: Option<BodyHash>,
    /// Where a request has this header field (lower case), be it empty, only another way counts.
    pub(super) unless_header: Option<String>,
}

/// What makes a request genuine.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// It has the secret itself.
    Token,
    /// Only who has the secret could compute this.
    Mac(Mac),
    /// The same, by the Standard Webhooks specification.
    StandardWebhooks(Mac),
    /// Only the provider could sign this.
    PublicKey(Family, KeySource),
    Jwt(Box<Jwt>),
    /// Only who has the secret could encrypt this.
    AesGcm(AesGcm),
}

/// A hash of the body that stands beside a signature which covers its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodyHash {
    #[serde(default)]
    pub(super) header: Option<String>,
    #[serde(default)]
    pub(super) query: Option<String>,
    /// Right if it is not there at all.
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) algorithm: Algorithm,
    #[serde(default)]
    pub(super) encoding: Encoding,
}

impl Description {
    /// What is written on receipts.
    pub(super) fn name(&self) -> &'static str {
        match &self.proof {
            Proof::Token => "token",
            Proof::Mac(mac) => mac.name(),
            Proof::StandardWebhooks(_) => "standard-webhooks",
            Proof::PublicKey(family, _) => family.name(),
            Proof::Jwt(_) => "jwt",
            Proof::AesGcm(_) => "aes-gcm",
        }
    }

    /// Whether a delivery that is too old can be told from a fresh one.
    pub(super) fn has_timestamp(&self) -> bool {
        match &self.proof {
            Proof::Jwt(jwt) => jwt.time != TokenTime::None,
            _ => self.clock.is_some(),
        }
    }

    /// Whether what a request carries could be used again for another.
    pub(super) fn is_reusable(&self) -> bool {
        matches!(self.proof, Proof::Token | Proof::Jwt(_))
    }

    /// The URL of the set of keys it needs.
    pub(super) fn jwks(&self) -> Option<&str> {
        let source = match &self.proof {
            Proof::PublicKey(_, source) => source,
            Proof::Jwt(jwt) => match &jwt.key {
                TokenKey::Public(source) => source,
                TokenKey::Secret(_) => return None,
            },
            _ => return None,
        };
        match source {
            KeySource::Jwks(url) => Some(url),
            _ => None,
        }
    }

    fn needs_secret(&self) -> bool {
        match &self.proof {
            Proof::PublicKey(_, source) => source.needs_secret(),
            Proof::Jwt(jwt) => match &jwt.key {
                TokenKey::Public(source) => source.needs_secret(),
                TokenKey::Secret(_) => true,
            },
            _ => true,
        }
    }

    /// Verifies a request; gives the body that the proof contains in place of the one sent.
    pub(super) fn verify(
        &self,
        reading: &Reading<'_>,
        ring: &KeyRing,
    ) -> Result<Option<Vec<u8>>, Rejection> {
        if let Some(name) = &self.unless_header
            && reading.request.headers.get(name).is_some()
        {
            let place = format!("{}, which does not count beside `{name}`", self.place.source);
            return Err(Rejection::MissingSignature(place));
        }
        if self.needs_secret() && reading.recipient.secrets.is_empty() {
            return Err(Rejection::NoSecret);
        }
        let body = match &self.each {
            None => self.verify_one(reading, ring)?,
            Some(pointer) => {
                let array = || Rejection::MissingSignature(format!("the array `{pointer}`"));
                let items = reading.json().and_then(|body| body.pointer(pointer)?.as_array());
                let items = items.filter(|items| !items.is_empty()).ok_or_else(array)?;
                if items.len() > ITEMS {
                    let limit = format!("at most {ITEMS} items in `{pointer}` are verified");
                    return Err(Rejection::MalformedSignature(limit));
                }
                for item in items {
                    self.verify_one(&reading.within(item), ring)?;
                }
                None
            }
        };
        match &self.body_hash {
            Some(hash) => hash.check(reading).map(|()| body),
            None => Ok(body),
        }
    }

    fn verify_one(
        &self,
        reading: &Reading<'_>,
        ring: &KeyRing,
    ) -> Result<Option<Vec<u8>>, Rejection> {
        let carried = self.place.carried(reading)?;
        match &self.proof {
            Proof::Token => {
                let form = "the secret";
                let given = self.place.candidates(&carried, form, |text| Some(text.into()))?;
                let secrets = &reading.recipient.secrets;
                let any = given.iter().any(|candidate| one_of(candidate, secrets));
                any.then_some(None).ok_or(Rejection::BadSignature)
            }
            Proof::Jwt(jwt) => {
                let [token] = carried.as_slice() else {
                    return Err(Rejection::DuplicateSignature(self.place.source.to_string()));
                };
                let whole = self.place.source.is_whole_body();
                let claims = jwt.verify(self.without_prefix(token), whole, reading, ring)?;
                Ok(whole.then_some(claims))
            }
            Proof::AesGcm(sealed) => {
                let plaintext = sealed.open(carried.first().map_or("", String::as_str), reading)?;
                Ok(Some(plaintext))
            }
            Proof::Mac(_) | Proof::StandardWebhooks(_) | Proof::PublicKey(..) => {
                self.verify_message(&carried, reading, ring).map(|()| None)
            }
        }
    }

    /// Verifies signatures over a message made of the request.
    fn verify_message(
        &self,
        carried: &[String],
        reading: &Reading<'_>,
        ring: &KeyRing,
    ) -> Result<(), Rejection> {
        let length = match &self.proof {
            Proof::Mac(mac) | Proof::StandardWebhooks(mac) => Some(mac.algorithm.length()),
            Proof::PublicKey(family, _) => family.length(),
            _ => None,
        };
        let fits = |bytes: &Vec<u8>| length.is_none_or(|length| bytes.len() == length);
        let read = |text: &str| self.encoding.decode(text).filter(fits);
        let candidates = self.place.candidates(carried, self.encoding.name(), read)?;
        let separator = self.place.separator.as_deref();
        let timestamp = match &self.clock {
            Some(clock) => Some(clock.text(reading, carried, separator)?),
            None => None,
        };
        let parts = Parts { reading, timestamp: timestamp.as_deref(), secret: &[] };
        let good = match &self.proof {
            Proof::Mac(mac) | Proof::StandardWebhooks(mac) => {
                self.any_mac(mac, &candidates, &parts)?
            }
            Proof::PublicKey(family, source) => {
                let message = self.message.render(&parts)?;
                let keys = source.keys(*family, reading, ring)?;
                keys.iter().any(|key| candidates.iter().any(|one| key.verifies(&message, one)))
            }
            _ => false,
        };
        if !good {
            return Err(Rejection::BadSignature);
        }
        // Only a timestamp that is signed says anything, so it is judged last.
        match (&self.clock, timestamp) {
            (Some(clock), Some(text)) => clock.check_age(&text, reading.request.received_at),
            _ => Ok(()),
        }
    }

    fn any_mac(
        &self,
        mac: &Mac,
        candidates: &[Vec<u8>],
        parts: &Parts<'_>,
    ) -> Result<bool, Rejection> {
        let with_secret = self.message.needs_secret();
        let shared = if with_secret { Vec::new() } else { self.message.render(parts)? };
        let mut matched = Choice::from(0);
        for secret in &parts.reading.recipient.secrets {
            let Some(key) = mac.key.bytes(secret) else { continue };
            let own = if with_secret {
                Some(self.message.render(&Parts { secret: &key, ..*parts })?)
            } else {
                None
            };
            let expected = mac.compute(&key, own.as_ref().unwrap_or(&shared));
            for candidate in candidates {
                matched |= expected.as_slice().ct_eq(candidate);
            }
        }
        Ok(bool::from(matched))
    }

    /// What the scheme's prefix precedes, if it is there: `Bearer` is written in any case.
    fn without_prefix<'t>(&self, token: &'t str) -> &'t str {
        let prefix = self.place.prefix.as_str();
        let given = token.get(..prefix.len()).filter(|given| given.eq_ignore_ascii_case(prefix));
        given.map_or(token, |given| token[given.len()..].trim_start())
    }
}

impl BodyHash {
    fn check(&self, reading: &Reading<'_>) -> Result<(), Rejection> {
        let request = reading.request;
        let (given, place): (Vec<&str>, _) = match (&self.header, &self.query) {
            (Some(name), _) => {
                let values = request.headers.iter();
                let values = values.filter(|(known, _)| known.eq_ignore_ascii_case(name));
                (values.map(|(_, value)| value).collect(), format!("the header `{name}`"))
            }
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                let values = request.query.iter().filter(|(known, _)| known == name);
                let place = format!("the query parameter `{name}`");
                (values.map(|(_, value)| value.as_str()).collect(), place)
            }
        };
        let given = match given.as_slice() {
            [] if self.optional => return Ok(()),
            [given] => *given,
            _ => {
                let what = format!("a hash of the body in {place}");
                return Err(Rejection::MissingSignature(what));
            }
        };
        let expected = self.algorithm.hash(&reading.request.body);
        let given = self.encoding.decode(given.trim());
        if given.is_some_and(|given| bool::from(given.ct_eq(&expected))) {
            return Ok(());
        }
        Err(Rejection::BadSignature)
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
