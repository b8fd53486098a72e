//! Telling whether a request is a handshake, and answering it.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, Challenge, Duty, PingReply, ProbeMethod, Proof, template::Parts};
use crate::{Recipient, Rejection, Reply, Request, document::Document};

/// Longest value that is proved over, and longest secret that is taken, in bytes.
const VALUE_BYTES: usize = 1024;

impl Challenge {
    /// Whether `request` may be this handshake, judged by what costs nothing to look at.
    pub(crate) fn may_be(&self, request: &Request) -> bool {
        let in_query = |name: &String| request.query.iter().any(|(key, _)| key == name);
        match self {
            Self::QueryEcho { parameter, .. } => in_query(parameter),
            Self::HeaderEcho { header, .. } => {
                request.headers.get(&header.to_ascii_lowercase()).is_some()
            }
            Self::HmacEcho { field, .. } if request.method == "GET" => in_query(field),
            Self::Probe { methods } => methods.iter().any(|one| one.name() == request.method),
            Self::Ping { .. } => true,
            Self::JsonEcho { .. }
            | Self::HmacEcho { .. }
            | Self::ConfirmUrl { .. }
            | Self::Capture { .. } => !request.body.is_empty(),
        }
    }

    /// The answer, if the request is this handshake.
    pub(crate) fn answer(
        &self,
        document: &Document,
        recipient: &Recipient,
    ) -> Result<Option<Answer>, Rejection> {
        Ok(match self {
            Self::Ping { when, reply, .. } => {
                when.holds(document).then(|| Answer::plain("ping", reply.reply()))
            }
            Self::QueryEcho { .. } => self.query_echo(document, recipient),
            Self::JsonEcho { when, field, reply_field, .. } => {
                let value = when.holds(document).then(|| member(document.body(), field)).flatten();
                value.map(|value| Answer::plain("json_echo", echo(value, reply_field.as_ref())))
            }
            Self::HeaderEcho { .. } => self.header_echo(document),
            Self::HmacEcho { .. } => self.hmac_echo(document, recipient),
            Self::ConfirmUrl { when, field, hosts } => {
                let url = when.holds(document).then(|| member(document.body(), field)).flatten();
                let Some(url) = url.and_then(Value::as_str) else { return Ok(None) };
                let url = hosts.admit(url).map_err(Rejection::UrlNotAllowed)?;
                Some(Answer {
                    duty: Some(Duty::CallUrl(url)),
                    ..Answer::plain("confirm_url", text("ok"))
                })
            }
            Self::Capture { when, field } => {
                let value = when.holds(document).then(|| member(document.body(), field)).flatten();
                let secret = value.and_then(Value::as_str).and_then(secret);
                let open = |secret: &SecretString| {
                    let again = one_of(secret, &recipient.secrets);
                    recipient.secrets.is_empty() || again
                };
                secret.filter(open).map(|secret| Answer {
                    duty: Some(Duty::KeepSecret { secret, first_only: true }),
                    ..Answer::plain("capture", text("ok"))
                })
            }
            Self::Probe { methods } => {
                let method = &document.root()["method"];
                let asked = methods.iter().any(|one| *method == one.name());
                asked.then(|| Answer::plain("probe", text("")))
            }
        })
    }

    fn query_echo(&self, document: &Document, recipient: &Recipient) -> Option<Answer> {
        let Self::QueryEcho { parameter, token_parameter, token_fact, reply_field } = self else {
            return None;
        };
        let query = &document.root()["query"];
        let value = query.get(parameter)?;
        if let Some(name) = token_parameter {
            let given = SecretString::from(query.get(name)?.as_str()?);
            let known = match token_fact {
                None => one_of(&given, &recipient.secrets),
                Some(fact) => {
                    let fact = recipient.facts.get(fact)?.as_str()?;
                    one_of(&given, &[SecretString::from(fact)])
                }
            };
            known.then_some(())?;
        }
        Some(Answer::plain("query_echo", echo(value, reply_field.as_ref())))
    }

