//! Signing what can be signed with a shared secret: for trying an app out, and for its samples.
//! Never used to check anything.

use std::cell::OnceCell;

use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    SchemeError,
    clock::MICROS,
    description::{Description, Proof},
    encoding::{Algorithm, Encoding},
    jwt::{Jwt, JwtAlgorithm, TokenKey},
    mac,
    message::Parts,
    place::Source,
    reading::Reading,
};
use crate::{Recipient, Request};

/// Seconds a token made here is good for.
const LIFETIME: i64 = 300;

type Fields = Vec<(String, String)>;

impl Description {
    /// The header fields that make `request` a signed one.
    pub(super) fn sign(
        &self,
        request: &Request,
        secret: &SecretString,
    ) -> Result<Fields, SchemeError> {
        let recipient = Recipient { url: request.url.clone(), ..Recipient::default() };
        let json = OnceCell::new();
        let reading = Reading::new(request, &recipient, &json);
        let value = match &self.proof {
            Proof::Token => secret.expose_secret().to_owned(),
            Proof::Mac(mac) | Proof::StandardWebhooks(mac) => {
                return self.signed_message(mac, &reading, secret);
            }
            Proof::Jwt(jwt) => jwt.issue(&reading, secret)?,
            Proof::PublicKey(..) | Proof::AesGcm(_) => {
                return Err(SchemeError::new("kind", "only the provider can sign this"));
            }
        };
        Ok(vec![self.carried_by(&value)?])
    }

    fn signed_message(
        &self,
        mac: &mac::Mac,
        reading: &Reading<'_>,
        secret: &SecretString,
    ) -> Result<Fields, SchemeError> {
        let lacking =
            || SchemeError::new("message", "the request lacks what the message is made of");
        let key = mac.key.bytes(secret).ok_or_else(|| {
            SchemeError::new("key", "the secret is not of the form the scheme declares")
        })?;
        let received_at = reading.request.received_at;
        let timestamp = self.clock.as_ref().map(|clock| clock.write(received_at));
        let parts = Parts { reading, timestamp: timestamp.as_deref(), secret: &key };
        let message = self.message.render(&parts).map_err(|_| lacking())?;
        let mut value = self.encoding.encode(&mac.compute(&key, &message));
        let mut fields = Vec::new();
        let (pair, separator) = (self.place.pair.as_deref(), self.place.separator.as_deref());
        if let Some(pair) = pair {
            value = format!("{pair}={}{value}", self.place.prefix);
        }
        if let (Some(clock), Some(timestamp)) = (&self.clock, timestamp) {
            match (&clock.pair, &clock.header) {
                (Some(name), _) => {
                    value = format!("{name}={timestamp}{}{value}", separator.unwrap_or(","));
                }
                (None, Some(header)) => fields.push((header.clone(), timestamp)),
                // It stands in the body already.
                (None, None) => {}
            }
        }
        if let Some(hash) = &self.body_hash {
            let hashed = hash.encoding.encode(&hash.algorithm.hash(&reading.request.body));
            fields.extend(hash.header.clone().map(|name| (name, hashed)));
        }
        fields.push(self.carried_by(&value)?);
        Ok(fields)
    }

    /// The header field that carries a signature.
    fn carried_by(&self, value: &str) -> Result<(String, String), SchemeError> {
        match &self.place.source {
            Source::Headers(names) if !names.is_empty() && self.each.is_none() => {
                let value = match self.place.pair {
                    Some(_) => value.to_owned(),
                    None => format!("{}{value}", self.place.prefix),
                };
                Ok((names[0].clone(), value))
            }
            Source::Basic => {
                let credentials = Encoding::Base64.encode(value.as_bytes());
                Ok(("Authorization".to_owned(), format!("Basic {credentials}")))
            }
            _ => {
                let why = "only a signature in a header field can be made here";
                Err(SchemeError::new("header", why))
            }
        }
    }
}

impl Jwt {
    fn issue(&self, reading: &Reading<'_>, secret: &SecretString) -> Result<String, SchemeError> {
        let (TokenKey::Secret(form), Some(JwtAlgorithm::Hmac(algorithm))) =
            (&self.key, self.algorithms.first())
        else {
            return Err(SchemeError::new("kind", "only the provider can sign this"));
        };
        let key = form.bytes(secret).ok_or_else(|| {
            SchemeError::new("key", "the secret is not of the form the scheme declares")
        })?;
        let now = reading.request.received_at / MICROS;
        let mut claims = json!({ "iat": now, "exp": now.saturating_add(LIFETIME) });
        let first = [
            ("iss", self.issuer.first()),
            ("aud", self.audience.first()),
            ("email", self.email.as_ref()),
        ];
        for (name, template) in first {
            if let Some(template) = template {
                let text = template.render(reading);
                claims[name] = text.map_err(|why| SchemeError::new("jwt", why.to_string()))?.into();
            }
        }
        if self.email.is_some() {
            claims["email_verified"] = true.into();
        }
        if let Some(hash) = &self.body_hash {
            let hashed = hash.encoding.encode(&hash.algorithm.hash(&reading.request.body));
            claims[hash.claim.as_str()] = hashed.into();
        }
        let alg = if *algorithm == Algorithm::Sha512 { "HS512" } else { "HS256" };
        let encode = |part: &Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encode(&json!({ "alg": alg })), encode(&claims));
        let signature = mac::hmac(*algorithm, &key, signed.as_bytes());
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}
