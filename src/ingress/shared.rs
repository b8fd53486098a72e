//! Receiving at the one URL of an app registered at a provider: verified once, then mapped for
//! every trigger whose account the request is about, in whatever project.
//!
//! Everything one request became is committed together. It leaves a receipt of its own, which
//! belongs to the operator and keeps the body; the receipts of the triggers refer to it, because
//! the body may speak of other tenants' accounts too.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hearken_engine::{Answer, App, Duty, KeyRing, Opened, Outcome, Recipient, Rejection, Request};
use serde_json::json;
use tokio::runtime::Handle;
use tracing::{error, warn};

use super::{
    Subscriber,
    handshake::{call, unconfirmed},
    no_delivery,
    receipt::Draft,
    rejection_problem, reply_response,
    run::Run,
    unavailable,
};
use crate::{
    accounts::opened::open_provider_app,
    context::{Context, Shared},
    store::{Inbound, StoreError, model::ProviderApp},
};

/// A shared URL, ready to verify what arrives at it.
pub struct Door {
    /// The provider app it belongs to.
    pub provider_app: ProviderApp,
    /// To whom requests are addressed, secrets opened.
    pub recipient: Recipient,
}

impl Door {
    /// Opens what verifies requests at the URL of a provider app. What does not open is told in
    /// the log, and verifies nothing.
    pub(super) fn prepare(context: &Context, app: &App, provider_app: ProviderApp) -> Self {
        let opened = open_provider_app(context, &provider_app).inspect_err(|why| {
            error!(provider_app = %provider_app.id, error = %why, "its credentials do not open");
        });
        let recipient = Recipient {
            url: context.config.webhook_url(&provider_app.app, &provider_app.id),
            secrets: opened.map(|opened| opened.secrets(app)).unwrap_or_default(),
            facts: provider_app.metadata.clone(),
        };
        Self { provider_app, recipient }
    }
}

/// One request at a shared URL on its way through.
pub(super) struct Reception<'a> {
    pub(super) context: &'a Shared,
    pub(super) app: &'a Arc<App>,
    pub(super) door: &'a Arc<Door>,
}

/// What a verified request is.
enum Found {
    Handshake(Answer),
    /// What it became to each trigger it concerns, and how many accounts it names.
    Events {
        became: Vec<(Arc<Subscriber>, Outcome)>,
        accounts: usize,
    },
}

