//! The part of the vocabulary that says what proves a request genuine: families, keys, claims.

use serde::Deserialize;

use super::{KINDS, OneOrMore, Written};
use crate::{
    nearest::did_you_mean,
    signature::{
        SchemeError,
        description::Proof,
        encoding::{Algorithm, Encoding, KeyForm},
        jwt::{ClaimedHash, Jwt, JwtAlgorithm, Template, TokenKey, TokenTime},
        keys::HostPattern,
        mac::Mac,
        public_key::{Family, KeySource, UrlPlace, pem_block, pem_key},
        sealed::AesGcm,
    },
};

/// How an ECDSA signature is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Der,
    Raw,
}

/// How an RSA signature is padded.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Padding {
    Pkcs1,
    Pss,
}

/// Where the public key of an asymmetric scheme comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum PublicKey {
    Secret(KeyText),
    Pem(String),
    Certificate { header: Option<String>, body: Option<String>, hosts: Vec<String> },
    Jwks(String),
}

/// How a public key is written where it is the recipient's secret.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyText {
    Hex,
    Base64,
    Base64Url,
    Pem,
}

/// What a signed token must say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Claims {
    issuer: Option<OneOrMore>,
    audience: Option<OneOrMore>,
    email: Option<String>,
    time: TokenTime,
    /// Claim that holds the hash of the body.
    body_hash: Option<ClaimedHash>,
    algorithms: Vec<String>,
}

impl Written {
    /// What makes a request genuine.
    pub(super) fn proof(&self) -> Result<Proof, SchemeError> {
        let algorithm = self.algorithm.unwrap_or_default();
        let mac = |plain| Proof::Mac(Mac { algorithm, key: self.key.clone(), plain });
        Ok(match self.kind.as_str() {
            "hmac" => mac(false),
            "digest" => mac(true),
            "token" => Proof::Token,
            "ed25519" => self.public_key_proof(Family::Ed25519)?,
            "ecdsa" => self.public_key_proof(match self.format {
                None | Some(Format::Der) => Family::EcdsaDer,
                Some(Format::Raw) => Family::EcdsaRaw,
            })?,
            "rsa" => self.public_key_proof(match (algorithm, self.padding) {
                (Algorithm::Sha1, None | Some(Padding::Pkcs1)) => Family::RsaSha1,
                (Algorithm::Sha256, None | Some(Padding::Pkcs1)) => Family::RsaSha256,
                (Algorithm::Sha512, None | Some(Padding::Pkcs1)) => Family::RsaSha512,
                (Algorithm::Sha256, Some(Padding::Pss)) => Family::RsaPssSha256,
                (Algorithm::Sha512, Some(Padding::Pss)) => Family::RsaPssSha512,
                _ => {
                    let why = "give sha1, sha256 or sha512; with the padding `pss`, not sha1";
                    return Err(SchemeError::new("algorithm", why));
                }
            })?,
            "jwt" => Proof::Jwt(Box::new(self.jwt()?)),
            "aes_gcm" => Proof::AesGcm(AesGcm {
                encoding: self.encoding.unwrap_or_default(),
                key: self.key.clone(),
                iv: self.iv.clone().ok_or_else(|| {
                    SchemeError::new("iv", "say in which header the initialisation vector stands")
                })?,
                tag: self.tag.clone(),
            }),
            other => {
                let near = did_you_mean(other, KINDS.into_iter());
                let message = format!("`{other}` is not one of {}{near}", KINDS.join(", "));
                return Err(SchemeError::new("kind", message));
            }
        })
    }

    fn public_key_proof(&self, family: Family) -> Result<Proof, SchemeError> {
        let Some(written) = &self.public_key else {
            let message = format!("`{}` needs a `public_key`", self.kind);
            let hint = "Say where it comes from, such as #{ secret: \"hex\" }.";
            return Err(SchemeError::new("public_key", message).hint(hint));
        };
        match written.source(Some(family))? {
            KeySource::Jwks(_) => {
                let why = "a set of keys is for the kind `jwt`, whose tokens name theirs";
                Err(SchemeError::new("public_key", why))
            }
            source => Ok(Proof::PublicKey(family, source)),
        }
    }

