//! The receipt of one inbound request, as it is drawn up on the way through.

use hearken_engine::{App, Event, Micros, Recipient, Request, TriggerContext, document::Document};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{shared::Door, subscriber::Subscriber};
use crate::{
    accounts::{Vault, vault::Place},
    ids,
    store::{
        Inbound,
        model::{NewEvent, NewNotice, Receipt},
    },
};

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// Header fields that carry a credential somebody could use again.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"];

/// A receipt that is not finished yet, with the events it will be stored with.
pub(super) struct Draft {
    receipt: Receipt,
    detail: Map<String, Value>,
    events: Vec<NewEvent>,
    notice: Option<NewNotice>,
}

/// Events after a trigger's filter judged them.
pub(crate) struct Sifted {
    /// Those it lets through.
    pub(crate) kept: Vec<NewEvent>,
    /// The others, each with the verdict on it.
    pub(crate) dropped: Vec<Value>,
    /// What decided first that one was dropped.
    pub(crate) reason: Option<String>,
}

/// Sifts events that came at `received_at` through a trigger's filter.
pub(crate) fn sift(subscriber: &Subscriber, events: Vec<Event>, received_at: Micros) -> Sifted {
    let expires_at = received_at.saturating_add(subscriber.retention_days * MICROS_PER_DAY);
    let mut sifted = Sifted { kept: Vec::new(), dropped: Vec::new(), reason: None };
    for event in events {
        let verdict = subscriber.filter.judge(&event.data);
        if verdict.matched {
            sifted.kept.push(NewEvent {
                id: ids::new(ids::EVENT),
                event_type: event.event_type,
                external_event_id: event.external_id,
                data: event.data,
                occurred_at: event.occurred_at,
                expires_at,
            });
        } else {
            let deciding = verdict.clause.as_ref().map(ToString::to_string);
            sifted.reason = sifted.reason.or(deciding);
            sifted.dropped.push(json!({ "external_id": event.external_id, "verdict": verdict }));
        }
    }
    sifted
}

impl Draft {
    /// Notes what is known of a request to a trigger on its arrival.
    pub(super) fn new(app: &App, subscriber: &Subscriber, request: &Request) -> Self {
        let context = &subscriber.context;
        let mut draft = Self::on_arrival(app, request, Some(context), &context.recipient);
        draft.receipt.project_id = Some(subscriber.trigger.project_id.clone());
        draft.receipt.trigger_id = Some(subscriber.trigger.id.clone());
        draft
    }

    /// Notes what is known of a request to a shared URL on its arrival.
    pub(super) fn for_door(app: &App, door: &Door, request: &Request) -> Self {
        Self::on_arrival(app, request, None, &door.recipient).of_door(&door.provider_app.id)
    }

    /// Notes at which shared URL it arrived.
    pub(super) fn of_door(mut self, provider_app: &str) -> Self {
        self.receipt.provider_app_id = Some(provider_app.to_owned());
        self
    }

    fn on_arrival(
        app: &App,
        request: &Request,
        trigger: Option<&TriggerContext>,
        recipient: &Recipient,
    ) -> Self {
        Self {
            receipt: Receipt {
                id: ids::new(ids::RECEIPT),
                project_id: None,
                trigger_id: None,
                provider_app_id: None,
                app: app.slug.clone(),
                method: request.method.clone(),
                headers: shown_headers(request, &app.secret_carriers(trigger), &recipient.secrets),
                body: None,
                body_size: i64::try_from(request.body.len()).unwrap_or(i64::MAX),
                outcome: String::new(),
                reason: None,
                detail: Value::Null,
                answered: 0,
                definition_version: Some(app.version.clone()),
                received_at: request.received_at,
            },
            detail: Map::new(),
            events: Vec::new(),
            notice: None,
        }
    }

    /// The receipt's id.
    pub(super) fn id(&self) -> &str {
        &self.receipt.id
    }

    /// Whether any event passed the filter.
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Notes what vouched for the request.
    pub(super) fn verified(self, by: &str) -> Self {
        self.detail("verified_by", json!(by))
    }

    /// Notes what became of it, and why.
    pub(super) fn outcome(mut self, outcome: &str, reason: Option<String>) -> Self {
        outcome.clone_into(&mut self.receipt.outcome);
        self.receipt.reason = reason;
        self
    }

    /// Notes a detail.
    pub(super) fn detail(mut self, name: &str, value: Value) -> Self {
        self.detail.insert(name.to_owned(), value);
        self
    }

    /// Keeps the raw body.
    pub(super) fn body(mut self, body: Vec<u8>) -> Self {
        self.receipt.body = Some(body);
        self
    }

    /// Whether something vouched for the request.
    pub(super) fn is_verified(&self) -> bool {
        self.detail.contains_key("verified_by")
    }

    /// Notes the status answered.
    pub(super) fn answered(mut self, status: u16) -> Self {
        self.receipt.answered = i64::from(status);
        self
    }

    /// Sifts the request's events through the trigger's filter and takes in those that pass.
    pub(super) fn events(
        mut self,
        subscriber: &Subscriber,
        events: Vec<Event>,
        received_at: Micros,
    ) -> Self {
        let Sifted { kept, dropped, reason } = sift(subscriber, events, received_at);
        self.events = kept;
        if !dropped.is_empty() {
            self = self.detail("filtered", Value::Array(dropped));
        }
        if self.events.is_empty() {
            return self.outcome("filtered", reason);
        }
        self.outcome("stored", None)
    }

    /// Notes that what the request is about is yet to be asked of the provider. Its document is
    /// kept sealed until then: unlike the receipt's, its header fields can carry credentials.
    pub(super) fn notice(mut self, vault: &Vault, document: &Document) -> Self {
        let id = ids::new(ids::NOTICE);
        let project = self.receipt.project_id.as_deref().unwrap_or_default();
        let place = notice_place(&id, project);
        let sealed = vault.seal(place, &SecretString::from(document.root().to_string()));
        self.notice = Some(NewNotice { id, document: Some(sealed) });
        self.outcome("noticed", None)
    }

    /// The finished receipt with its events.
    pub(super) fn finish(mut self) -> Inbound {
        self.receipt.detail = Value::Object(self.detail);
        Inbound { receipt: self.receipt, events: self.events, notice: self.notice }
    }
}

/// Where a notice's document is sealed to.
pub(crate) fn notice_place<'a>(id: &'a str, project: &'a str) -> Place<'a> {
    Place { table: "notices", column: "document", row: id, project }
}

/// Header fields as pairs, reusable credentials left out.
///
/// A secret may come in a field where nobody asked for it, so its text is looked for, too.
fn shown_headers(request: &Request, carriers: &[String], secrets: &[SecretString]) -> Value {
    let is_secret = |value: &str| {
        let mut texts = secrets.iter().map(ExposeSecret::expose_secret);
        texts.any(|text| !text.is_empty() && value.contains(text))
    };
    let shown = request.headers.iter().map(|(name, value)| {
        let hide = SECRET_HEADERS.contains(&name)
            || carriers.iter().any(|carrier| carrier == name)
            || is_secret(value);
        json!([name, if hide { "[redacted]" } else { value }])
    });
    Value::Array(shown.collect())
}
