//! One sample, and running it.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    compare::Difference,
    expansion::check_expansion,
    http::{Exchange, Recorded},
};
use crate::{
    App, Headers, KeyRing, Outcome, Problem, Received, Recipient, Rejection, Request, Scheme,
    TriggerContext, nearest::did_you_mean, schema::Violation, script::moment,
    signature::SchemeError,
};

/// A sample file.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    #[serde(rename = "case")]
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) trigger: String,
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
    /// One of the forms of `Expectation`, or `{}` as long as nobody wrote one.
    pub(super) expect: Value,
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

impl Case {
    /// Reads the body's bytes from where the sample keeps them.
    pub(super) fn read_body(&mut self, root: &Path, folder: &str) -> Result<(), Problem> {
        self.request.bytes = match (&self.request.body, &self.request.body_file) {
            (Some(body), _) => body.clone().into_bytes(),
            (None, Some(name)) => fs::read(root.join(folder).join(name)).map_err(|error| {
                let message = format!("the body cannot be read: {error}");
                Problem::new(format!("{folder}/{name}"), message)
                    .hint("Put the file beside the sample, or write the body under `body`.")
            })?,
            (None, None) => Vec::new(),
        };
        Ok(())
    }

    /// Full name of its trigger.
    pub(crate) fn trigger_name(&self, app: &App) -> String {
        format!("{}__{}", app.slug.to_uppercase().replace('-', "_"), self.trigger)
    }

    /// How deliveries to its trigger are signed.
    pub(super) fn scheme(&self, app: &App) -> Result<Arc<Scheme>, SchemeError> {
        app.scheme_of(&self.trigger_name(app), &self.config)
    }

    /// What is wrong with it before it is run, each with the name of its member.
    pub(crate) fn mistakes(&self, app: &App) -> Vec<Difference> {
        let name = self.trigger_name(app);
        let Some(kind) = app.trigger(&name) else {
            let known = app.triggers().iter().filter_map(|one| one.name.split_once("__"));
            let near = did_you_mean(&self.trigger, known.map(|(_, name)| name));
            let message = format!("the app does not define {name}{near}");
            return vec![Difference::note("trigger", message)];
        };
        let violations = kind.check_config(&self.config).into_iter();
        let mut told: Vec<_> = violations
            .map(|one| Difference::note(format!("config{}", one.pointer), one.message))
            .collect();
        if !self.expects_nothing() {
            told.extend(self.agrees(&self.expect).err());
        }
        told
    }

    /// Runs it, and says what differed from what it expects.
    pub(super) fn run(&self, app: &App) -> Vec<Difference> {
        let mistakes = self.mistakes(app);
        if !mistakes.is_empty() {
            return mistakes;
        }
        match self.call.as_deref() {
            None => self.check_delivery(app),
            Some("expand") => check_expansion(self, app),
            Some(_) => self.check_call(app),
        }
    }

    /// Where its events do not fit the payload schema of their trigger.
    pub(crate) fn misfits(&self, app: &App) -> Vec<Violation> {
        let Some(kind) = app.trigger(&self.trigger_name(app)) else { return Vec::new() };
        let events = super::events(app, self);
        events.iter().flat_map(|event| kind.check_payload(&event.data)).collect()
    }

    /// The body's bytes.
    pub(super) fn body(&self) -> &[u8] {
        &self.request.bytes
    }

    /// Receives the delivery.
    pub(super) fn receive(&self, app: &App) -> Result<Received, Rejection> {
        self.receive_with(app, &KeyRing::new(Arc::new(Recorded::new(&self.http))))
    }

    /// Receives it, with keys from what the sample recorded.
    pub(super) fn receive_with(&self, app: &App, keys: &KeyRing) -> Result<Received, Rejection> {
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
}
