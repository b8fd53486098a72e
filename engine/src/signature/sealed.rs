//! Encrypted bodies: whoever could encrypt one with the shared key has signed it, too.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{
    encoding::{Encoding, KeyForm},
    reading::Reading,
};
use crate::Rejection;

/// AES in Galois/Counter mode (NIST SP 800-38D), with a key of 128 or 256 bits.
#[derive(Debug, Clone)]
pub(super) struct AesGcm {
    /// How the ciphertext is written.
    pub(super) encoding: Encoding,
    pub(super) key: KeyForm,
    pub(super) iv: HeaderBytes,
    /// The end of the ciphertext where absent.
    pub(super) tag: Option<HeaderBytes>,
}

/// Bytes in a header field.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderBytes {
    pub(super) header: String,
    #[serde(default)]
    pub(super) encoding: Encoding,
}

impl AesGcm {
    /// The plaintext, if one of the recipient's keys opens what was carried.
    pub(super) fn open(&self, carried: &str, reading: &Reading<'_>) -> Result<Vec<u8>, Rejection> {
        let mut sealed = self.encoding.decode(carried.trim()).ok_or_else(|| {
            Rejection::MalformedSignature(format!("expected {}", self.encoding.name()))
        })?;
        let iv = self.iv.read(reading)?;
        if let Some(tag) = &self.tag {
            sealed.extend(tag.read(reading)?);
        }
        let iv: [u8; 12] = iv.try_into().map_err(|_| {
            Rejection::MalformedSignature(format!("expected 12 bytes in `{}`", self.iv.header))
        })?;
        let keys = reading.recipient.secrets.iter().filter_map(|secret| self.key.bytes(secret));
        for key in keys {
            let algorithm = match key.len() {
                16 => &AES_128_GCM,
                32 => &AES_256_GCM,
                _ => continue,
            };
            let Ok(key) = UnboundKey::new(algorithm, &key) else { continue };
            let nonce = Nonce::assume_unique_for_key(iv);
            // A failed attempt leaves its buffer undefined.
            let mut attempt = sealed.clone();
            let opened = LessSafeKey::new(key).open_in_place(nonce, Aad::empty(), &mut attempt);
            if let Ok(plaintext) = opened {
                return Ok(plaintext.to_vec());
            }
        }
        Err(Rejection::BadSignature)
    }
}

impl HeaderBytes {
    fn read(&self, reading: &Reading<'_>) -> Result<Vec<u8>, Rejection> {
        let place = format!("the header `{}`", self.header);
        let text = reading
            .header(&self.header)
            .ok_or_else(|| Rejection::MissingSignature(place.clone()))?;
        let form = || format!("expected {} in {place}", self.encoding.name());
        self.encoding.decode(text.trim()).ok_or_else(|| Rejection::MalformedSignature(form()))
    }
}
