//! One sample, and running it.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    compare::{contains, differences, includes, same},
    expansion::{ExpectedExpansion, check_expansion},
    http::{Exchange, Recorded},
    reply::ExpectedReply,
};
use crate::{
    App, Event, Headers, KeyRing, Micros, Outcome, Problem, Received, Recipient, Rejection,
    Request, Scheme, TriggerContext, script::moment, signature::SchemeError,
};

/// A sample file.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    #[serde(rename = "case")]
    pub(super) kind: String,
    pub(super) title: String,
    trigger: String,
    #[serde(default = "object")]
    config: Value,
    #[serde(default)]
    secret: Option<SecretString>,
    #[serde(default)]
    now: Option<String>,
    #[serde(default = "url")]
    url: String,
    #[serde(default)]
    pub(super) external_id: Option<String>,
    #[serde(default)]
    pub(super) state: Value,
    #[serde(default)]
    pub(super) cursor: Value,
    #[serde(default)]
    pub(super) notice: Option<Value>,
    #[serde(default)]
    request: Delivery,
    #[serde(default)]
    pub(super) call: Option<String>,
    #[serde(default)]
    pub(super) account: Option<Account>,
    #[serde(default)]
    pub(super) provider_app: Option<ProviderApp>,
    #[serde(default)]
    pub(super) http: Arc<[Exchange]>,
    pub(super) expect: Expectation,
}

fn object() -> Value {
    json!({})
}

fn url() -> String {
    "https://hearken.example/v1/webhooks/app/trg_sample".to_owned()
}

/// A delivery, byte for byte.
#[derive(Debug, Default, Deserialize)]
struct Delivery {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_file: Option<String>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

/// A linked account.
#[derive(Debug, Deserialize)]
pub(super) struct Account {
    pub(super) kind: String,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) credentials: BTreeMap<String, SecretString>,
    #[serde(default)]
    pub(super) metadata: Value,
}

/// An app registered at the provider.
#[derive(Debug, Deserialize)]
pub(super) struct ProviderApp {
    #[serde(default)]
    pub(super) credentials: BTreeMap<String, SecretString>,
    #[serde(default)]
    pub(super) metadata: Value,
}

/// What must come of a sample; one of these.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expectation {
    Events(Vec<ExpectedEvent>),
    Noticed(bool),
    Expansion(ExpectedExpansion),
    Rejected(String),
    Ignored(String),
    Reply(ExpectedReply),
    Result(Value),
    Error {
        kind: String,
        #[serde(default)]
        status: Option<u16>,
        #[serde(default)]
        message: String,
    },
}

#[derive(Debug, Deserialize)]
pub(super) struct ExpectedEvent {
    #[serde(rename = "type")]
    event_type: String,
    id: String,
    #[serde(default, deserialize_with = "some")]
    occurred_at: Option<Value>,
    #[serde(default, deserialize_with = "some")]
    data: Option<Value>,
    #[serde(default)]
    data_includes: Option<Value>,
    #[serde(default)]
    data_is_body: bool,
}

/// Tells a null that was written from a field that was not.
pub(super) fn some<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(d).map(Some)
}

impl Case {
    /// Reads the body's bytes from where the sample keeps them.
    pub(super) fn read_body(&mut self, root: &Path, folder: &str) -> Result<(), Problem> {
        self.request.bytes = match (&self.request.body, &self.request.body_file) {
            (Some(body), _) => body.clone().into_bytes(),
            (None, Some(name)) => fs::read(root.join(folder).join(name)).map_err(|error| {
                Problem::new(
                    format!("{folder}/{name}"),
                    format!("the body cannot be read: {error}"),
                )
            })?,
            (None, None) => Vec::new(),
        };
        Ok(())
    }

    /// Full name of its trigger.
    pub(super) fn trigger_name(&self, app: &App) -> String {
        format!("{}__{}", app.slug.to_uppercase().replace('-', "_"), self.trigger)
    }

    /// How deliveries to its trigger are signed.
    pub(super) fn scheme(&self, app: &App) -> Result<Arc<Scheme>, SchemeError> {
        app.scheme_of(&self.trigger_name(app), &self.config)
    }

    /// Runs it, and says what differed from what it expects.
    pub(super) fn run(&self, app: &App) -> Vec<String> {
        let name = self.trigger_name(app);
        let Some(kind) = app.trigger(&name) else {
            return vec![format!("trigger: the app does not define {name}")];
        };
        let violations = kind.check_config(&self.config);
        if !violations.is_empty() {
            let told = violations.into_iter();
            return told.map(|one| format!("config{}: {}", one.pointer, one.message)).collect();
        }
        match self.call.as_deref() {
            None => self.check_delivery(app),
            Some("expand") => check_expansion(self, app),
            Some(_) => self.check_call(app),
        }
    }

    /// Receives the delivery.
    pub(super) fn receive(&self, app: &App) -> Result<Received, Rejection> {
        self.receive_with(app, &KeyRing::new(Arc::new(Recorded::new(&self.http))))
    }

