//! Handshakes: requests by which a provider asks whether a URL is alive, or ours. Declared in the
//! definition, answered here, so that no app needs a script for them.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::{Filter, Reply, document::Document, signature::Encoding};

/// A declared handshake.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Challenge {
    /// A delivery that only says hello: answered with 2xx, no event.
    Ping {
        /// Which requests it is.
        when: When,
        /// Whether the request is signed like a delivery.
        #[serde(default = "yes")]
        signed: bool,
    },
    /// `GET` with a value in the query that is sent back as text.
    QueryEcho {
        /// Query parameter that holds the value.
        parameter: String,
        /// Query parameter that must equal one of the trigger's secrets.
        #[serde(default)]
        token_parameter: Option<String>,
    },
    /// A JSON body with a value that is sent back.
    JsonEcho {
        /// Which requests it is.
        when: When,
        /// Member of the body that holds the value.
        field: String,
        /// Member of the JSON answer that carries it; plain text where absent.
        #[serde(default)]
        reply_field: Option<String>,
        /// Whether the request is signed like a delivery.
        #[serde(default = "yes")]
        signed: bool,
    },
    /// A header field that is sent back.
    HeaderEcho {
        /// Its name.
        header: String,
        /// The answer's header field, where it has another name.
        #[serde(default)]
        reply_header: Option<String>,
    },
    /// A value that is sent back with its HMAC-SHA256 under the trigger's newest secret.
    HmacEcho {
        /// Which requests it is.
        when: When,
        /// Where the value is: a member of the body, or of the query for `GET`.
        field: String,
        /// Member of the JSON answer for the value itself, where it is sent back.
        #[serde(default)]
        reply_field: Option<String>,
        /// Member of the JSON answer for the HMAC.
        reply_hmac_field: String,
        /// How the HMAC is written.
        #[serde(default)]
        encoding: Encoding,
        /// Text before it.
        #[serde(default)]
        prefix: String,
        /// Whether the request is signed like a delivery.
        #[serde(default = "yes")]
        signed: bool,
    },
}

fn yes() -> bool {
    true
}

/// A filter over the request document that tells a handshake from a delivery.
#[derive(Debug, Clone)]
pub struct When(Filter);

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = Value::deserialize(deserializer)?;
        Filter::compile(&source).map(Self).map_err(serde::de::Error::custom)
    }
}

impl When {
    fn holds(&self, document: &Document) -> bool {
        self.0.judge(document.root()).matched
    }
}

impl Challenge {
    /// Whether it comes signed like a delivery, and is answered only after verification.
    pub fn signed(&self) -> bool {
        match self {
            Self::Ping { signed, .. }
            | Self::JsonEcho { signed, .. }
            | Self::HmacEcho { signed, .. } => *signed,
            Self::QueryEcho { .. } | Self::HeaderEcho { .. } => false,
        }
    }

    /// The answer, if the request is this handshake.
    pub(crate) fn answer(
        &self,
        document: &Document,
        secrets: &[SecretString],
    ) -> Option<(&'static str, Reply)> {
        let root = document.root();
        match self {
            Self::Ping { when, .. } => when.holds(document).then(|| ("ping", text("ok"))),
            Self::QueryEcho { parameter, token_parameter } => {
                let value = root["query"].get(parameter)?.as_str()?;
                if let Some(token) = token_parameter {
                    let given = root["query"].get(token)?.as_str()?;
                    crate::signature::one_of(given.as_bytes(), secrets).then_some(())?;
                }
                Some(("query_echo", text(value)))
            }
            Self::JsonEcho { when, field, reply_field, .. } => {
                let value = when.holds(document).then(|| document.body().get(field))??;
                let plain = value.as_str().unwrap_or_default();
                let reply = reply_field
                    .as_ref()
                    .map_or_else(|| text(plain), |name| json_reply(&json!({ name: value })));
                Some(("json_echo", reply))
            }
            Self::HeaderEcho { header, reply_header } => {
                let value = root["headers"].get(header.to_ascii_lowercase())?.as_str()?;
                let mut reply = text("");
                let name = reply_header.as_ref().unwrap_or(header);
                reply.headers.push((name.clone(), value.to_owned()));
                Some(("header_echo", reply))
            }
            Self::HmacEcho {
                when, field, reply_field, reply_hmac_field, encoding, prefix, ..
            } => {
                let from = if root["method"] == "GET" { &root["query"] } else { document.body() };
                let value = when.holds(document).then(|| from.get(field)?.as_str())??;
                let mac = encoding.encode(&hmac(secrets.first()?, value));
                let mut answer = Map::new();
                if let Some(name) = reply_field {
                    answer.insert(name.clone(), value.into());
                }
                answer.insert(reply_hmac_field.clone(), format!("{prefix}{mac}").into());
                Some(("hmac_echo", json_reply(&Value::Object(answer))))
            }
        }
    }
}

fn hmac(secret: &SecretString, value: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A sender chooses what is echoed, so it is never sent as a page.
fn text(body: &str) -> Reply {
    reply("text/plain; charset=utf-8", body.as_bytes().to_vec())
}

fn json_reply(body: &Value) -> Reply {
    reply("application/json", body.to_string().into_bytes())
}

fn reply(content_type: &str, body: Vec<u8>) -> Reply {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Reply { status: 200, headers, body }
}
