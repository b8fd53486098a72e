//! Signatures that only the provider can make: the families that run, and where their public keys
//! come from.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512,
    VerificationAlgorithm,
};
use data_encoding::BASE64;
use secrecy::SecretString;

use super::{
    encoding::KeyForm,
    keys::{HostPattern, KeyRing},
    reading::Reading,
};
use crate::Rejection;

/// A kind of signature with all that is fixed about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ed25519,
    /// On the curve P-256 with SHA-256; the signature in ASN.1, or as two numbers of 32 bytes.
    EcdsaDer,
    EcdsaRaw,
    /// RSA with PKCS #1 v1.5 padding, of at least 2048 bits.
    RsaSha1,
    RsaSha256,
    RsaSha512,
    /// RSA with PSS padding.
    RsaPssSha256,
    RsaPssSha512,
}

impl Family {
    /// What is written on receipts.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaDer | Self::EcdsaRaw => "ecdsa-p256-sha256",
            Self::RsaSha1 => "rsa-sha1",
            Self::RsaSha256 => "rsa-sha256",
            Self::RsaSha512 => "rsa-sha512",
            Self::RsaPssSha256 => "rsa-pss-sha256",
            Self::RsaPssSha512 => "rsa-pss-sha512",
        }
    }

    /// Bytes of a signature, where all have the same.
    pub(super) fn length(self) -> Option<usize> {
        matches!(self, Self::Ed25519 | Self::EcdsaRaw).then_some(64)
    }

    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::EcdsaDer => &ECDSA_P256_SHA256_ASN1,
            Self::EcdsaRaw => &ECDSA_P256_SHA256_FIXED,
            Self::RsaSha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::RsaSha256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::RsaSha512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
            Self::RsaPssSha512 => &RSA_PSS_2048_8192_SHA512,
        }
    }

    /// A key of this family in bytes: a `SubjectPublicKeyInfo` (RFC 5280), or the plain key where
    /// the family has such a form.
    pub(super) fn key(self, bytes: &[u8]) -> Option<Key> {
        ParsedPublicKey::new(self.algorithm(), bytes).ok().map(Key)
    }
}

/// A public key of one family.
pub(super) struct Key(ParsedPublicKey);

impl Key {
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// Where a public key comes from.
#[derive(Debug, Clone)]
pub(super) enum KeySource {
    /// The recipient's secret is the key, in this form.
    Secret(KeyForm),
    /// The recipient's secret is the key in PEM, or in base64 without the lines around it.
    SecretPem,
    /// It is always this one.
    Fixed(Vec<u8>),
    /// That of the certificate at the URL that stands here, on one of these hosts.
    Certificate { at: UrlPlace, hosts: Vec<HostPattern> },
    /// One of a set (RFC 7517) at this URL.
    Jwks(String),
}

/// Where the URL of a certificate stands in a request.
#[derive(Debug, Clone)]
pub(super) enum UrlPlace {
    Header(String),
    Body(String),
}

impl KeySource {
    /// Whether the recipient's secret is needed.
    pub(super) fn needs_secret(&self) -> bool {
        matches!(self, Self::Secret(_) | Self::SecretPem)
    }

    /// The keys that may have signed the request. Sets of keys are asked by [`KeyRing::find`],
    /// which knows the key's name.
    pub(super) fn keys(
        &self,
        family: Family,
        reading: &Reading<'_>,
        ring: &KeyRing,
    ) -> Result<Vec<Key>, Rejection> {
        let secrets = || reading.recipient.secrets.iter();
        Ok(match self {
            Self::Secret(form) => {
                secrets().filter_map(|secret| family.key(&form.bytes(secret)?)).collect()
            }
            Self::SecretPem => {
                secrets().filter_map(|secret| family.key(&pem_of(secret)?)).collect()
            }
            Self::Fixed(bytes) => family.key(bytes).into_iter().collect(),
            Self::Certificate { at, hosts } => {
                let (url, place) = match at {
                    UrlPlace::Header(name) => {
                        (reading.header(name).map(str::to_owned), format!("the header `{name}`"))
                    }
                    UrlPlace::Body(field) => {
                        (reading.field(field), format!("the field `{field}` of the body"))
                    }
                };
                let url = url.ok_or_else(|| {
                    Rejection::MissingSignature(format!("a certificate's URL in {place}"))
                })?;
                let key = ring.certificate(&url, hosts, reading.request.received_at)?;
                family.key(&key).into_iter().collect()
            }
            Self::Jwks(_) => Vec::new(),
        })
    }
}

fn pem_of(secret: &SecretString) -> Option<Vec<u8>> {
    use secrecy::ExposeSecret as _;
    pem_key(secret.expose_secret())
}

/// The public key in PEM (RFC 7468) or in plain base64. People paste keys through forms that
/// swallow line breaks, so these do not count.
pub(super) fn pem_key(text: &str) -> Option<Vec<u8>> {
    pem_block(text, "PUBLIC KEY").or_else(|| {
        let bare = !text.contains("-----");
        bare.then(|| base64_lines(text))?
    })
}

/// The bytes of the first block of PEM with this label.
pub(super) fn pem_block(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (inside, _) = rest.split_once(&format!("-----END {label}-----"))?;
    base64_lines(inside)
}

fn base64_lines(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\n", "");
    let bytes: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(&bytes).ok().filter(|bytes| !bytes.is_empty())
}
