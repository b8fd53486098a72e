//! The script host through its public face: mapping, lifecycle calls, diagnostics and limits.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
};

use hearken_engine::{
    AccountContext, Headers, HttpClient, HttpError, HttpRequest, HttpResponse, LifecycleContext,
    Recipient, Script, TriggerContext, document::Document,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

#[path = "scripts/diagnostics.rs"]
mod diagnostics;
#[path = "scripts/expansion.rs"]
mod expansion;
#[path = "scripts/lifecycle.rs"]
mod lifecycle;
#[path = "scripts/mapping.rs"]
mod mapping;
#[path = "scripts/native_functions.rs"]
mod native_functions;
#[path = "scripts/outgoing.rs"]
mod outgoing;
#[path = "scripts/poison.rs"]
mod poison;

fn compile(source: &str) -> Script {
    Script::compile("acme/connector.rhai", source)
        .unwrap_or_else(|problems| panic!("{problems:?}\n{source}"))
}

#[expect(clippy::needless_pass_by_value, reason = "bodies are written in the call")]
fn document(body: Value) -> Document {
    Document::new(json!({
        "method": "POST",
        "query": { "page": "2" },
        "headers": { "x-acme-event": "push" },
        "body": body,
    }))
}

fn trigger() -> TriggerContext {
    TriggerContext {
        id: "trg_1".to_owned(),
        name: "ACME__PUSH".to_owned(),
        config: json!({ "owner": "octo", "repo": "hello", "limit": 5 }),
        account_id: None,
        account_metadata: Value::Null,
        recipient: Recipient {
            url: "https://hooks.example/v1/webhooks/acme/trg_1".to_owned(),
            secrets: vec!["signing-key-9".into()],
            facts: Value::Null,
        },
    }
}

fn context() -> LifecycleContext {
    LifecycleContext {
        trigger: trigger(),
        external_id: Some("17".to_owned()),
        account: Some(AccountContext {
            kind: "token".to_owned(),
            id: None,
            credentials: BTreeMap::from([("token".to_owned(), "tok/en+42".into())]),
            metadata: json!({ "shop": "north" }),
        }),
        provider_app: None,
        base_url: "https://api.acme.example".to_owned(),
        hosts: vec!["api.acme.example".to_owned(), "alt.acme.example:8443".to_owned()],
        state: json!({ "cursor": 3 }),
        cursor: json!({ "page": 4 }),
    }
}

/// A provider in memory: gives prepared answers in turn and remembers what it was asked.
#[derive(Default)]
struct Provider {
    answers: Mutex<VecDeque<Result<HttpResponse, HttpError>>>,
    asked: Mutex<Vec<Asked>>,
}

struct Asked {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

impl Provider {
    fn answering(status: u16, body: &str) -> Self {
        Self::default().then(status, body)
    }

    fn then(self, status: u16, body: &str) -> Self {
        self.answers.lock().unwrap().push_back(Ok(HttpResponse {
            status,
            headers: Headers::new([("Retry-After".to_owned(), "7".to_owned())]),
            body: body.as_bytes().to_vec(),
        }));
        self
    }

    fn failing(error: HttpError) -> Self {
        let provider = Self::default();
        provider.answers.lock().unwrap().push_back(Err(error));
        provider
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap()
    }
}

impl HttpClient for Provider {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let clear = |value: &SecretString| value.expose_secret().to_owned();
        self.asked.lock().unwrap().push(Asked {
            method: request.method,
            url: request.url,
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), clear(value)))
                .collect(),
            body: request.body.map(|body| String::from_utf8(body).unwrap()),
        });
        let mut answers = self.answers.lock().unwrap();
        answers.pop_front().unwrap_or_else(|| {
            Ok(HttpResponse { status: 200, headers: Headers::default(), body: b"{}".to_vec() })
        })
    }
}
