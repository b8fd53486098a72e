//! Receiving: from raw bytes to a durable receipt and its events, then the answer.
//!
//! One webhook takes eight hops in one direction: limits, look-up, signature, challenge or
//! mapping, filter, commit, answer. Nothing is answered with 2xx before it is on disk.

mod breaker;
mod receipt;
mod subscriber;

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearken_engine::{App, Headers, KeyRing, Outcome, Received, Rejection, Reply, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;
use tracing::{error, info, warn};

use self::receipt::Draft;
pub use self::subscriber::{Subscriber, Subscribers};
use crate::{api::problem::Problem, clock, context::Shared, ids, store::Recorded};

/// Seconds after which a provider may try again when the store cannot take an event.
const RETRY_SECONDS: u64 = 5;
/// Seconds after which a provider may try again when a public key could not be fetched.
const KEY_RETRY_SECONDS: u64 = 30;

/// `GET`, `HEAD` and `POST /v1/webhooks/{app}/{trigger_id}`.
pub async fn receive(
    State(context): State<Shared>,
    Path((slug, trigger_id)): Path<(String, String)>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let catalogue = context.catalogue.snapshot();
    let Some(app) = catalogue.app(&slug) else {
        return unknown_url(&slug, &trigger_id);
    };
    let answer = match admit(&context, app, &trigger_id, &headers, body).await {
        Ok((subscriber, body)) => {
            let request = request(&subscriber, &method, uri.query(), &headers, body);
            Reception { context: &context, app, subscriber: &subscriber }.take(request).await
        }
        Err(answer) => answer,
    };
    let status = answer.status().as_u16().to_string();
    metrics::counter!("hearken_webhook_requests_total", "app" => slug.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("hearken_webhook_seconds", "app" => slug)
        .record(started.elapsed().as_secs_f64());
    answer
}

/// Finds the trigger and reads the body within the limits, or says why not.
async fn admit(
    context: &Shared,
    app: &App,
    trigger_id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Arc<Subscriber>, Bytes), Response> {
    let found = match context.subscribers.find(context, trigger_id).await {
        Ok(found) => found.filter(|subscriber| subscriber.trigger.app == app.slug),
        Err(error) => return Err(unavailable(&error)),
    };
    let Some(subscriber) = found else {
        return Err(unknown_url(&app.slug, trigger_id));
    };
    if let Err(seconds) = context.subscribers.admit(trigger_id) {
        return Err(Problem::too_many_requests(seconds).into_response());
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "compressed bodies are not accepted at this URL";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding", detail)
            .into_response());
    }
    let limit = app.definition.ingress.body_limit;
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok((subscriber, collected.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::payload_too_large(limit).into_response())
        }
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_incomplete",
            "the body did not arrive in full and in time",
        )
        .into_response()),
    }
}

