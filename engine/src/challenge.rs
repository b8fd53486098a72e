//! Handshakes: requests by which a provider asks whether a URL is alive, or ours. Declared in the
//! definition, answered here, so that no app needs a script for them.

mod answer;
mod check;
mod host;
mod template;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

pub(crate) use self::check::mistakes;
use self::{host::Hosts, template::Template};
use crate::{Filter, Reply, document::Document, signature::Encoding};

/// A declared handshake.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Challenge {
    /// A delivery that only says hello: answered with 2xx, no event.
    Ping {
        /// Which requests it is.
        when: When,
        /// The answer; 200 "ok" unless told.
        #[serde(default)]
        reply: PingReply,
        /// Whether the request is signed like a delivery.
        #[serde(default = "yes")]
        signed: bool,
    },
    /// A value in the query that is sent back, whatever the method.
    QueryEcho {
        /// Query parameter that holds the value.
        parameter: String,
        /// Query parameter that must equal one of the recipient's secrets.
        #[serde(default)]
        token_parameter: Option<String>,
        /// Public fact of the provider's app or of the account that it must equal instead.
        #[serde(default)]
        token_fact: Option<String>,
        /// Member of the JSON answer that carries the value; plain text where absent.
        #[serde(default)]
        reply_field: Option<String>,
    },
    /// A JSON body with a value that is sent back.
    JsonEcho {
        /// Which requests it is.
        when: When,
        /// Where the value is in the body: a member, or a JSON pointer.
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
        /// Member of a JSON answer that carries it instead.
        #[serde(default)]
        reply_field: Option<String>,
        /// Whether its value becomes the trigger's secret.
        #[serde(default)]
        store: Option<Store>,
        /// Which requests it is; all that have the field unless told.
        #[serde(default)]
        when: When,
    },
    /// A value that is sent back together with a proof that we know the secret.
    HmacEcho {
        /// Which requests it is; all that have the value unless told.
        #[serde(default)]
        when: When,
        /// Where the value is in the body, or in the query for `GET`: a member, or a JSON pointer.
        field: String,
        /// Member of the JSON answer for the value itself, where it is sent back.
        #[serde(default)]
        reply_field: Option<String>,
        /// Member of the JSON answer for the proof.
        reply_hmac_field: String,
        /// What is proved over; the value itself unless told.
        #[serde(default)]
        message: Template,
        /// How.
        #[serde(default)]
        algorithm: Proof,
        /// How the proof is written.
        #[serde(default)]
        encoding: Encoding,
        /// Text before it.
        #[serde(default)]
        prefix: String,
        /// Whether the request is signed like a delivery.
        #[serde(default = "yes")]
        signed: bool,
    },
    /// A signed delivery with a URL that has to be called before it is answered.
    ConfirmUrl {
        /// Which requests it is.
        when: When,
        /// Where the URL is in the body: a member, or a JSON pointer.
        field: String,
        /// The hosts it may be on; `*` stands for one label of a name or a part of one.
        hosts: Hosts,
    },
    /// A first, unsigned request that hands over the secret which signs the later ones.
    Capture {
        /// Which requests it is; all that have the field unless told.
        #[serde(default)]
        when: When,
        /// Where the secret is in the body: a member, or a JSON pointer.
        field: String,
    },
    /// A request by which the provider only looks whether somebody answers.
    Probe {
        /// Its methods.
        methods: Vec<ProbeMethod>,
    },
}

/// The answer to a ping.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PingReply {
    /// HTTP status, 2xx; 200 unless told.
    pub status: Option<u16>,
    /// JSON body.
    pub json: Option<Value>,
}

/// What a handed over value is kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// The trigger's secret.
    Secret,
}

/// How knowledge of the secret is proved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// HMAC-SHA256 of the message under the newest secret.
    #[default]
    Hmac,
    /// SHA-256 of the message, in which the secret stands itself.
    Digest,
}

/// A method that a probe may have. `HEAD` is always answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProbeMethod {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
}

fn yes() -> bool {
    true
}

/// The answer to a handshake, and what has to be done before it is given.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Kind of handshake.
    pub kind: &'static str,
    /// The answer.
    pub reply: Reply,
    /// What has to be done first.
    pub duty: Option<Duty>,
}

/// What has to be done before a handshake is answered.
#[derive(Debug, Clone)]
pub enum Duty {
    /// Keep a secret that the provider handed over as the trigger's, if that has none.
    KeepSecret {
        /// The secret.
        secret: SecretString,
        /// Whether it counts only as long as nothing was verified; otherwise one that arrives
        /// while the trigger is being registered takes the place of an older one.
        first_only: bool,
    },
    /// Call this URL with `GET`, and answer only if that gives 2xx.
    CallUrl(String),
}

/// A filter over the request document that tells a handshake from a delivery.
#[derive(Debug, Clone)]
pub struct When(Filter);

impl Default for When {
    fn default() -> Self {
        Self(Filter::everything())
    }
}

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
            Self::ConfirmUrl { .. } => true,
            Self::QueryEcho { .. }
            | Self::HeaderEcho { .. }
            | Self::Capture { .. }
            | Self::Probe { .. } => false,
        }
    }

    /// Whether it is any request of its method.
    pub(crate) fn is_probe(&self) -> bool {
        matches!(self, Self::Probe { .. })
    }

    /// The header field (lower case) in which it hands over a secret.
    pub(crate) fn secret_header(&self) -> Option<String> {
        match self {
            Self::HeaderEcho { header, store: Some(Store::Secret), .. } => {
                Some(header.to_ascii_lowercase())
            }
            _ => None,
        }
    }

    /// Whether the provider hands over the trigger's secret by it.
    pub(crate) fn hands_over_secret(&self) -> bool {
        matches!(self, Self::Capture { .. }) || self.secret_header().is_some()
    }
}
