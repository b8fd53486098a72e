//! The public key in a certificate (RFC 5280).
//!
//! Whose it is was decided by where it came from: over HTTPS, from a host that the app allows.

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{Micros, signature::public_key::pem_block};

/// What is kept of a certificate.
pub(super) struct Certificate {
    /// Its `SubjectPublicKeyInfo`, in DER.
    pub(super) public_key: Vec<u8>,
    /// Seconds since the epoch.
    not_before: i64,
    not_after: i64,
}

impl Certificate {
    pub(super) fn is_valid_at(&self, now: Micros) -> bool {
        let now = now.div_euclid(1_000_000);
        self.not_before <= now && now <= self.not_after
    }
}

/// Reads a certificate in PEM, the first one of a chain, or in DER.
pub(super) fn parse(answer: &[u8]) -> Result<Certificate, String> {
    let pem = str::from_utf8(answer).ok().and_then(|text| pem_block(text, "CERTIFICATE"));
    let der = pem.as_deref().unwrap_or(answer);
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| "the answer is not a certificate")?;
    let validity = certificate.validity();
    Ok(Certificate {
        public_key: certificate.public_key().raw.to_vec(),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}