/// A verified request, or why it is none.
type Verdict = Result<(&'static str, Found), Refusal>;

enum Refusal {
    Rejected(Rejection),
    Store(StoreError),
}

impl Reception<'_> {
    /// Takes in a delivery.
    pub(super) async fn take(&self, request: Request) -> Response {
        let draft = Draft::for_door(self.app, self.door, &request);
        if let Some(answer) = self.app.answer_unsigned(&request, &self.door.recipient) {
            return self.shake_hands(draft, answer).await;
        }
        if request.method != "POST" {
            return no_delivery(&request);
        }
        match self.run_engine(request).await {
            (Ok((by, Found::Handshake(answer))), _) => {
                self.shake_hands(draft.verified(by), answer).await
            }
            (Ok((by, Found::Events { became, accounts })), request) => {
                self.settle(draft.verified(by), became, accounts, request).await
            }
            (Err(Refusal::Rejected(rejection)), _) => self.reject(draft, &rejection).await,
            (Err(Refusal::Store(error)), _) => unavailable(&error),
        }
    }

    /// Answers a handshake. A secret cannot be handed over here: that of a provider app is the
    /// operator's to enter, which is checked when the app is loaded.
    async fn shake_hands(&self, draft: Draft, answer: Answer) -> Response {
        let Answer { kind, reply, duty } = answer;
        match duty {
            None => {}
            Some(Duty::KeepSecret { .. }) => {
                return self.reject(draft, &Rejection::SecretKnown).await;
            }
            Some(Duty::CallUrl(url)) => {
                if let Err(why) = call(self.context, self.app, &url).await {
                    let (problem, reason) = unconfirmed(&why);
                    warn!(app = %self.app.slug, provider_app = %self.door.provider_app.id, reason);
                    let draft = draft.outcome("failed", Some(reason));
                    let draft = draft.answered(problem.status().as_u16());
                    return self.commit(vec![draft.finish()], || problem.into_response()).await;
                }
            }
        }
        let id = &self.door.provider_app.id;
        if !draft.is_verified() && !self.context.subscribers.may_note_unverified(id) {
            return reply_response(reply);
        }
        let draft = draft.outcome("challenge", Some(kind.to_owned())).answered(reply.status);
        self.commit(vec![draft.finish()], || reply_response(reply)).await
    }

    async fn run_engine(&self, request: Request) -> (Verdict, Request) {
        let (context, app, door) = (self.context.clone(), self.app.clone(), self.door.clone());
        let keys = self.context.key_ring.clone();
        let runtime = Handle::current();
        let run = Run { context: self.context, app: self.app };
        run.engine(move |off_for| {
            let answer = open(&context, &app, &door, &request, &keys, off_for, &runtime);
            let exhausted = matches!(&answer, Ok((_, Found::Events { became, .. }))
                if became.iter().any(|(_, outcome)| is_exhausted(outcome)));
            ((answer, request), exhausted)
        })
        .await
    }

    /// Records what became of a verified request, and answers once it is on disk.
    async fn settle(
        &self,
        draft: Draft,
        became: Vec<(Arc<Subscriber>, Outcome)>,
        accounts: usize,
        request: Request,
    ) -> Response {
        let reason = match (accounts, became.len()) {
            (0, _) => Some(("no_route", "it names no account: no path of `route` finds an id")),
            (_, 0) => Some(("no_trigger", "no trigger of the accounts it names is about it")),
            _ => None,
        };
        let draft = match reason {
            Some((code, why)) => {
                draft.outcome("ignored", Some(code.to_owned())).detail("problem", json!(why))
            }
            None => draft.outcome("routed", None),
        };
        let draft = draft.answered(StatusCode::ACCEPTED.as_u16());
        let door_receipt = draft.id().to_owned();
        let accepted = became.len();
        let mut inbound = Vec::with_capacity(accepted + 1);
        for (subscriber, outcome) in became {
            inbound.push(self.receipt_of(&subscriber, outcome, &request, &door_receipt));
        }
        inbound.push(draft.detail("triggers", json!(accepted)).body(request.body).finish());
        let answer = json!({ "receipt": door_receipt, "accepted": accepted });
        let wanted = self.app.definition.ingress.acknowledge.as_ref();
        let answer = || match wanted {
            None => (StatusCode::ACCEPTED, Json(answer)).into_response(),
            Some(wanted) => reply_response(wanted.reply()),
        };
        self.commit(inbound, answer).await
    }

    fn receipt_of(
        &self,
        subscriber: &Subscriber,
        outcome: Outcome,
        request: &Request,
        door_receipt: &str,
    ) -> Inbound {
        let draft = Draft::new(self.app, subscriber, request)
            .of_door(&self.door.provider_app.id)
            .detail("request", json!(door_receipt))
            .answered(StatusCode::ACCEPTED.as_u16());
        let draft = match outcome {
            Outcome::Ignored { reason } => draft.outcome("ignored", Some(reason)),
            Outcome::Failed { reason, .. } => {
                warn!(app = %self.app.slug, trigger = %subscriber.trigger.id, reason,
                    "a verified request could not be mapped; the receipt of the shared URL keeps it");
                draft.outcome("failed", Some(reason))
            }
            Outcome::Events(_) | Outcome::Noticed(_) if subscriber.trigger.status == "paused" => {
                draft.outcome("ignored", Some("the trigger is paused".to_owned()))
            }
            Outcome::Noticed(document) => draft.notice(&self.context.vault, &document),
            Outcome::Events(events) => draft.events(subscriber, events, request.received_at),
            Outcome::Challenge(answer) => draft.outcome("challenge", Some(answer.kind.to_owned())),
        };
        draft.finish()
    }

    async fn reject(&self, draft: Draft, rejection: &Rejection) -> Response {
        let problem = rejection_problem(rejection);
        metrics::counter!("hearken_webhooks_rejected_total",
            "app" => self.app.slug.clone(), "reason" => rejection.code())
        .increment(1);
        if !self.context.subscribers.may_note_unverified(&self.door.provider_app.id) {
            return problem.into_response();
        }
        let draft = draft
            .outcome("rejected", Some(rejection.code().to_owned()))
            .detail("problem", json!(rejection.to_string()))
            .answered(problem.status().as_u16());
        self.commit(vec![draft.finish()], || problem.into_response()).await
    }

    async fn commit(&self, inbound: Vec<Inbound>, answer: impl FnOnce() -> Response) -> Response {
        match self.context.store.record_all(inbound).await {
            Ok(_) => answer(),
            Err(error) => unavailable(&error),
        }
    }
}

/// Verifies and parses a request, answers it if it is a handshake, finds the triggers it concerns
/// and maps it for each. Runs on a thread that may be blocked.
fn open(
    context: &Shared,
    app: &App,
    door: &Door,
    request: &Request,
    keys: &KeyRing,
    off_for: Option<u64>,
    runtime: &Handle,
) -> Verdict {
    let opened = app.open(request, &door.recipient, keys).map_err(Refusal::Rejected)?;
    let by = opened.verified_by();
    let handshake = app.handshake(&opened, &door.recipient).map_err(Refusal::Rejected)?;
    if let Some(answer) = handshake {
        return Ok((by, Found::Handshake(answer)));
    }
    let accounts = app.accounts(&opened);
    let lookup = behind(context, &door.provider_app.id, &accounts);
    let subscribers = runtime.block_on(lookup).map_err(Refusal::Store)?;
    let concerned = subscribers.into_iter().filter(|one| app.concerns(&opened, &one.context));
    let became = concerned.map(|one| (one.clone(), map(app, &opened, &one, off_for))).collect();
    Ok((by, Found::Events { became, accounts: accounts.len() }))
}

/// The triggers of all these accounts.
async fn behind(
    context: &Shared,
    provider_app: &str,
    accounts: &BTreeSet<String>,
) -> Result<Vec<Arc<Subscriber>>, StoreError> {
    let mut found = Vec::new();
    for account in accounts {
        let behind = context.subscribers.behind(context, provider_app, account).await?;
        found.extend(behind.iter().cloned());
    }
    Ok(found)
}

fn map(app: &App, opened: &Opened<'_>, subscriber: &Subscriber, off_for: Option<u64>) -> Outcome {
    match off_for {
        Some(seconds) => super::switched_off(seconds),
        None => app.map(opened, &subscriber.context),
    }
}

fn is_exhausted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { exhausted: true, .. })
}
