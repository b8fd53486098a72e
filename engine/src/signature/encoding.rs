//! How bytes are written as text, hash functions, and how a secret's text becomes key bytes.

use data_encoding::{
    BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE,
};
use md5::Md5;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

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
    /// Bytes of a hash.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    pub(super) fn hash(self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(input).to_vec(),
            Self::Sha1 => Sha1::digest(input).to_vec(),
            Self::Sha256 => Sha256::digest(input).to_vec(),
            Self::Sha512 => Sha512::digest(input).to_vec(),
        }
    }
}

/// How a secret's text becomes key bytes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KeyForm {
    /// The text itself where absent.
    pub(super) encoding: Option<Encoding>,
    /// Taken off the text first, where it is there.
    pub(super) strip_prefix: String,
    /// The key is this hash of those bytes, where the provider derives it so.
    pub(super) hash: Option<Algorithm>,
    /// A text that does not begin so is no key of this scheme.
    #[serde(skip)]
    pub(super) only_after: Option<&'static str>,
    /// A text that begins so is a key of another scheme; a public one must never serve as secret.
    #[serde(skip)]
    pub(super) never_after: Option<&'static str>,
}

impl KeyForm {
    /// The key in a secret's text; none if the text is not of the declared form, or empty: an
    /// empty key would let anybody sign.
    pub(super) fn bytes(&self, secret: &SecretString) -> Option<Vec<u8>> {
        let text = secret.expose_secret();
        if self.only_after.is_some_and(|prefix| !text.starts_with(prefix))
            || self.never_after.is_some_and(|prefix| text.starts_with(prefix))
        {
            return None;
        }
        let text = text.strip_prefix(self.strip_prefix.as_str()).unwrap_or(text);
        let key = match self.encoding {
            None => text.as_bytes().to_vec(),
            Some(encoding) => encoding.decode(text)?,
        };
        if key.is_empty() {
            return None;
        }
        Some(self.hash.map_or(key.clone(), |algorithm| algorithm.hash(&key)))
    }
}
