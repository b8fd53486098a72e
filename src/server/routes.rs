//! Every route of the server in one readable list, and what wraps them all.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use tower_http::{catch_panic::CatchPanicLayer, timeout::RequestBodyDeadlineLayer};

use crate::{
    api::{self, problem::Problem},
    context::Shared,
    ingress,
};

/// How often samples are folded into the metrics' histograms and idle rate limits dropped.
const UPKEEP: Duration = Duration::from_secs(5);

/// The whole server. Webhooks and operation are public, `/v1` beside them asks for an API key.
pub(super) fn all(context: Shared, metrics: PrometheusHandle) -> Router {
    tokio::spawn(upkeep(context.clone(), metrics.clone()));
    let body = Duration::from_secs(context.config.limits.body_seconds);
    let operation = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { metrics.render() }))
        .route("/openapi.json", get(|| async { Json(api::openapi()) }))
        .with_state(context.clone());
    let webhooks = Router::new()
        .route(
            "/v1/webhooks/{app}/{trigger_id}",
            get(ingress::receive).head(ingress::receive).post(ingress::receive),
        )
        .with_state(context.clone());
    operation
        .merge(webhooks)
        .merge(api::router(context))
        .fallback(|| async { Problem::not_found("there is nothing at this path") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(RequestBodyDeadlineLayer::new(body))
        .layer(middleware::from_fn(strict_framing))
        .layer(middleware::from_fn(safe_answer))
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
}

async fn upkeep(context: Shared, metrics: PrometheusHandle) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tick.tick().await;
        metrics.run_upkeep();
        context.subscribers.tidy();
        context.keys.tidy();
    }
}

/// Ready means: the database answers, and at least one app is loaded.
async fn ready(State(context): State<Shared>) -> Response {
    let apps = context.catalogue.snapshot().apps().count();
    let database = context.store.ping().await;
    let ready = database.is_ok() && apps > 0;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let database = if database.is_ok() { "ok" } else { "unreachable" };
    (status, Json(json!({ "ready": ready, "database": database, "apps": apps }))).into_response()
}

/// Refuses requests whose framing two servers could read differently: no `Host` or several, or a
/// `Transfer-Encoding` that is not exactly one `chunked` (RFC 9112, sections 3.2 and 6.1).
async fn strict_framing(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let hosts = headers.get_all(header::HOST).iter().count();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    if hosts == 1 && chunked {
        return next.run(request).await;
    }
    let detail = "exactly one Host, and no Transfer-Encoding but one `chunked`, are accepted";
    Problem::new(StatusCode::BAD_REQUEST, "ambiguous_request", detail)
        .with_header(header::CONNECTION, "close")
        .into_response()
}

/// Nothing this server answers is ever a page, whatever a sender put into it.
async fn safe_answer(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(axum::http::HeaderValue::from_static(value));
    }
    response
}