    fn jwt(&self) -> Result<Jwt, SchemeError> {
        let claims = &self.jwt;
        let wrong = |why: String| SchemeError::new("jwt", why);
        let default = if self.public_key.is_some() { "RS256" } else { "HS256" };
        let mut names: Vec<&str> = claims.algorithms.iter().map(String::as_str).collect();
        if names.is_empty() {
            names.push(default);
        }
        let mut algorithms = Vec::new();
        for name in names {
            let known = JwtAlgorithm::NAMES.join(", ");
            let algorithm = JwtAlgorithm::parse(name)
                .ok_or_else(|| wrong(format!("`{name}` is not one of {known}")))?;
            // A public key must never serve as the secret of an HMAC.
            let public = matches!(algorithm, JwtAlgorithm::Public(_));
            if public != self.public_key.is_some() {
                return Err(wrong(if public {
                    format!("`{name}` needs a `public_key`")
                } else {
                    format!("`{name}` has the secret as its key, and no `public_key`")
                }));
            }
            algorithms.push(algorithm);
        }
        if claims.time == TokenTime::None && claims.body_hash.is_none() && !self.is_whole_body() {
            let why = "a token without time must be bound to the body by `body_hash`";
            return Err(wrong(why.to_owned()));
        }
        let templates = |texts: &Option<OneOrMore>| {
            let texts = texts.iter().flat_map(OneOrMore::texts);
            let templates = texts.map(|text| Template::parse(text).map_err(&wrong));
            templates.collect::<Result<Vec<_>, _>>()
        };
        let only = match algorithms.as_slice() {
            [JwtAlgorithm::Public(family)] => Some(*family),
            _ => None,
        };
        Ok(Jwt {
            key: match &self.public_key {
                Some(written) => TokenKey::Public(written.source(only)?),
                None => TokenKey::Secret(self.key.clone()),
            },
            algorithms,
            issuer: templates(&claims.issuer)?,
            audience: templates(&claims.audience)?,
            email: claims.email.as_deref().map(Template::parse).transpose().map_err(wrong)?,
            time: claims.time,
            body_hash: claims.body_hash.clone(),
        })
    }
}

impl PublicKey {
    /// The source, checked as far as it can be before anything was signed: `family` is what the
    /// key is for, where that is known.
    fn source(&self, family: Option<Family>) -> Result<KeySource, SchemeError> {
        let wrong = |why: String| SchemeError::new("public_key", why);
        let form = |encoding| KeyForm { encoding: Some(encoding), ..KeyForm::default() };
        Ok(match self {
            Self::Secret(KeyText::Pem) => KeySource::SecretPem,
            Self::Secret(KeyText::Hex) => KeySource::Secret(form(Encoding::Hex)),
            Self::Secret(KeyText::Base64) => KeySource::Secret(form(Encoding::Base64)),
            Self::Secret(KeyText::Base64Url) => KeySource::Secret(form(Encoding::Base64Url)),
            Self::Pem(text) => {
                let block = pem_block(text, "PUBLIC KEY").and_then(|_| pem_key(text));
                let key = block.ok_or_else(|| {
                    wrong("`pem` is not a block -----BEGIN PUBLIC KEY-----".to_owned())
                })?;
                if family.is_some_and(|family| family.key(&key).is_none()) {
                    return Err(wrong("`pem` holds a key of another kind".to_owned()));
                }
                KeySource::Fixed(key)
            }
            Self::Certificate { header, body, hosts } => {
                let at = match (header, body) {
                    (Some(name), None) => UrlPlace::Header(name.clone()),
                    (None, Some(field)) => UrlPlace::Body(field.clone()),
                    _ => {
                        let why = "say where the certificate's URL stands: `header` or `body`";
                        return Err(wrong(why.to_owned()));
                    }
                };
                if hosts.is_empty() {
                    let why = "say under `hosts` where certificates may come from";
                    return Err(wrong(why.to_owned()));
                }
                let hosts = hosts.iter().map(|host| HostPattern::parse(host).map_err(wrong));
                KeySource::Certificate { at, hosts: hosts.collect::<Result<_, _>>()? }
            }
            Self::Jwks(url) => {
                let https = url::Url::parse(url).is_ok_and(|url| url.scheme() == "https");
                if !https {
                    return Err(wrong(format!("`{url}` is not an https URL")));
                }
                KeySource::Jwks(url.clone())
            }
        })
    }
}
