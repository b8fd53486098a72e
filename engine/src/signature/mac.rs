//! The arithmetic of symmetric schemes, and the window against replay.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::description::{Algorithm, Clock, Description, Kind, Unit};
use crate::{Micros, Rejection, Request};

const MICROS: i64 = 1_000_000;

impl Description {
    /// The signature that `secret` gives the message; none if the secret's text is not of the
    /// declared form, or empty: an empty key would let anybody sign.
    pub(super) fn compute(&self, secret: &SecretString, message: &[u8]) -> Option<Vec<u8>> {
        let text = secret.expose_secret();
        let text = text.strip_prefix(self.key.strip_prefix.as_str()).unwrap_or(text);
        let key = match self.key.encoding {
            None => text.as_bytes().to_vec(),
            Some(encoding) => encoding.decode(text)?,
        };
        if key.is_empty() {
            return None;
        }
        Some(match (self.kind, self.algorithm) {
            (Kind::Digest, algorithm) => digest(algorithm, &key, message),
            (_, Algorithm::Md5) => mac::<Hmac<Md5>>(&key, message),
            (_, Algorithm::Sha1) => mac::<Hmac<Sha1>>(&key, message),
            (_, Algorithm::Sha256) => mac::<Hmac<Sha256>>(&key, message),
            (_, Algorithm::Sha512) => mac::<Hmac<Sha512>>(&key, message),
        })
    }

    /// The text of the signed timestamp, where the scheme has one.
    pub(super) fn timestamp_text(
        &self,
        request: &Request,
        carried: &[String],
    ) -> Result<Option<String>, Rejection> {
        let Some(clock) = &self.timestamp else { return Ok(None) };
        let places = [&clock.header, &clock.pair, &clock.body];
        let place = places.into_iter().flatten().next().cloned().unwrap_or_default();
        let text = if let Some(header) = &clock.header {
            let name = header.to_ascii_lowercase();
            let mut values = request.headers.all(&name);
            values.next().filter(|_| values.next().is_none()).map(str::to_owned)
        } else if let Some(key) = &clock.pair {
            let separator = self.separator.as_deref();
            let found = carried.iter().find_map(|text| super::pairs(text, separator, key).pop());
            found.map(str::to_owned)
        } else {
            clock.body.as_ref().and_then(|field| super::body_field(request, field))
        };
        text.map(|text| Some(text.trim().to_owned())).ok_or(Rejection::BadTimestamp(place))
    }

    /// Whether the signed time is near enough to the time of arrival.
    pub(super) fn check_age(
        &self,
        text: Option<&str>,
        received_at: Micros,
    ) -> Result<(), Rejection> {
        let (Some(clock), Some(text)) = (&self.timestamp, text) else {
            return Ok(());
        };
        let signed_at =
            clock.read(text).ok_or_else(|| Rejection::BadTimestamp(clock.form().to_owned()))?;
        let skew = received_at.saturating_sub(signed_at);
        if skew.saturating_abs() > clock.tolerance.saturating_mul(MICROS) {
            return Err(Rejection::Stale {
                skew_seconds: skew / MICROS,
                tolerance_seconds: clock.tolerance,
            });
        }
        Ok(())
    }
}

impl Clock {
    fn form(&self) -> &'static str {
        match self.unit {
            Unit::S => "seconds since the epoch",
            Unit::Ms => "milliseconds since the epoch",
            Unit::Iso => "a time such as 2026-11-24T10:00:00Z",
        }
    }

    fn read(&self, text: &str) -> Option<Micros> {
        let number = || text.parse::<i64>().ok();
        match self.unit {
            Unit::S => number().map(|seconds| seconds.saturating_mul(MICROS)),
            Unit::Ms => number().map(|millis| millis.saturating_mul(1000)),
            Unit::Iso => text.parse().ok().map(Timestamp::as_microsecond),
        }
    }

    /// A time as the provider would write it.
    pub(super) fn write(&self, micros: Micros) -> String {
        match self.unit {
            Unit::S => (micros / MICROS).to_string(),
            Unit::Ms => (micros / 1000).to_string(),
            Unit::Iso => Timestamp::from_microsecond(micros).unwrap_or_default().to_string(),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// A plain hash over the secret followed by the message, as some older schemes have it.
fn digest(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    let input = [key, message].concat();
    match algorithm {
        Algorithm::Md5 => Md5::digest(&input).to_vec(),
        Algorithm::Sha1 => Sha1::digest(&input).to_vec(),
        Algorithm::Sha256 => Sha256::digest(&input).to_vec(),
        Algorithm::Sha512 => Sha512::digest(&input).to_vec(),
    }
}
