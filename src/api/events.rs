//! Events: what providers announced.

use axum::{Json, extract::State};
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
    store::{EventFilter, model::TriggerEvent},
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_events))
        .routes(routes!(list_events_alias))
        .routes(routes!(get_event, mark_processed))
        .routes(routes!(mark_processed_alias))
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventView {
    /// `evt_…`
    id: String,
    /// Trigger that produced it.
    trigger_id: String,
    /// App slug.
    app: String,
    /// Event type, such as `acme.push`.
    #[serde(rename = "type")]
    event_type: String,
    /// The provider's id of it, unique within the trigger.
    external_event_id: String,
    /// Its payload.
    data: Value,
    /// `pending`, `processed`, `delivered`, `failed` or `expired`.
    status: String,
    /// Why it failed.
    error: Option<String>,
    /// Receipt of the request that carried it.
    receipt_id: String,
    /// Content hash of the definition that mapped it.
    definition_version: String,
    /// When it happened, where the provider says so (RFC 3339).
    occurred_at: Option<String>,
    /// RFC 3339.
    received_at: String,
    /// RFC 3339.
    processed_at: Option<String>,
    /// RFC 3339.
    delivered_at: Option<String>,
    /// When it will be deleted (RFC 3339).
    expires_at: String,
}

impl From<TriggerEvent> for EventView {
    fn from(event: TriggerEvent) -> Self {
        Self {
            id: event.id,
            trigger_id: event.trigger_id,
            app: event.app,
            event_type: event.event_type,
            external_event_id: event.external_event_id,
            data: event.data,
            status: event.status,
            error: event.error,
            receipt_id: event.receipt_id,
            definition_version: event.definition_version,
            occurred_at: event.occurred_at.map(clock::rfc3339),
            received_at: clock::rfc3339(event.received_at),
            processed_at: event.processed_at.map(clock::rfc3339),
            delivered_at: event.delivered_at.map(clock::rfc3339),
            expires_at: clock::rfc3339(event.expires_at),
        }
    }
}

/// Which events to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParams {
    /// Only events of this trigger.
    pub(super) trigger: Option<String>,
    /// Only events of this app.
    pub(super) app: Option<String>,
    /// Only events in this status.
    pub(super) status: Option<String>,
    /// Only events of this type, such as `acme.push`.
    #[serde(rename = "type")]
    pub(super) event_type: Option<String>,
    /// Received at or after this time (RFC 3339).
    #[param(format = DateTime)]
    pub(super) from: Option<String>,
    /// Received before this time (RFC 3339).
    #[param(format = DateTime)]
    pub(super) to: Option<String>,
    /// Items on a page, 1 to 100; 50 unless told.
    #[param(minimum = 1, maximum = 100)]
    pub(super) limit: Option<u32>,
    /// The `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{40}$")]
    pub(super) cursor: Option<String>,
}

/// The page of events that `params` ask for.
pub(super) async fn find(
    context: &Shared,
    caller: &Caller,
    params: EventParams,
) -> Result<Json<Listing<EventView>>, Problem> {
    let page = page(ids::EVENT, params.limit, params.cursor.as_deref())?;
    let time = |name: &str, text: Option<String>| {
        let read = text.map(|text| clock::parse_rfc3339(&text));
        read.transpose().map_err(|message| Problem::query(name, message))
    };
    let filter = EventFilter {
        trigger: params.trigger,
        app: params.app,
        status: params.status,
        event_type: params.event_type,
        from: time("from", params.from)?,
        to: time("to", params.to)?,
    };
    let rows = context.store.list_events(&caller.project_id, &filter, &page).await?;
    Ok(Json(listing(rows, &page, |row| &row.id, EventView::from)))
}

/// List the project's events, newest first.
#[utoipa::path(get, path = "/v1/trigger-events", tag = "Events", params(EventParams),
    responses((status = 200, body = Listing<EventView>)))]
async fn list_events(
    State(context): State<Shared>,
    caller: Caller,
    Params(params): Params<EventParams>,
) -> Result<Json<Listing<EventView>>, Problem> {
    find(&context, &caller, params).await
}

/// The same as `GET /v1/trigger-events`.
#[utoipa::path(get, path = "/v1/triggers/events/all", tag = "Events", params(EventParams),
    responses((status = 200, body = Listing<EventView>)))]
async fn list_events_alias(
    State(context): State<Shared>,
    caller: Caller,
    Params(params): Params<EventParams>,
) -> Result<Json<Listing<EventView>>, Problem> {
    find(&context, &caller, params).await
}

/// Get an event.
#[utoipa::path(get, path = "/v1/trigger-events/{id}", tag = "Events", params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, body = EventView)))]
async fn get_event(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<EventView>, Problem> {
    let event = context.store.event(&caller.project_id, &id).await?;
    event.map(|event| Json(event.into())).ok_or_else(unknown)
}

/// Mark an event processed. It stays readable until it expires; doing it again changes nothing.
#[utoipa::path(delete, path = "/v1/trigger-events/{id}", tag = "Events", params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, body = EventView)))]
async fn mark_processed(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<EventView>, Problem> {
    processed(&context, &caller, &id).await
}

/// The same as `DELETE /v1/trigger-events/{id}`.
#[utoipa::path(delete, path = "/v1/triggers/events/{id}", tag = "Events", params(("id" = String, Path, description = "`evt_…`")),
    responses((status = 200, body = EventView)))]
async fn mark_processed_alias(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<EventView>, Problem> {
    processed(&context, &caller, &id).await
}

async fn processed(
    context: &Shared,
    caller: &Caller,
    id: &str,
) -> Result<Json<EventView>, Problem> {
    let event = context.store.mark_processed(&caller.project_id, id, clock::now()).await?;
    event.map(|event| Json(event.into())).ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("there is no event with this id")
}
