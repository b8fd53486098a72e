//! Signs the samples of a new app folder, in the provider's place.

use anyhow::Context as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::{BASE64, HEXLOWER};
use hearken_engine::{App, Headers, Request};
use secrecy::SecretString;

use super::scheme::{Encoding, Scheme, timestamp_header};

/// The clock of the samples.
pub(super) const NOW: &str = "2026-11-24T10:00:02Z";
const NOW_SECONDS: i64 = 1_795_514_402;

/// Whoever signs, and what verifies it.
pub(super) enum Signer {
    /// By a secret that both know.
    Shared(String),
    /// By a key that only the provider has.
    Pair(Box<Ed25519KeyPair>),
}

impl Signer {
    /// The one of the samples. Secrets say that they are none; key pairs are new.
    pub(super) fn new(scheme: Scheme) -> anyhow::Result<Self> {
        Ok(match scheme {
            Scheme::Ed25519 => Self::Pair(Box::new(pair()?)),
            Scheme::StandardWebhooks => {
                Self::Shared(format!("whsec_{}", BASE64.encode(b"an example, not a secret")))
            }
            Scheme::Basic => Self::Shared("user:an-example-not-a-secret".to_owned()),
            _ => Self::Shared("an-example-not-a-secret".to_owned()),
        })
    }

    /// Another one, who must not get through.
    pub(super) fn stranger(scheme: Scheme) -> anyhow::Result<Self> {
        Ok(match scheme {
            Scheme::Ed25519 => Self::Pair(Box::new(pair()?)),
            Scheme::StandardWebhooks => {
                Self::Shared(format!("whsec_{}", BASE64.encode(b"another one, not a secret")))
            }
            Scheme::Basic => Self::Shared("user:another".to_owned()),
            _ => Self::Shared("another".to_owned()),
        })
    }

    /// Somebody who knows all but the last letter.
    pub(super) fn guesser(&self) -> Self {
        match self {
            Self::Shared(secret) => Self::Shared(secret[..secret.len() - 1].to_owned()),
            Self::Pair(_) => Self::Shared(String::new()),
        }
    }

    /// What verifies it: the shared secret, or the public key.
    pub(super) fn secret(&self) -> String {
        match self {
            Self::Shared(secret) => secret.clone(),
            Self::Pair(pair) => HEXLOWER.encode(pair.public_key().as_ref()),
        }
    }

    /// The header fields of a delivery with this body.
    pub(super) fn sign(
        &self,
        app: &App,
        form: &Signed<'_>,
    ) -> anyhow::Result<Vec<(String, String)>> {
        match self {
            Self::Shared(secret) => shared(app, secret, form),
            Self::Pair(pair) => {
                let message = format!("{NOW_SECONDS}{}", form.body);
                let signature = pair.sign(message.as_bytes());
                let signature = match form.encoding {
                    Encoding::Hex => HEXLOWER.encode(signature.as_ref()),
                    Encoding::Base64 => BASE64.encode(signature.as_ref()),
                };
                Ok(vec![
                    (timestamp_header(form.header), NOW_SECONDS.to_string()),
                    (form.header.to_owned(), format!("{}{signature}", form.prefix)),
                ])
            }
        }
    }
}

/// What is signed, and how the signature is written.
pub(super) struct Signed<'a> {
    pub(super) body: &'a str,
    pub(super) scheme: Scheme,
    pub(super) header: &'a str,
    pub(super) prefix: &'a str,
    pub(super) encoding: Encoding,
}

fn pair() -> anyhow::Result<Ed25519KeyPair> {
    Ed25519KeyPair::generate().context("no key pair can be made")
}

fn shared(app: &App, secret: &str, form: &Signed<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    if form.scheme == Scheme::StandardWebhooks {
        headers.push(("webhook-id".to_owned(), "msg_1".to_owned()));
    }
    let request = Request {
        method: "POST".to_owned(),
        url: "https://hearken.example/v1/webhooks/app/trg_sample".to_owned(),
        query: Vec::new(),
        headers: Headers::new(headers.clone()),
        body: form.body.as_bytes().to_vec(),
        received_at: NOW_SECONDS * 1_000_000,
    };
    let signature = app.scheme().sign(&request, &SecretString::from(secret.to_owned()));
    headers.extend(signature.context("the example cannot be signed")?);
    Ok(headers)
}
