//! Signed tokens (RFC 7515, RFC 7519): in a header, or in place of the body.
//!
//! The description says which algorithms count and whose key verifies, and nothing that a token
//! says of itself changes that: a key or a key's URL in its head is a reason to refuse it.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::{
    encoding::{Algorithm, Encoding, KeyForm},
    keys::KeyRing,
    mac,
    message::{Piece, pieces},
    public_key::{Family, KeySource},
    reading::Reading,
};
use crate::{Micros, Rejection};

/// Seconds by which clocks may differ.
const LEEWAY: i64 = 60;
/// Seconds since its making that a token without end is good for.
const ISSUED_WITHIN: i64 = 300;
/// Longest token in a header, in bytes.
const HEADER_TOKEN: usize = 16 << 10;
/// Parameters of a token's head that would let the token choose its key, or change what counts.
const REFUSED: [&str; 5] = ["jku", "x5u", "jwk", "x5c", "crit"];

/// What a token must be signed with, and what it must say.
#[derive(Debug, Clone)]
pub(super) struct Jwt {
    pub(super) algorithms: Vec<JwtAlgorithm>,
    pub(super) key: TokenKey,
    /// Any of these.
    pub(super) issuer: Vec<Template>,
    /// Any of these.
    pub(super) audience: Vec<Template>,
    pub(super) email: Option<Template>,
    pub(super) time: TokenTime,
    pub(super) body_hash: Option<ClaimedHash>,
}

/// Who signs.
#[derive(Debug, Clone)]
pub(super) enum TokenKey {
    Secret(KeyForm),
    Public(KeySource),
}

/// An algorithm (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JwtAlgorithm {
    Hmac(Algorithm),
    Public(Family),
}

/// The claims that bound a token's life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TokenTime {
    /// `exp` must be there.
    #[default]
    Exp,
    /// `iat` must be there, and not older than five minutes.
    Iat,
    /// None need be there; for tokens that are bound to one body.
    None,
}

/// A claim that holds a hash of the body.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimedHash {
    pub(super) claim: String,
    #[serde(default)]
    pub(super) algorithm: Algorithm,
    #[serde(default)]
    pub(super) encoding: Encoding,
}

/// The text a claim must have, with parts of the recipient in it.
#[derive(Debug, Clone)]
pub(super) struct Template(Vec<TemplatePart>);

#[derive(Debug, Clone)]
enum TemplatePart {
    Literal(String),
    Url,
    Fact(String),
}

impl JwtAlgorithm {
    pub(super) const NAMES: [&str; 8] =
        ["HS256", "HS512", "RS256", "RS512", "PS256", "PS512", "ES256", "EdDSA"];

    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hmac(Algorithm::Sha256),
            "HS512" => Self::Hmac(Algorithm::Sha512),
            "RS256" => Self::Public(Family::RsaSha256),
            "RS512" => Self::Public(Family::RsaSha512),
            "PS256" => Self::Public(Family::RsaPssSha256),
            "PS512" => Self::Public(Family::RsaPssSha512),
            "ES256" => Self::Public(Family::EcdsaRaw),
            "EdDSA" => Self::Public(Family::Ed25519),
            _ => return None,
        })
    }
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = pieces(text)?.into_iter().map(|piece| match piece {
            Piece::Literal(text) => Ok(TemplatePart::Literal(text.to_owned())),
            Piece::Named("url") => Ok(TemplatePart::Url),
            Piece::Named(name) => match name.split_once(':') {
                Some(("fact", fact)) if !fact.is_empty() => Ok(TemplatePart::Fact(fact.to_owned())),
                _ => Err(format!("`{{{name}}}` is not a part; give {{url}} or {{fact:name}}")),
            },
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(parts)) }
    }

    pub(super) fn render(&self, reading: &Reading<'_>) -> Result<String, Rejection> {
        let parts = self.0.iter().map(|part| match part {
            TemplatePart::Literal(text) => Ok(text.clone()),
            TemplatePart::Url => Ok(reading.recipient.url.clone()),
            TemplatePart::Fact(name) => {
                reading.fact(name).ok_or_else(|| Rejection::MissingFact(name.clone()))
            }
        });
        parts.collect()
    }
}

