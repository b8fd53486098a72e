//! The arithmetic of symmetric schemes: a key that both sides know.

use hmac::{Hmac, KeyInit};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::encoding::{Algorithm, KeyForm};

/// A keyed hash over the message.
#[derive(Debug, Clone)]
pub(super) struct Mac {
    pub(super) algorithm: Algorithm,
    pub(super) key: KeyForm,
    /// A plain hash of a message that contains the secret, as some older schemes have it, and
    /// not an HMAC.
    pub(super) plain: bool,
}

impl Mac {
    /// What is written on receipts.
    pub(super) fn name(&self) -> &'static str {
        match (self.plain, self.algorithm) {
            (true, _) => "digest",
            (_, Algorithm::Md5) => "hmac-md5",
            (_, Algorithm::Sha1) => "hmac-sha1",
            (_, Algorithm::Sha256) => "hmac-sha256",
            (_, Algorithm::Sha512) => "hmac-sha512",
        }
    }

    /// The signature of a message; a plain hash's message already contains the key.
    pub(super) fn compute(&self, key: &[u8], message: &[u8]) -> Vec<u8> {
        if self.plain { self.algorithm.hash(message) } else { hmac(self.algorithm, key, message) }
    }
}

/// HMAC (RFC 2104).
pub(super) fn hmac(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Md5 => keyed::<Hmac<Md5>>(key, message),
        Algorithm::Sha1 => keyed::<Hmac<Sha1>>(key, message),
        Algorithm::Sha256 => keyed::<Hmac<Sha256>>(key, message),
        Algorithm::Sha512 => keyed::<Hmac<Sha512>>(key, message),
    }
}

fn keyed<M: hmac::Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
