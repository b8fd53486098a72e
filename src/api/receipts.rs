//! Receipts: what became of every inbound request, and why.

use axum::{Json, extract::State};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Id, Params},
    page::{Listing, listing, page},
    problem::Problem,
};
use crate::{
    clock,
    context::Shared,
    ids,
    store::{ReceiptFilter, model::Receipt},
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_receipts)).routes(routes!(get_receipt))
}

/// What became of one inbound request, and why.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptView {
    /// `rcp_…`
    id: String,
    /// Trigger addressed.
    trigger_id: Option<String>,
    /// Provider app whose shared URL was called, where it was one.
    provider_app_id: Option<String>,
    /// App slug.
    app: String,
    /// HTTP method.
    method: String,
    /// Header fields as pairs; reusable credentials are redacted.
    headers: Value,
    /// The raw body as text, kept of verified requests; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The raw body in base64, where it is not UTF-8; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    /// Size of the body in bytes.
    body_size: i64,
    /// `stored`, `duplicate`, `filtered`, `ignored`, `challenge`, `rejected` or `failed`; `routed`
    /// of a request at a shared URL that concerned triggers, each of which has a receipt of its
    /// own.
    outcome: String,
    /// Why: one sentence, or the code of the check that failed.
    reason: Option<String>,
    /// What verified it, events, and the filter's verdicts.
    detail: Value,
    /// HTTP status answered.
    answered: i64,
    /// Content hash of the definition used.
    definition_version: Option<String>,
    /// RFC 3339.
    received_at: String,
}

impl From<Receipt> for ReceiptView {
    fn from(receipt: Receipt) -> Self {
        let (body, body_base64) = match receipt.body.map(String::from_utf8) {
            Some(Ok(text)) => (Some(text), None),
            Some(Err(other)) => (None, Some(BASE64.encode(other.as_bytes()))),
            None => (None, None),
        };
        Self {
            id: receipt.id,
            trigger_id: receipt.trigger_id,
            provider_app_id: receipt.provider_app_id,
            app: receipt.app,
            method: receipt.method,
            headers: receipt.headers,
            body,
            body_base64,
            body_size: receipt.body_size,
            outcome: receipt.outcome,
            reason: receipt.reason,
            detail: receipt.detail,
            answered: receipt.answered,
            definition_version: receipt.definition_version,
            received_at: clock::rfc3339(receipt.received_at),
        }
    }
}

/// Which receipts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReceiptParams {
    /// Only receipts of this trigger.
    trigger: Option<String>,
    /// Only receipts with this outcome.
    outcome: Option<String>,
    /// In place of the project's: the receipts of requests at this provider app's shared URL.
    /// Takes an admin key, because their bodies may speak of every project's accounts.
    provider_app: Option<String>,
    /// Items on a page, 1 to 100; 50 unless told.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{40}$")]
    cursor: Option<String>,
}

/// List receipts: what became of every request that addressed a trigger, newest first.
#[utoipa::path(get, path = "/v1/receipts", tag = "Receipts", params(ReceiptParams),
    responses((status = 200, body = Listing<ReceiptView>)))]
async fn list_receipts(
    State(context): State<Shared>,
    caller: Caller,
    Params(params): Params<ReceiptParams>,
) -> Result<Json<Listing<ReceiptView>>, Problem> {
    let page = page(ids::RECEIPT, params.limit, params.cursor.as_deref())?;
    let filter = ReceiptFilter { trigger: params.trigger, outcome: params.outcome };
    let rows = match &params.provider_app {
        Some(provider_app) => {
            caller.must_be_admin()?;
            context.store.list_door_receipts(provider_app, &filter, &page).await?
        }
        None => context.store.list_receipts(&caller.project_id, &filter, &page).await?,
    };
    Ok(Json(listing(rows, &page, |row| &row.id, ReceiptView::from)))
}

/// Get a receipt with the raw body. Those of requests at shared URLs take an admin key.
#[utoipa::path(get, path = "/v1/receipts/{id}", tag = "Receipts", params(("id" = String, Path, description = "`rcp_…`")),
    responses((status = 200, body = ReceiptView)))]
async fn get_receipt(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<ReceiptView>, Problem> {
    let mut receipt = context.store.receipt(&caller.project_id, &id).await?;
    if receipt.is_none() && caller.admin {
        receipt = context.store.door_receipt(&id).await?;
    }
    receipt
        .map(|receipt| Json(receipt.into()))
        .ok_or_else(|| Problem::not_found("there is no receipt with this id"))
}