    fn receive_with(&self, app: &App, keys: &KeyRing) -> Result<Received, Rejection> {
        let request = self.request();
        let trigger = self.context(app);
        if let Some(answer) = app.answer_unsigned(&request, &trigger.recipient) {
            return Ok(Received { verified_by: "none", outcome: Outcome::Challenge(answer) });
        }
        if request.method == "POST" {
            return app.receive(&request, &trigger, keys);
        }
        let reason = "no challenge answers it".to_owned();
        Ok(Received { verified_by: "none", outcome: Outcome::Ignored { reason } })
    }

    fn request(&self) -> Request {
        let query = self.request.query.as_deref();
        Request {
            method: self.request.method.clone().unwrap_or_else(|| "POST".to_owned()),
            url: query.map_or_else(|| self.url.clone(), |query| format!("{}?{query}", self.url)),
            query: url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            headers: Headers::new(self.request.headers.clone()),
            body: self.request.bytes.clone(),
            received_at: self.now.as_deref().and_then(moment::parse).unwrap_or_default(),
        }
    }

    pub(super) fn context(&self, app: &App) -> TriggerContext {
        TriggerContext {
            id: "trg_sample".to_owned(),
            name: self.trigger_name(app),
            config: self.config.clone(),
            account_id: self.account.as_ref().and_then(|account| account.id.clone()),
            account_metadata: self.account.as_ref().map_or(Value::Null, |one| one.metadata.clone()),
            recipient: Recipient {
                url: self.url.clone(),
                secrets: self.secret.iter().cloned().collect(),
                facts: self.facts(),
            },
        }
    }

    /// Public facts of the provider's app and of the account, which wins.
    fn facts(&self) -> Value {
        let app = self.provider_app.as_ref().map(|app| &app.metadata);
        let account = self.account.as_ref().map(|account| &account.metadata);
        let facts = [app, account].into_iter().flatten().filter_map(Value::as_object).flatten();
        Value::Object(facts.map(|(name, fact)| (name.clone(), fact.clone())).collect())
    }

    fn check_delivery(&self, app: &App) -> Vec<String> {
        let recorded = Arc::new(Recorded::new(&self.http));
        let received = self.receive_with(app, &KeyRing::new(recorded.clone()));
        let mut told = self.compare_delivery(app, received);
        told.extend(recorded.differences());
        told
    }

    fn compare_delivery(&self, app: &App, received: Result<Received, Rejection>) -> Vec<String> {
        match (&self.expect, received) {
            (Expectation::Rejected(code), Err(rejection)) => {
                same("expect.rejected", code, rejection.code())
            }
            (expected, Err(rejection)) => {
                vec![format!("expect: expected {expected:?}, found a rejection: {rejection}")]
            }
            (
                Expectation::Events(expected),
                Ok(Received { outcome: Outcome::Events(found), .. }),
            ) => self.check_events(app, expected, &found),
            (Expectation::Noticed(true), Ok(Received { outcome: Outcome::Noticed(_), .. })) => {
                Vec::new()
            }
            (
                Expectation::Ignored(part),
                Ok(Received { outcome: Outcome::Ignored { reason }, .. }),
            ) => contains("expect.ignored", part, &reason),
            (
                Expectation::Reply(expected),
                Ok(Received { outcome: Outcome::Challenge(answer), .. }),
            ) => expected.differences(&answer),
            (expected, Ok(received)) => {
                vec![format!("expect: expected {expected:?}, found {:?}", received.outcome)]
            }
        }
    }

    pub(super) fn check_events(
        &self,
        app: &App,
        expected: &[ExpectedEvent],
        found: &[Event],
    ) -> Vec<String> {
        if expected.len() != found.len() {
            return vec![format!(
                "expect.events: expected {} events, found {}",
                expected.len(),
                found.len()
            )];
        }
        let pairs = expected.iter().zip(found).enumerate();
        pairs
            .flat_map(|(index, (expected, found))| self.check_event(app, index, expected, found))
            .collect()
    }

    fn check_event(
        &self,
        app: &App,
        index: usize,
        expected: &ExpectedEvent,
        found: &Event,
    ) -> Vec<String> {
        let at = |field: &str| format!("expect.events[{index}].{field}");
        let mut told = same(&at("type"), &expected.event_type, &found.event_type);
        told.extend(same(&at("id"), &expected.id, &found.external_id));
        if let Some(time) = &expected.occurred_at {
            let time: Option<Micros> = time.as_str().and_then(moment::parse);
            told.extend(same(&at("occurred_at"), &time, &found.occurred_at));
        }
        if let Some(data) = &expected.data {
            told.extend(differences(&at("data"), data, &found.data));
        }
        if let Some(part) = &expected.data_includes {
            told.extend(includes(&at("data_includes"), part, &found.data));
        }
        if expected.data_is_body {
            let body: Value = serde_json::from_slice(&self.request.bytes).unwrap_or_default();
            told.extend(differences(&at("data"), &body, &found.data));
        }
        if let Some(kind) = app.trigger(&self.trigger_name(app)) {
            let violations = kind.check_payload(&found.data).into_iter();
            told.extend(
                violations.map(|one| format!("payload schema at {}: {}", one.pointer, one.message)),
            );
        }
        told
    }
}