impl Jwt {
    /// Verifies a token and gives its claims as they were signed.
    pub(super) fn verify(
        &self,
        token: &str,
        whole_body: bool,
        reading: &Reading<'_>,
        ring: &KeyRing,
    ) -> Result<Vec<u8>, Rejection> {
        if !whole_body && token.len() > HEADER_TOKEN {
            return Err(malformed("the token is too long"));
        }
        let (signed, signature) =
            token.rsplit_once('.').ok_or_else(|| malformed("expected a token of three parts"))?;
        let (head, claims) =
            signed.split_once('.').ok_or_else(|| malformed("expected a token of three parts"))?;
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        let (Some(head), Some(claims), Some(signature)) =
            (decode(head), decode(claims), decode(signature))
        else {
            return Err(malformed("the token is not base64url"));
        };
        let head: Value = serde_json::from_slice(&head)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| malformed("the token's head is not JSON"))?;
        self.check_signature(&head, signed.as_bytes(), &signature, reading, ring)?;
        let parsed: Value = serde_json::from_slice(&claims)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| malformed("the token's claims are not JSON"))?;
        self.check_claims(&parsed, reading)?;
        Ok(claims)
    }

    fn check_signature(
        &self,
        head: &Value,
        signed: &[u8],
        signature: &[u8],
        reading: &Reading<'_>,
        ring: &KeyRing,
    ) -> Result<(), Rejection> {
        if let Some(refused) = REFUSED.iter().find(|name| head.get(**name).is_some()) {
            return Err(malformed(&format!("`{refused}` in a token's head is not accepted")));
        }
        let alg = head["alg"].as_str().unwrap_or_default();
        let algorithm = JwtAlgorithm::parse(alg)
            .filter(|algorithm| self.algorithms.contains(algorithm))
            .ok_or_else(|| malformed("the token's algorithm is not one that is accepted"))?;
        let good = match (algorithm, &self.key) {
            (JwtAlgorithm::Hmac(algorithm), TokenKey::Secret(form)) => {
                let keys = reading.recipient.secrets.iter().filter_map(|secret| form.bytes(secret));
                keys.fold(false, |good, key| {
                    let expected = mac::hmac(algorithm, &key, signed);
                    good | bool::from(expected.as_slice().ct_eq(signature))
                })
            }
            (JwtAlgorithm::Public(family), TokenKey::Public(KeySource::Jwks(url))) => {
                let kid = head.get("kid").map(|kid| kid.as_str().unwrap_or_default());
                let key = ring.find(url, kid, (family, alg), reading.request.received_at)?;
                family.key(&key).is_some_and(|key| key.verifies(signed, signature))
            }
            (JwtAlgorithm::Public(family), TokenKey::Public(source)) => {
                let keys = source.keys(family, reading, ring)?;
                keys.iter().any(|key| key.verifies(signed, signature))
            }
            _ => false,
        };
        if good { Ok(()) } else { Err(Rejection::BadSignature) }
    }

    fn check_claims(&self, claims: &Value, reading: &Reading<'_>) -> Result<(), Rejection> {
        self.check_time(claims, reading.request.received_at)?;
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let audience: Vec<String> = match &claims["aud"] {
            Value::Array(several) => {
                several.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            one => one.as_str().map(str::to_owned).into_iter().collect(),
        };
        let any_of = |name: &'static str, given: &[String], expected: &[Template]| {
            let rendered = expected.iter().map(|template| template.render(reading));
            let rendered = rendered.collect::<Result<Vec<_>, _>>()?;
            if rendered.is_empty() || rendered.iter().any(|text| given.contains(text)) {
                Ok(())
            } else {
                Err(Rejection::WrongClaim(name.to_owned()))
            }
        };
        any_of("iss", text("iss").as_slice(), &self.issuer)?;
        any_of("aud", &audience, &self.audience)?;
        if let Some(email) = &self.email {
            any_of("email", text("email").as_slice(), std::slice::from_ref(email))?;
            if claims["email_verified"] != true {
                return Err(Rejection::WrongClaim("email_verified".to_owned()));
            }
        }
        let Some(hash) = &self.body_hash else { return Ok(()) };
        let expected = hash.algorithm.hash(&reading.request.body);
        let claimed = text(&hash.claim).and_then(|text| hash.encoding.decode(&text));
        if claimed.is_some_and(|claimed| bool::from(claimed.ct_eq(&expected))) {
            return Ok(());
        }
        Err(Rejection::WrongClaim(hash.claim.clone()))
    }

    /// Times are judged against the time of arrival, which a retried verification keeps.
    fn check_time(&self, claims: &Value, received_at: Micros) -> Result<(), Rejection> {
        let now = received_at.div_euclid(1_000_000);
        let stale = |skew_seconds: i64, tolerance_seconds: i64| {
            Err(Rejection::Stale { skew_seconds, tolerance_seconds })
        };
        let read = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => seconds(value)
                .map(Some)
                .ok_or_else(|| Rejection::BadTimestamp(format!("the claim `{name}`"))),
        };
        let required = |name: &str| Rejection::BadTimestamp(format!("the claim `{name}`"));
        let (expires, not_before, issued) = (read("exp")?, read("nbf")?, read("iat")?);
        match expires {
            Some(end) if now.saturating_sub(end) > LEEWAY => {
                return stale(now.saturating_sub(end), LEEWAY);
            }
            None if self.time == TokenTime::Exp => return Err(required("exp")),
            _ => {}
        }
        if let Some(start) = not_before.filter(|start| start.saturating_sub(now) > LEEWAY) {
            return stale(now.saturating_sub(start), LEEWAY);
        }
        if self.time == TokenTime::Iat {
            let skew = now.saturating_sub(issued.ok_or_else(|| required("iat"))?);
            if skew.saturating_abs() > ISSUED_WITHIN {
                return stale(skew, ISSUED_WITHIN);
            }
        }
        Ok(())
    }
}

/// A `NumericDate`, which may have a fraction.
fn seconds(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    text.split('.').next()?.parse().ok()
}

fn malformed(why: &str) -> Rejection {
    Rejection::MalformedSignature(why.to_owned())
}
