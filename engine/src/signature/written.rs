//! The vocabulary in which an app's script describes how deliveries are signed, and its checks.

mod proof;

use serde::Deserialize;
use serde_json::Value;

use self::proof::{Claims, Format, Padding, PublicKey};
use super::{
    SchemeError,
    clock::{Clock, Unit, tolerance},
    description::{BodyHash, Description, Proof},
    encoding::{Algorithm, Encoding, KeyForm},
    mac::Mac,
    message::Message,
    place::{Place, Source},
    public_key::{Family, KeySource},
    sealed::HeaderBytes,
};
use crate::nearest::did_you_mean;

/// What a script may write.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    kind: String,
    algorithm: Option<Algorithm>,
    header: Option<OneOrMore>,
    query: Option<String>,
    body: Option<String>,
    basic: bool,
    prefix: String,
    encoding: Option<Encoding>,
    separator: Option<String>,
    pair: Option<String>,
    message: Option<String>,
    key: KeyForm,
    timestamp: Option<Clock>,
    each: Option<String>,
    body_hash: Option<BodyHash>,
    unless_header: Option<String>,
    header_prefix: Option<String>,
    public_key: Option<PublicKey>,
    format: Option<Format>,
    padding: Option<Padding>,
    jwt: Claims,
    iv: Option<HeaderBytes>,
    tag: Option<HeaderBytes>,
}

/// One text, or several of which any will do.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

const KINDS: [&str; 9] =
    ["hmac", "digest", "token", "standard_webhooks", "ed25519", "ecdsa", "rsa", "jwt", "aes_gcm"];

/// Every field, and the kinds it belongs to; `*` is all of them.
const FIELDS: [(&str, &str); 23] = [
    ("kind", "*"),
    ("header", "hmac digest token ed25519 ecdsa rsa jwt"),
    ("query", "hmac digest token ed25519 ecdsa rsa jwt"),
    ("body", "hmac digest token ed25519 ecdsa rsa jwt aes_gcm"),
    ("basic", "token"),
    ("prefix", "hmac digest token ed25519 ecdsa rsa jwt"),
    ("encoding", "hmac digest ed25519 ecdsa rsa aes_gcm"),
    ("separator", "hmac digest token ed25519 ecdsa rsa"),
    ("pair", "hmac digest token ed25519 ecdsa rsa"),
    ("message", "hmac digest ed25519 ecdsa rsa"),
    ("timestamp", "hmac digest ed25519 ecdsa rsa"),
    ("each", "hmac digest token ed25519 ecdsa rsa"),
    ("body_hash", "hmac digest ed25519 ecdsa rsa"),
    ("unless_header", "hmac digest token ed25519 ecdsa rsa jwt"),
    ("algorithm", "hmac digest rsa"),
    ("key", "hmac digest standard_webhooks jwt aes_gcm"),
    ("header_prefix", "standard_webhooks"),
    ("public_key", "ed25519 ecdsa rsa jwt"),
    ("format", "ecdsa"),
    ("padding", "rsa"),
    ("jwt", "jwt"),
    ("iv", "aes_gcm"),
    ("tag", "aes_gcm"),
];

/// Reads one description. A specification that defines two kinds of signatures gives two.
pub(super) fn parse(source: &Value) -> Result<Vec<Description>, SchemeError> {
    let Some(object) = source.as_object() else {
        let hint = "Return a map such as #{ kind: \"hmac\", header: \"X-Signature\" }.";
        return Err(SchemeError::new("", "the description of a signature is a map").hint(hint));
    };
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    for key in object.keys() {
        let Some((_, kinds)) = FIELDS.iter().find(|(field, _)| field == key) else {
            let near = did_you_mean(key, FIELDS.iter().map(|(field, _)| *field));
            return Err(SchemeError::new(key, format!("unknown field `{key}`{near}")));
        };
        if KINDS.contains(&kind) && *kinds != "*" && kinds.split(' ').all(|known| known != kind) {
            let why = format!("`{key}` says nothing about `{kind}`");
            return Err(SchemeError::new(key, why).hint("Remove it."));
        }
    }
    // Field by field, so that the one at fault can be named.
    for (key, value) in object {
        let alone = serde_json::json!({ key.as_str(): value });
        serde_json::from_value::<Written>(alone)
            .map_err(|error| SchemeError::new(key, error.to_string()))?;
    }
    let written: Written = serde_json::from_value(source.clone())
        .map_err(|error| SchemeError::new("", error.to_string()))?;
    if written.kind == "standard_webhooks" {
        let prefix = written.header_prefix.as_deref().unwrap_or("webhook-");
        return Ok(standard_webhooks(prefix, object.contains_key("key").then_some(written.key)));
    }
    written.compile().map(|description| vec![description])
}

