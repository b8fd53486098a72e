//! The HTTP API: one file per resource, its routes and its OpenAPI description from one source.
//!
//! Everything under `/v1` asks for an API key, save the webhooks, which are the providers' door
//! and live in [`crate::ingress`].

mod accounts;
mod apps;
pub mod auth;
mod events;
mod extract;
mod health;
mod idempotency;
mod page;
pub mod problem;
mod projects;
mod triggers;

use axum::{Router, extract::DefaultBodyLimit};
use utoipa::{
    OpenApi,
    openapi::{
        OpenApi as Document,
        security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        },
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::context::Shared;

/// Largest body of an API request in bytes.
pub(crate) const BODY_LIMIT: usize = 1 << 20;

/// The document's own facts; paths and schemas come from the routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "Hearken", description = "Triggers on other apps: subscribe, receive, verify, and read events."),
    tags(
        (name = "Apps", description = "What can be listened to."),
        (name = "Linked accounts", description = "Credentials for apps."),
        (name = "Triggers", description = "What is listened to."),
        (name = "Events", description = "What happened."),
        (name = "Receipts", description = "What became of every inbound request."),
        (name = "Webhooks", description = "Where providers deliver."),
        (name = "Projects", description = "Tenants."),
        (name = "API keys", description = "Who may call."),
    ),
    paths(receive_webhook, probe_webhook)
)]
struct Facts;

/// Deliver a webhook. The signature is the provider's own; no API key is asked for.
#[utoipa::path(post, path = "/v1/webhooks/{app}/{trigger_id}", tag = "Webhooks", security(()),
    params(("app" = String, Path, description = "Slug"), ("trigger_id" = String, Path, description = "`trg_…`")),
    request_body(content = Vec<u8>, content_type = "*/*", description = "Whatever the provider sends."),
    responses(
        (status = 202, description = "Verified and on disk.", body = serde_json::Value),
        (status = 200, description = "A challenge, answered."),
        (status = "4XX", body = problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 503, body = problem::ProblemDocument, content_type = "application/problem+json")))]
#[expect(dead_code, reason = "describes a route that lives in the ingress")]
fn receive_webhook() {}

/// Answer a provider's challenge by `GET`.
#[utoipa::path(get, path = "/v1/webhooks/{app}/{trigger_id}", tag = "Webhooks", security(()),
    params(("app" = String, Path, description = "Slug"), ("trigger_id" = String, Path, description = "`trg_…`")),
    responses(
        (status = 200, description = "A challenge, answered."),
        (status = "4XX", body = problem::ProblemDocument, content_type = "application/problem+json")))]
#[expect(dead_code, reason = "describes a route that lives in the ingress")]
fn probe_webhook() {}

fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Facts::openapi())
        .merge(apps::router())
        .merge(accounts::router())
        .merge(triggers::router())
        .merge(health::router())
        .merge(events::router())
        .merge(projects::router())
}

/// The API's routes.
pub fn router(context: Shared) -> Router {
    let (router, _) = routes().split_for_parts();
    router.layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(context)
}

/// The API's description, OpenAPI 3.1.
pub fn openapi() -> Document {
    let mut document = routes().into_openapi();
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-KEY")));
    components.add_security_scheme("bearer", bearer);
    components.add_security_scheme("key", header);
    let none: [String; 0] = [];
    document.security = Some(vec![
        SecurityRequirement::new("bearer", none.clone()),
        SecurityRequirement::new("key", none),
    ]);
    document
}