/// The request as the engine sees it. Its URL is the one registered at the provider, never what
/// a `Host` header claims.
fn request(
    subscriber: &Subscriber,
    method: &Method,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Bytes,
) -> Request {
    let base = &subscriber.trigger.webhook_url;
    let pairs = query.unwrap_or_default();
    Request {
        method: method.as_str().to_owned(),
        url: query.map_or_else(|| base.clone(), |query| format!("{base}?{query}")),
        query: url::form_urlencoded::parse(pairs.as_bytes()).into_owned().collect(),
        headers: Headers::new(headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })),
        body: body.into(),
        received_at: clock::now(),
    }
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
        if request.method != "POST" {
            return self.answer_probe(&request, draft).await;
        }
        match self.run_engine(request).await {
            (Ok(Received { verified_by, outcome }), request) => {
                self.settle(draft.verified(verified_by), outcome, request).await
            }
            (Err(rejection), _) => self.reject(draft, &rejection).await,
        }
    }

    /// Scripts use the processor for as long as their limits allow, so they run on threads that
    /// may be blocked, as many at once as there are cores.
    async fn run_engine(&self, request: Request) -> (Result<Received, Rejection>, Request) {
        let (app, subscriber) = (self.app.clone(), self.subscriber.clone());
        let keys = self.context.key_ring.clone();
        let subscribers = &self.context.subscribers;
        let script = format!("{}@{}", app.slug, app.version);
        let off_for = subscribers.breaker.off_for(&script);
        let turn = subscribers.turn().await;
        let run = move || {
            // Held to the end of the run, also when the sender has hung up meanwhile.
            let _turn = turn;
            let received = match off_for {
                Some(seconds) => verify_only(&app, &request, &subscriber, &keys, seconds),
                None => app.receive(&request, &subscriber.context, &keys),
            };
            (received, request)
        };
        match tokio::task::spawn_blocking(run).await {
            Ok((received, request)) => {
                let exhausted = matches!(
                    &received,
                    Ok(Received { outcome: Outcome::Failed { exhausted: true, .. }, .. })
                );
                if off_for.is_none() && subscribers.breaker.note(&script, exhausted) {
                    error!(app = %self.app.slug,
                        "the script used up its limits again and again; it is switched off for a while");
                }
                (received, request)
            }
            Err(panic) => {
                error!(app = %self.app.slug, %panic, "the engine panicked; please report this");
                std::panic::resume_unwind(panic.into_panic())
            }
        }
    }

    /// `GET` and `HEAD`: a provider that asks whether this URL is alive or ours.
    async fn answer_probe(&self, request: &Request, draft: Draft) -> Response {
        if let Some((kind, reply)) =
            self.app.answer_unsigned(request, &self.subscriber.context.recipient)
        {
            let status = reply.status;
            let draft = draft.outcome("challenge", Some(kind.to_owned())).answered(status);
            return self.commit(draft, |_| reply_response(reply)).await;
        }
        if request.method == "HEAD" {
            return StatusCode::OK.into_response();
        }
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "post_expected",
            "this URL receives webhooks by POST",
        )
        .with_header(header::ALLOW, "POST, HEAD")
        .into_response()
    }

    async fn reject(&self, draft: Draft, rejection: &Rejection) -> Response {
        let problem = rejection_problem(rejection);
        metrics::counter!("hearken_webhooks_rejected_total",
            "app" => self.app.slug.clone(), "reason" => rejection.code())
        .increment(1);
        if !self.context.subscribers.may_note_rejection(&self.subscriber.trigger.id) {
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
            Outcome::Challenge { kind, reply } => {
                let draft =
                    draft.outcome("challenge", Some(kind.to_owned())).answered(reply.status);
                return self.commit(draft, |_| reply_response(reply)).await;
            }
            Outcome::Ignored { reason } => draft.outcome("ignored", Some(reason)),
            Outcome::Failed { reason, .. } => {
                warn!(app = %self.app.slug, trigger = %self.subscriber.trigger.id, reason,
                    "a verified request could not be mapped; its receipt keeps it");
                draft.outcome("failed", Some(reason)).body(request.body)
            }
            Outcome::Events(_) if self.subscriber.trigger.status == "paused" => {
                draft.outcome("ignored", Some("the trigger is paused".to_owned()))
            }
            Outcome::Events(events) => draft.events(self.subscriber, events, request),
        };
        self.commit(draft.answered(StatusCode::ACCEPTED.as_u16()), accepted).await
    }

    async fn commit(
        &self,
        draft: Draft,
        answer: impl FnOnce(&(String, Recorded)) -> Response,
    ) -> Response {
        let inbound = draft.finish();
        let receipt_id = inbound.receipt.id.clone();
        match self.context.store.record(inbound).await {
            Ok(recorded) => answer(&(receipt_id, recorded)),
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
    let verified_by = app.verify(request, &subscriber.context.recipient, keys)?.by();
    let reason =
        format!("the app's script overran its limits and is switched off for {seconds} s more");
    Ok(Received { verified_by, outcome: Outcome::Failed { reason, exhausted: false } })
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
        Rejection::UnsupportedContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Rejection::MalformedBody(_) => StatusCode::BAD_REQUEST,
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
fn unknown_url(slug: &str, trigger_id: &str) -> Response {
    let known_form = ids::valid(ids::TRIGGER, trigger_id);
    info!(app = ?slug, trigger = ?trigger_id, known_form, "a webhook came for no trigger");
    metrics::counter!("hearken_webhooks_unknown_total").increment(1);
    Problem::not_found("no trigger receives at this URL").into_response()
}

fn unavailable(error: &crate::store::StoreError) -> Response {
    error!(%error, "the store cannot take a webhook; the sender is asked to retry");
    Problem::unavailable(RETRY_SECONDS).into_response()
}