impl Written {
    fn compile(self) -> Result<Description, SchemeError> {
        let proof = self.proof()?;
        let source = self.source()?;
        let message = self.message.as_deref().unwrap_or("{body}");
        let mut message =
            Message::parse(message).map_err(|why| SchemeError::new("message", why))?;
        match &proof {
            Proof::Mac(mac) if mac.plain => message = message.with_secret(),
            _ if message.needs_secret() => {
                let why = "{secret} is for the kind `digest`; others have it as their key";
                return Err(SchemeError::new("message", why));
            }
            _ => {}
        }
        if message.needs_timestamp() && self.timestamp.is_none() {
            let why = "the message has a {timestamp}: say under `timestamp` where it stands";
            return Err(SchemeError::new("timestamp", why));
        }
        if self.timestamp.as_ref().is_some_and(|clock| !clock.stands_somewhere()) {
            let why = "give one of `header`, `pair` and `body`";
            return Err(SchemeError::new("timestamp", why));
        }
        if let Some(each) = &self.each {
            check_each(each, &source, self.message.as_deref(), &message)?;
        }
        if self.body_hash.as_ref().is_some_and(|hash| hash.header.is_some() == hash.query.is_some())
        {
            return Err(SchemeError::new("body_hash", "give one of `header` and `query`"));
        }
        let separator = self.separator.filter(|separator| !separator.is_empty());
        Ok(Description {
            proof,
            place: Place { source, prefix: self.prefix, separator, pair: self.pair },
            encoding: self.encoding.unwrap_or_default(),
            message,
            clock: self.timestamp,
            each: self.each,
            body_hash: self.body_hash,
            unless_header: self.unless_header.map(|name| name.to_ascii_lowercase()),
        })
    }

    fn is_whole_body(&self) -> bool {
        self.body.as_deref() == Some("")
    }

    fn source(&self) -> Result<Source, SchemeError> {
        let headers = self.header.as_ref().map(OneOrMore::texts);
        match (headers, &self.query, &self.body, self.basic) {
            (Some(names), None, None, false) if !names.is_empty() => {
                Ok(Source::Headers(names.to_vec()))
            }
            (None, Some(name), None, false) => Ok(Source::Query(name.clone())),
            (None, None, Some(field), false) => {
                if field.is_empty() && !matches!(self.kind.as_str(), "jwt" | "aes_gcm") {
                    let why =
                        "name a field: the body as a whole carries only tokens and ciphertext";
                    return Err(SchemeError::new("body", why));
                }
                Ok(Source::Body(field.clone()))
            }
            (None, None, None, true) => Ok(Source::Basic),
            (None, None, None, false) if self.kind == "aes_gcm" => Ok(Source::Body(String::new())),
            _ => {
                let why =
                    "say where the signature stands: one of `header`, `query`, `body` and `basic`";
                Err(SchemeError::new("header", why))
            }
        }
    }
}

impl OneOrMore {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

/// Items that are signed for themselves say all that is signed, and carry the signature.
fn check_each(
    each: &str,
    source: &Source,
    written: Option<&str>,
    message: &Message,
) -> Result<(), SchemeError> {
    let why = if !each.starts_with('/') {
        "give the JSON pointer of an array, such as /items"
    } else if !matches!(source, Source::Body(field) if field.starts_with('/')) {
        "each item carries its signature: say under `body` in which field of it, by JSON pointer"
    } else if written.is_some() && message.covers_body() {
        "what an item signs is made of its own fields, and not of the whole body"
    } else {
        return Ok(());
    };
    Err(SchemeError::new("each", why))
}

/// Standard Webhooks 1.0.0: over `{id}.{timestamp}.{body}`, several signatures separated by
/// spaces: `v1,` and HMAC-SHA256 under a `whsec_` secret, `v1a,` and Ed25519 under a `whpk_` key.
fn standard_webhooks(prefix: &str, key: Option<KeyForm>) -> Vec<Description> {
    let message = format!("{{header:{prefix}id}}.{{timestamp}}.{{body}}");
    let shared = KeyForm {
        never_after: Some("whpk_"),
        ..key.unwrap_or(KeyForm {
            encoding: Some(Encoding::Base64),
            strip_prefix: "whsec_".to_owned(),
            ..KeyForm::default()
        })
    };
    let public = KeyForm {
        encoding: Some(Encoding::Base64),
        strip_prefix: "whpk_".to_owned(),
        only_after: Some("whpk_"),
        ..KeyForm::default()
    };
    let mac = Mac { algorithm: Algorithm::Sha256, key: shared, plain: false };
    let one = |version: &str, proof: Proof| Description {
        proof,
        place: Place {
            source: Source::Headers(vec![format!("{prefix}signature")]),
            prefix: format!("{version},"),
            separator: Some(" ".to_owned()),
            pair: None,
        },
        encoding: Encoding::Base64,
        message: Message::parse(&message).expect("the template is fixed but for a header's name"),
        clock: Some(Clock {
            header: Some(format!("{prefix}timestamp")),
            body: None,
            pair: None,
            unit: Unit::S,
            tolerance: tolerance(),
        }),
        each: None,
        body_hash: None,
        unless_header: None,
    };
    vec![
        one("v1", Proof::StandardWebhooks(mac)),
        one("v1a", Proof::PublicKey(Family::Ed25519, KeySource::Secret(public))),
    ]
}
