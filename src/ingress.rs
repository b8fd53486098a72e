//! Receiving: from raw bytes to a durable receipt and its events, then the answer.
//!
//! One webhook takes eight hops in one direction: limits, look-up, signature, challenge or
//! mapping, filter, commit, answer. Nothing is answered with 2xx before it is on disk.

mod arrival;
mod breaker;
mod handshake;
mod receipt;
mod run;
mod shared;
mod subscriber;

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    body::Body,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearken_engine::{App, KeyRing, Outcome, Received, Rejection, Reply, Request};
use serde_json::json;
use tracing::{error, info, warn};

pub(crate) use self::receipt::{Sifted, notice_place, sift};
use self::{arrival::Arrived, receipt::Draft, run::Run};
pub use self::{
    shared::Door,
    subscriber::{Subscriber, Subscribers},
};
use crate::{api::problem::Problem, context::Shared, ids, store::Recorded};

/// Seconds after which a provider may try again when the store cannot take an event.
const RETRY_SECONDS: u64 = 5;
/// Seconds after which a provider may try again when a public key could not be fetched.
const KEY_RETRY_SECONDS: u64 = 30;

/// `GET`, `HEAD` and `POST /v1/webhooks/{app}/{id}`, of a trigger or of a provider app.
pub async fn receive(
    State(context): State<Shared>,
    Path((slug, id)): Path<(String, String)>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let catalogue = context.catalogue.snapshot();
    let Some(app) = catalogue.app(&slug) else {
        return unknown_url(&slug, &id);
    };
    let arrived = Arrived { method: &method, query: uri.query(), headers: &headers, body };
    let answer = if ids::valid(ids::PROVIDER_APP, &id) {
        at_door(&context, app, &id, arrived).await
    } else {
        at_trigger(&context, app, &id, arrived).await
    };
    let answer = answer.unwrap_or_else(|refusal| refusal);
    let status = answer.status().as_u16().to_string();
    metrics::counter!("hearken_webhook_requests_total", "app" => slug.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("hearken_webhook_seconds", "app" => slug)
        .record(started.elapsed().as_secs_f64());
    answer
}

async fn at_trigger(
    context: &Shared,
    app: &Arc<App>,
    id: &str,
    arrived: Arrived<'_>,
) -> Result<Response, Response> {
    let found = context.subscribers.find(context, id).await.map_err(|error| unavailable(&error))?;
    let subscriber = found
        .filter(|subscriber| subscriber.trigger.app == app.slug && !app.has_shared_url())
        .ok_or_else(|| unknown_url(&app.slug, id))?;
    let request = arrived.read(context, app, id, &subscriber.trigger.webhook_url).await?;
    Ok(Reception { context, app, subscriber: &subscriber }.take(request).await)
}

async fn at_door(
    context: &Shared,
    app: &Arc<App>,
    id: &str,
    arrived: Arrived<'_>,
) -> Result<Response, Response> {
    let found =
        context.subscribers.door(context, app, id).await.map_err(|error| unavailable(&error))?;
    let door = found.filter(|_| app.has_shared_url()).ok_or_else(|| unknown_url(&app.slug, id))?;
    let request = arrived.read(context, app, id, &door.recipient.url).await?;
    Ok(shared::Reception { context, app, door: &door }.take(request).await)
}

/// One request on its way through, with what it is held against.
struct Reception<'a> {
    context: &'a Shared,
    app: &'a Arc<App>,
    subscriber: &'a Arc<Subscriber>,
}

