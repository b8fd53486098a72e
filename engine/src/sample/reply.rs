//! The answer to a handshake as a sample expects it.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::compare::{Difference, same};
use crate::{Answer, Duty, Headers};

/// The answer to a handshake, and what the server has to do for it.
#[derive(Debug, Deserialize)]
pub(super) struct ExpectedReply {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    stores: Option<String>,
    #[serde(default)]
    calls: Option<String>,
}

impl ExpectedReply {
    /// An answer in the form in which samples expect it.
    pub(super) fn of(found: &Answer) -> Value {
        let body = String::from_utf8_lossy(&found.reply.body);
        let mut expected = json!({ "status": found.reply.status });
        if !body.is_empty() {
            expected["body"] = body.into();
        }
        match &found.duty {
            Some(Duty::KeepSecret { secret, .. }) => {
                expected["stores"] = secret.expose_secret().into();
            }
            Some(Duty::CallUrl(url)) => expected["calls"] = url.as_str().into(),
            None => {}
        }
        expected
    }

    /// What differs in an answer.
    pub(super) fn differences(&self, found: &Answer) -> Vec<Difference> {
        let reply = &found.reply;
        let mut told = same("expect.reply.status", &self.status, &reply.status);
        let given = Headers::new(reply.headers.iter().cloned());
        for (name, value) in &self.headers {
            let found = given.get(&name.to_ascii_lowercase());
            told.extend(same(&format!("expect.reply.headers.{name}"), &Some(&**value), &found));
        }
        if let Some(body) = &self.body {
            let found = String::from_utf8_lossy(&reply.body);
            told.extend(same("expect.reply.body", body, &found));
        }
        let (stored, called) = match &found.duty {
            Some(Duty::KeepSecret { secret, .. }) => (Some(secret.expose_secret()), None),
            Some(Duty::CallUrl(url)) => (None, Some(url.as_str())),
            None => (None, None),
        };
        told.extend(same("expect.reply.stores", &self.stores.as_deref(), &stored));
        told.extend(same("expect.reply.calls", &self.calls.as_deref(), &called));
        told
    }
}