    fn header_echo(&self, document: &Document) -> Option<Answer> {
        let Self::HeaderEcho { header, reply_header, reply_field, store, when } = self else {
            return None;
        };
        let value = document.root()["headers"].get(header.to_ascii_lowercase())?;
        let plain = value.as_str()?;
        when.holds(document).then_some(())?;
        let reply = if reply_field.is_some() {
            echo(value, reply_field.as_ref())
        } else {
            let mut reply = text("");
            let name = reply_header.as_ref().unwrap_or(header);
            reply.headers.push((name.clone(), plain.to_owned()));
            reply
        };
        let duty = match store {
            None => None,
            Some(_) => Some(Duty::KeepSecret { secret: secret(plain)?, first_only: false }),
        };
        Some(Answer { duty, ..Answer::plain("header_echo", reply) })
    }

    fn hmac_echo(&self, document: &Document, recipient: &Recipient) -> Option<Answer> {
        let Self::HmacEcho {
            when,
            field,
            reply_field,
            reply_hmac_field,
            message,
            algorithm,
            encoding,
            prefix,
            ..
        } = self
        else {
            return None;
        };
        let root = document.root();
        let from = if root["method"] == "GET" { &root["query"] } else { document.body() };
        let value = member(from, field)?.as_str().filter(|value| harmless(value))?;
        when.holds(document).then_some(())?;
        let secret = recipient.secrets.first()?.expose_secret();
        let message = message.render(&Parts { value, secret, url: &recipient.url });
        let proof = match algorithm {
            Proof::Hmac => hmac(secret, &message),
            Proof::Digest => Sha256::digest(message.as_bytes()).to_vec(),
        };
        let mut answer = Map::new();
        if let Some(name) = reply_field {
            answer.insert(name.clone(), value.into());
        }
        let proof = format!("{prefix}{}", encoding.encode(&proof));
        answer.insert(reply_hmac_field.clone(), proof.into());
        Some(Answer::plain("hmac_echo", json_reply(&Value::Object(answer))))
    }
}

impl Answer {
    fn plain(kind: &'static str, reply: Reply) -> Self {
        Self { kind, reply, duty: None }
    }
}

impl PingReply {
    fn reply(&self) -> Reply {
        let status = self.status.unwrap_or(200);
        let reply = match &self.json {
            Some(body) => json_reply(body),
            None if status == 204 => Reply { status, headers: Vec::new(), body: Vec::new() },
            None => text("ok"),
        };
        Reply { status, ..reply }
    }
}

impl ProbeMethod {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// The member of `value` with this name, or at this JSON pointer.
fn member<'v>(value: &'v Value, field: &str) -> Option<&'v Value> {
    if field.starts_with('/') { value.pointer(field) } else { value.get(field) }
}

/// Whether a value can be proved over without harm. Where deliveries are signed with the same
/// key, somebody could otherwise have us sign a body of his own; no JSON document of any use, and
/// no form, is made of these characters.
fn harmless(value: &str) -> bool {
    let start = value.trim_end_matches('=');
    let padded = value.len() - start.len() <= 2;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/_.~-".contains(&byte);
    padded && !start.is_empty() && value.len() <= VALUE_BYTES && start.bytes().all(plain)
}

/// A value that can serve as a secret.
fn secret(value: &str) -> Option<SecretString> {
    let value = value.trim();
    (!value.is_empty() && value.len() <= VALUE_BYTES).then(|| SecretString::from(value))
}

fn one_of(given: &SecretString, known: &[SecretString]) -> bool {
    crate::signature::one_of(given.expose_secret().as_bytes(), known)
}

fn hmac(secret: &str, message: &str) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The value as a member of a JSON answer, or as text.
fn echo(value: &Value, reply_field: Option<&String>) -> Reply {
    match (reply_field, value) {
        (Some(name), _) => json_reply(&json!({ name: value })),
        (None, Value::String(plain)) => text(plain),
        (None, other) => text(&other.to_string()),
    }
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
