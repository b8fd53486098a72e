//! What must come of a sample, and how what came differs from it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    case::Case,
    compare::{Difference, contains, differences, includes, same},
    expansion::{ExpectedExpansion, as_expected, expand},
    http::Recorded,
    reply::ExpectedReply,
};
use crate::{
    App, Event, KeyRing, LifecycleError, Micros, Outcome, Received, Rejection, script::moment,
};

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

/// What a sample of each kind can expect.
const KINDS: [(&str, &[&str]); 7] = [
    ("accepted", &["events", "noticed"]),
    ("tampered", &["rejected"]),
    ("wrong_secret", &["rejected"]),
    ("stale", &["rejected"]),
    ("challenge", &["reply"]),
    ("ignored", &["ignored", "rejected"]),
    ("call", &["result", "error", "expansion"]),
];

impl Case {
    /// Whether nobody has written yet what it expects.
    pub(super) fn expects_nothing(&self) -> bool {
        self.expect.as_object().is_none_or(serde_json::Map::is_empty)
    }

    /// The expectation, or why there is none to compare with.
    pub(super) fn expectation(&self) -> Result<Expectation, Difference> {
        if self.expects_nothing() {
            let message = "nothing is written here yet; `hearken app test --bless` writes what \
                           was found";
            return Err(Difference::note("expect", message));
        }
        serde_json::from_value(self.expect.clone())
            .map_err(|error| Difference::note("expect", error.to_string()))
    }

    /// Whether a sample of this kind can expect this.
    pub(super) fn agrees(&self, expect: &Value) -> Result<(), Difference> {
        let (_, fitting) = KINDS.iter().find(|(kind, _)| *kind == self.kind).unwrap_or(&("", &[]));
        let found = expect.as_object().and_then(|members| members.keys().next());
        let found = found.map_or("", String::as_str);
        if fitting.contains(&found) {
            return Ok(());
        }
        let message = format!(
            "a sample of the kind `{}` expects `{}`, not `{found}`",
            self.kind,
            fitting.join("` or `")
        );
        Err(Difference::note("expect", message))
    }

    pub(super) fn check_delivery(&self, app: &App) -> Vec<Difference> {
        let recorded = Arc::new(Recorded::new(&self.http));
        let received = self.receive_with(app, &KeyRing::new(recorded.clone()));
        let mut told = self.compare_delivery(app, received);
        told.extend(recorded.differences());
        told
    }

    fn compare_delivery(
        &self,
        app: &App,
        received: Result<Received, Rejection>,
    ) -> Vec<Difference> {
        match (self.expectation(), received) {
            (Err(difference), _) => vec![difference],
            (Ok(Expectation::Rejected(code)), Err(rejection)) => {
                same("expect.rejected", &code, rejection.code())
            }
            (
                Ok(Expectation::Events(expected)),
                Ok(Received { outcome: Outcome::Events(found), .. }),
            ) => self.check_events(app, &expected, &found),
            (Ok(Expectation::Noticed(true)), Ok(Received { outcome: Outcome::Noticed(_), .. })) => {
                Vec::new()
            }
            (
                Ok(Expectation::Ignored(part)),
                Ok(Received { outcome: Outcome::Ignored { reason }, .. }),
            ) => contains("expect.ignored", &part, &reason),
            (
                Ok(Expectation::Reply(expected)),
                Ok(Received { outcome: Outcome::Challenge(answer), .. }),
            ) => expected.differences(&answer),
            (Ok(_), found) => {
                let shown = match (&found, self.outcome(&found)) {
                    (Err(rejection), _) => format!("a rejection: {rejection}"),
                    (_, Ok(outcome)) => outcome.to_string(),
                    (_, Err(why)) => why,
                };
                vec![Difference::between("expect", self.expect.to_string(), shown)]
            }
        }
    }

