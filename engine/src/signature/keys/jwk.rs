//! Sets of public keys in JSON (RFC 7517).

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::RsaPublicKeyComponents,
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::Value;

use crate::signature::public_key::Family;

/// Keys of a set that are looked at.
const KEYS: usize = 100;

/// One key that can verify signatures.
pub(super) struct Jwk {
    kid: Option<String>,
    alg: Option<String>,
    kind: Kind,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    Ed25519,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl Jwk {
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The key as [`Family::key`] reads it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it may verify a signature of this family, which the token calls `alg`.
    pub(super) fn fits(&self, family: Family, alg: &str) -> bool {
        let kind = match family {
            Family::Ed25519 => Kind::Ed25519,
            Family::EcdsaDer | Family::EcdsaRaw => Kind::P256,
            _ => Kind::Rsa,
        };
        self.kind == kind && self.alg.as_deref().is_none_or(|own| own == alg)
    }
}

/// The keys of a set that can verify signatures here; others may be in it, too.
pub(super) fn parse_set(answer: &[u8]) -> Result<Vec<Jwk>, String> {
    let set: Value = serde_json::from_slice(answer)
        .map_err(|error| format!("the answer is no JSON: {error}"))?;
    let keys = set["keys"].as_array().ok_or("the answer is not a set of keys")?;
    let keys: Vec<Jwk> = keys.iter().take(KEYS).filter_map(parse).collect();
    if keys.is_empty() { Err("the set has no key that could be used".to_owned()) } else { Ok(keys) }
}

fn parse(key: &Value) -> Option<Jwk> {
    let written = Written::deserialize(key).ok()?;
    if written.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let number = |text: &str| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok();
    let (kind, bytes) = match (written.kty.as_str(), written.crv.as_str()) {
        ("RSA", _) => {
            let components =
                RsaPublicKeyComponents { n: number(&written.n)?, e: number(&written.e)? };
            let der: PublicKeyX509Der<'_> = components.as_der().ok()?;
            (Kind::Rsa, der.as_ref().to_vec())
        }
        // An uncompressed point (SEC 1, section 2.3.3).
        ("EC", "P-256") => {
            let (x, y) = (number(&written.x)?, number(&written.y)?);
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            (Kind::P256, (x.len() == 32 && y.len() == 32).then_some(point)?)
        }
        ("OKP", "Ed25519") => {
            (Kind::Ed25519, number(&written.x).filter(|bytes| bytes.len() == 32)?)
        }
        _ => return None,
    };
    Some(Jwk { kid: written.kid, alg: written.alg, kind, bytes })
}