impl Reception<'_> {
    async fn take(&self, request: Request) -> Response {
        let draft = Draft::new(self.app, self.subscriber, &request);
        let recipient = &self.subscriber.context.recipient;
        if let Some(answer) = self.app.answer_unsigned(&request, recipient) {
            return self.shake_hands(draft, answer).await;
        }
        if request.method != "POST" {
            return no_delivery(&request);
        }
        match self.run_engine(request).await {
            (Ok(Received { verified_by, outcome }), request) => {
                self.settle(draft.verified(verified_by), outcome, request).await
            }
            (Err(Rejection::NoSecret), request) if self.app.hands_over_secret() => {
                self.try_again(draft, request).await
            }
            (Err(rejection), _) => self.reject(draft, &rejection).await,
        }
    }

    /// A provider may deliver right after it handed over the secret, and to another replica: what
    /// the cache has of the trigger may be older.
    async fn try_again(&self, draft: Draft, request: Request) -> Response {
        let id = &self.subscriber.trigger.id;
        self.context.subscribers.forget(id).await;
        let subscriber = match self.context.subscribers.find(self.context, id).await {
            Ok(found) => found.filter(|found| !found.context.recipient.secrets.is_empty()),
            Err(error) => return unavailable(&error),
        };
        let Some(subscriber) = subscriber else {
            return self.reject(draft, &Rejection::NoSecret).await;
        };
        let again = Reception { subscriber: &subscriber, ..*self };
        match again.run_engine(request).await {
            (Ok(Received { verified_by, outcome }), request) => {
                again.settle(draft.verified(verified_by), outcome, request).await
            }
            (Err(rejection), _) => again.reject(draft, &rejection).await,
        }
    }

    async fn run_engine(&self, request: Request) -> (Result<Received, Rejection>, Request) {
        let (app, subscriber) = (self.app.clone(), self.subscriber.clone());
        let keys = self.context.key_ring.clone();
        let run = Run { context: self.context, app: self.app };
        run.engine(move |off_for| {
            let received = match off_for {
                Some(seconds) => verify_only(&app, &request, &subscriber, &keys, seconds),
                None => app.receive(&request, &subscriber.context, &keys),
            };
            let exhausted = matches!(
                &received,
                Ok(Received { outcome: Outcome::Failed { exhausted: true, .. }, .. })
            );
            ((received, request), exhausted)
        })
        .await
    }

    async fn reject(&self, draft: Draft, rejection: &Rejection) -> Response {
        let problem = rejection_problem(rejection);
        metrics::counter!("hearken_webhooks_rejected_total",
            "app" => self.app.slug.clone(), "reason" => rejection.code())
        .increment(1);
        if !self.context.subscribers.may_note_unverified(&self.subscriber.trigger.id) {
            return problem.into_response();
        }
        let draft = draft
            .outcome("rejected", Some(rejection.code().to_owned()))
            .detail("problem", json!(rejection.to_string()))
            .answered(problem.status().as_u16());
        self.commit(draft, |_| problem.into_response()).await
    }

    /// Records what came of a verified request, and answers once it is on disk.
    async fn settle(&self, draft: Draft, outcome: Outcome, request: Request) -> Response {
        let draft = match outcome {
            Outcome::Challenge(answer) => return self.shake_hands(draft, answer).await,
            Outcome::Ignored { reason } => draft.outcome("ignored", Some(reason)),
            Outcome::Failed { reason, .. } => {
                warn!(app = %self.app.slug, trigger = %self.subscriber.trigger.id, reason,
                    "a verified request could not be mapped; its receipt keeps it");
                draft.outcome("failed", Some(reason)).body(request.body)
            }
            Outcome::Events(_) | Outcome::Noticed(_)
                if self.subscriber.trigger.status == "paused" =>
            {
                draft.outcome("ignored", Some("the trigger is paused".to_owned()))
            }
            Outcome::Events(events) => {
                let draft = draft.events(self.subscriber, events, request.received_at);
                if draft.has_events() { draft.body(request.body) } else { draft }
            }
            Outcome::Noticed(document) => {
                draft.notice(&self.context.vault, &document).body(request.body)
            }
        };
        match &self.app.definition.ingress.acknowledge {
            None => self.commit(draft.answered(StatusCode::ACCEPTED.as_u16()), accepted).await,
            Some(wanted) => {
                let draft = draft.answered(wanted.status);
                self.commit(draft, |_| reply_response(wanted.reply())).await
            }
        }
    }

    async fn commit(
        &self,
        draft: Draft,
        answer: impl FnOnce(&(String, Recorded)) -> Response,
    ) -> Response {
        let inbound = draft.finish();
        let receipt_id = inbound.receipt.id.clone();
        let noticed = inbound.notice.is_some();
        match self.context.store.record(inbound).await {
            Ok(recorded) => {
                if noticed {
                    self.context.jobs.notice_came();
                }
                answer(&(receipt_id, recorded))
            }
            Err(error) => unavailable(&error),
        }
    }
}

/// What is done while a script is switched off: the request is kept, if it is genuine.
fn verify_only(
    app: &App,
    request: &Request,
    subscriber: &Subscriber,
    keys: &KeyRing,
    seconds: u64,
) -> Result<Received, Rejection> {
    let verified_by = app.verify_for(request, &subscriber.context, keys)?.by();
    Ok(Received { verified_by, outcome: switched_off(seconds) })
}

fn switched_off(seconds: u64) -> Outcome {
    let reason =
        format!("the app's script overran its limits and is switched off for {seconds} s more");
    Outcome::Failed { reason, exhausted: false }
}

/// What the sender hears of an accepted request: which events it became, old ones included.
fn accepted((receipt, recorded): &(String, Recorded)) -> Response {
    let body = json!({
        "receipt": receipt,
        "events": recorded.stored,
        "duplicates": recorded.duplicates,
    });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// The answer to `HEAD`, by which providers ask whether anybody is there, and to a `GET` that no
/// handshake answers.
fn no_delivery(request: &Request) -> Response {
    if request.method == "HEAD" {
        return StatusCode::OK.into_response();
    }
    let detail = "this URL receives webhooks by POST";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "post_expected", detail)
        .with_header(header::ALLOW, "POST, HEAD")
        .into_response()
}

fn rejection_problem(rejection: &Rejection) -> Problem {
    let status = match rejection {
        // Not the sender's fault, and worth another attempt.
        Rejection::KeyUnavailable(_) => {
            return Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                rejection.code(),
                rejection.to_string(),
            )
            .with_header(header::RETRY_AFTER, KEY_RETRY_SECONDS.to_string());
        }
        Rejection::UnsupportedContentType(_) | Rejection::UnsupportedEncoding(_) => {
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        }
        Rejection::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Rejection::MalformedBody(_) => StatusCode::BAD_REQUEST,
        Rejection::UrlNotAllowed(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::UNAUTHORIZED,
    };
    Problem::new(status, rejection.code(), rejection.to_string())
}

fn reply_response(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Nobody owns a receipt for a URL without a trigger, so the log has to tell the operator.
fn unknown_url(slug: &str, id: &str) -> Response {
    let known_form = ids::valid(ids::TRIGGER, id) || ids::valid(ids::PROVIDER_APP, id);
    info!(app = ?slug, ?id, known_form, "a webhook came for no trigger");
    metrics::counter!("hearken_webhooks_unknown_total").increment(1);
    Problem::not_found("no trigger receives at this URL").into_response()
}

fn unavailable(error: &crate::store::StoreError) -> Response {
    error!(%error, "the store cannot take a webhook; the sender is asked to retry");
    Problem::unavailable(RETRY_SECONDS).into_response()
}