    pub(super) fn check_events(
        &self,
        app: &App,
        expected: &[ExpectedEvent],
        found: &[Event],
    ) -> Vec<Difference> {
        if expected.len() != found.len() {
            let count = |number: usize| {
                if number == 1 { "1 event".to_owned() } else { format!("{number} events") }
            };
            let (expected, found) = (count(expected.len()), count(found.len()));
            return vec![Difference::between("expect.events", expected, found)];
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
    ) -> Vec<Difference> {
        let at = |field: &str| format!("expect.events[{index}].{field}");
        let mut told = same(&at("type"), &expected.event_type, &found.event_type);
        told.extend(same(&at("id"), &expected.id, &found.external_id));
        if let Some(time) = &expected.occurred_at {
            let expected: Option<Micros> = time.as_str().and_then(moment::parse);
            if expected != found.occurred_at {
                let found = shown_time(found.occurred_at).to_string();
                told.push(Difference::between(at("occurred_at"), time.to_string(), found));
            }
        }
        if let Some(data) = &expected.data {
            told.extend(differences(&at("data"), data, &found.data));
        }
        if let Some(part) = &expected.data_includes {
            told.extend(includes(&at("data_includes"), part, &found.data));
        }
        if expected.data_is_body {
            let body: Value = serde_json::from_slice(self.body()).unwrap_or_default();
            told.extend(differences(&at("data"), &body, &found.data));
        }
        if let Some(kind) = app.trigger(&self.trigger_name(app)) {
            let violations = kind.check_payload(&found.data).into_iter();
            told.extend(violations.map(|one| {
                Difference::note(format!("payload schema at {}", one.pointer), one.message)
            }));
        }
        told
    }

    pub(super) fn check_call(&self, app: &App) -> Vec<Difference> {
        let recorded = Recorded::new(&self.http);
        let result = self.call(app, &recorded);
        let mut told = recorded.differences();
        match (self.expectation(), result) {
            (Err(difference), _) => told.push(difference),
            (Ok(Expectation::Result(part)), Ok(result)) => {
                told.extend(includes("expect.result", &part, &result));
            }
            (Ok(_), Ok(result)) => {
                let found = outcome_of_call(Ok(result)).to_string();
                told.push(Difference::between("expect", self.expect.to_string(), found));
            }
            (Ok(expected), Err(error)) => told.extend(self.check_error(&expected, &error)),
        }
        told
    }

    /// What differs where a call failed.
    pub(super) fn check_error(
        &self,
        expected: &Expectation,
        error: &LifecycleError,
    ) -> Vec<Difference> {
        let Expectation::Error { kind, status, message } = expected else {
            let found = format!("a failure: {error}");
            return vec![Difference::between("expect", self.expect.to_string(), found)];
        };
        let (found, found_status) = error_facts(error);
        let mut told = same("expect.error.kind", kind.as_str(), found);
        if let Some(status) = status {
            told.extend(same("expect.error.status", &Some(*status), &found_status));
        }
        told.extend(contains("expect.error.message", message, &error.to_string()));
        told
    }

    /// What comes of it, in the form in which `expect` says it; or why nothing can be expected.
    pub(super) fn found(&self, app: &App) -> Result<Value, String> {
        let found = if self.call.is_some() {
            let recorded = Recorded::new(&self.http);
            let found = match self.call.as_deref() {
                Some("expand") => expand(self, app, &recorded).map_or_else(
                    |error| outcome_of_call(Err(error)),
                    |found| as_expected(self, found),
                ),
                _ => outcome_of_call(self.call(app, &recorded)),
            };
            if let Some(difference) = recorded.differences().first() {
                return Err(difference.to_string());
            }
            found
        } else {
            self.outcome(&self.receive(app))?
        };
        self.agrees(&found).map_err(|_| {
            let kind = &self.kind;
            format!("a sample of the kind `{kind}` cannot expect what was found: {found}")
        })?;
        Ok(found)
    }

    fn outcome(&self, received: &Result<Received, Rejection>) -> Result<Value, String> {
        let outcome = match received {
            Err(rejection) => return Ok(json!({ "rejected": rejection.code() })),
            Ok(received) => &received.outcome,
        };
        match outcome {
            Outcome::Events(events) => Ok(json!({ "events": self.as_expected(events) })),
            Outcome::Noticed(_) => Ok(json!({ "noticed": true })),
            Outcome::Ignored { reason } => Ok(json!({ "ignored": reason })),
            Outcome::Challenge(answer) => Ok(json!({ "reply": ExpectedReply::of(answer) })),
            Outcome::Failed { reason, .. } => Err(format!("the script failed: {reason}")),
        }
    }

    /// Events in the form in which samples expect them.
    pub(super) fn as_expected(&self, events: &[Event]) -> Value {
        let body: Option<Value> = serde_json::from_slice(self.body()).ok();
        let events = events.iter().map(|event| {
            let mut expected = json!({ "type": event.event_type, "id": event.external_id });
            if event.occurred_at.is_some() {
                expected["occurred_at"] = shown_time(event.occurred_at);
            }
            if body.as_ref() == Some(&event.data) {
                expected["data_is_body"] = true.into();
            } else {
                expected["data"] = event.data.clone();
            }
            expected
        });
        Value::Array(events.collect())
    }
}

fn shown_time(time: Option<Micros>) -> Value {
    let time = time.and_then(|micros| Timestamp::from_microsecond(micros).ok());
    time.map_or(Value::Null, |time| time.to_string().into())
}

/// What came of a call, in the form in which samples expect it.
fn outcome_of_call(result: Result<Value, LifecycleError>) -> Value {
    match result {
        Ok(Value::Object(mut members)) => {
            members.retain(|_, value| !value.is_null() && *value != Value::Bool(false));
            json!({ "result": members })
        }
        Ok(result) => json!({ "result": result }),
        Err(error) => {
            let (kind, status) = error_facts(&error);
            match status {
                Some(status) => {
                    json!({ "error": { "kind": kind, "status": status, "message": error.to_string() } })
                }
                None => json!({ "error": { "kind": kind, "message": error.to_string() } }),
            }
        }
    }
}

fn error_facts(error: &LifecycleError) -> (&'static str, Option<u16>) {
    match error {
        LifecycleError::Provider { status, .. } => ("provider", Some(*status)),
        LifecycleError::Unreachable(_) => ("unreachable", None),
        LifecycleError::Timeout { .. } => ("timeout", None),
        LifecycleError::Denied(_) | LifecycleError::HostNotListed { .. } => ("denied", None),
        LifecycleError::MissingFunction(_) | LifecycleError::Script(_) => ("script", None),
    }
}
