//! The HTTP API: one file per resource, its routes and its OpenAPI description from one source.
//!
//! Everything under `/v1` asks for an API key, save the webhooks, which are the providers' door
//! and live in [`crate::ingress`].

mod accounts;
mod apps;
pub mod auth;
mod consumers;
mod credentials;
mod description;
mod events;
mod extract;
mod health;
mod idempotency;
mod jobs;
mod oauth;
mod page;
pub mod problem;
mod projects;
mod provider_apps;
mod receipts;
mod stream;
mod task;
mod triggers;

use axum::{Router, extract::DefaultBodyLimit};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::context::Shared;

/// Largest body of an API request in bytes.
pub(crate) const BODY_LIMIT: usize = 1 << 20;

fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(description::facts())
        .merge(apps::router())
        .merge(provider_apps::router())
        .merge(accounts::router())
        .merge(oauth::router())
        .merge(triggers::router())
        .merge(health::router())
        .merge(events::router())
        .merge(consumers::router())
        .merge(stream::router())
        .merge(receipts::router())
        .merge(projects::router())
        .merge(jobs::router())
}

/// The API's routes.
pub fn router(context: Shared) -> Router {
    let (router, _) = routes().split_for_parts();
    router.layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(context)
}

/// The API's description, OpenAPI 3.1.
pub fn openapi() -> OpenApi {
    description::complete(routes().into_openapi())
}
