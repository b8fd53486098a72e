//! What the OpenAPI description says beside the routes: its own facts, the webhooks that are
//! served elsewhere, and what is the same for every operation.

use axum::http::StatusCode;
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, OpenApi as Document, PathItem, Ref, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        },
    },
};

use super::problem::ProblemDocument;

/// The document's own facts; paths and schemas come from the routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "Hearken", description = "Triggers on other apps: subscribe, receive, verify, and read events."),
    tags(
        (name = "Apps", description = "What can be listened to."),
        (name = "Provider apps", description = "What operators registered at providers, for all projects."),
        (name = "Linked accounts", description = "Credentials for apps."),
        (name = "Triggers", description = "What is listened to."),
        (name = "Events", description = "What happened."),
        (name = "Receipts", description = "What became of every inbound request."),
        (name = "Webhooks", description = "Where providers deliver."),
        (name = "Projects", description = "Tenants."),
        (name = "API keys", description = "Who may call."),
        (name = "Operation", description = "What the server does by itself."),
    ),
    paths(receive_webhook, probe_webhook),
    components(schemas(ProblemDocument))
)]
struct Facts;

/// Deliver a webhook. The signature is the provider's own; no API key is asked for.
#[utoipa::path(post, path = "/v1/webhooks/{app}/{trigger_id}", tag = "Webhooks", security(()),
    params(("app" = String, Path, description = "Slug"), ("trigger_id" = String, Path, description = "`trg_…`")),
    request_body(content = Vec<u8>, content_type = "*/*", description = "Whatever the provider sends."),
    responses(
        (status = 202, description = "Verified and on disk.", body = serde_json::Value),
        (status = 200, description = "A challenge, answered.")))]
#[expect(dead_code, reason = "describes a route that lives in the ingress")]
fn receive_webhook() {}

/// Answer a provider's challenge by `GET`.
#[utoipa::path(get, path = "/v1/webhooks/{app}/{trigger_id}", tag = "Webhooks", security(()),
    params(("app" = String, Path, description = "Slug"), ("trigger_id" = String, Path, description = "`trg_…`")),
    responses((status = 200, description = "A challenge, answered.")))]
#[expect(dead_code, reason = "describes a route that lives in the ingress")]
fn probe_webhook() {}

/// What the document starts from.
pub(super) fn facts() -> Document {
    Facts::openapi()
}

/// Adds what holds for every operation: how to present a key, and how problems look.
pub(super) fn complete(mut document: Document) -> Document {
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
    for path in document.paths.paths.values_mut() {
        operations(path).for_each(complete_operation);
    }
    document
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, post, patch, delete, .. } = path;
    [get, post, patch, delete].into_iter().flatten()
}

fn complete_operation(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            // The specification asks for one.
            let status = status.parse::<StatusCode>().ok();
            let reason = status.and_then(|status| status.canonical_reason());
            reason.unwrap_or("Done").clone_into(&mut response.description);
        }
    }
    for (status, what) in [
        ("4XX", "The request cannot be met; the problem document says why."),
        ("5XX", "The server or the provider failed; the problem document says which."),
    ] {
        responses.entry(status.to_owned()).or_insert_with(|| problem(what).into());
    }
}

fn problem(what: &str) -> Response {
    let document = Ref::from_schema_name("ProblemDocument");
    let content = ContentBuilder::new().schema(Some(document)).build();
    ResponseBuilder::new().description(what).content("application/problem+json", content).build()
}
