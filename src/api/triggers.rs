//! Triggers: created and deleted together with their subscription at the provider.

mod checks;
mod secret;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::checks::{
    check_config, check_description, check_filter, check_scheme, check_status, trigger_type,
};
use super::{
    auth::Caller,
    events::{self, EventParams, EventView},
    extract::{Body, Id, Params},
    idempotency,
    page::{Listing, listing, page},
    problem::Problem,
    projects::check_retention,
    task::to_the_end,
};
use crate::{
    clock,
    context::Shared,
    ids,
    lifecycle::{self, Created, Wanted},
    store::{TriggerFilter, TriggerPatch, model::Trigger},
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(create_trigger, list_triggers))
        .routes(routes!(get_trigger, change_trigger, delete_trigger))
        .routes(routes!(list_trigger_events))
        .routes(routes!(secret::get_trigger_secret))
}

/// A trigger.
#[derive(Debug, Serialize, ToSchema)]
struct TriggerView {
    /// `trg_…`
    id: String,
    /// App slug.
    app: String,
    /// The account it was registered with.
    linked_account_id: Option<String>,
    /// Trigger type, such as `ACME__PUSH`.
    name: String,
    /// Type of its events, such as `acme.push`.
    #[serde(rename = "type")]
    event_type: String,
    /// The user's own words.
    description: String,
    /// Where the provider delivers.
    webhook_url: String,
    /// The subscription's id at the provider.
    external_id: Option<String>,
    /// Configuration.
    config: Value,
    /// Filter; an empty object lets everything through.
    filter: Value,
    /// `registering`, `active`, `paused`, `needs_reconnect`, `error` or `expired`.
    status: String,
    /// Why it is in that status.
    status_reason: Option<String>,
    /// Content hash of the definition it was registered with.
    definition_version: String,
    /// Days its events are kept; the project's where null.
    retention_days: Option<i64>,
    /// When a verified request last arrived (RFC 3339).
    last_proof_at: Option<String>,
    /// When it last produced an event (RFC 3339).
    last_triggered_at: Option<String>,
    /// When the subscription expires (RFC 3339).
    expires_at: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
    /// The secret to enter at the provider; given once, and only where the subscription is set
    /// up by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_secret: Option<String>,
}

impl From<Trigger> for TriggerView {
    fn from(trigger: Trigger) -> Self {
        Self {
            id: trigger.id,
            app: trigger.app,
            linked_account_id: trigger.linked_account_id,
            name: trigger.name,
            event_type: trigger.event_type,
            description: trigger.description,
            webhook_url: trigger.webhook_url,
            external_id: trigger.external_id,
            config: trigger.config,
            filter: trigger.filter,
            status: trigger.status,
            status_reason: trigger.status_reason,
            definition_version: trigger.definition_version,
            retention_days: trigger.retention_days,
            last_proof_at: trigger.last_proof_at.map(clock::rfc3339),
            last_triggered_at: trigger.last_triggered_at.map(clock::rfc3339),
            expires_at: trigger.expires_at.map(clock::rfc3339),
            created_at: clock::rfc3339(trigger.created_at),
            updated_at: clock::rfc3339(trigger.updated_at),
            verification_secret: None,
        }
    }
}

/// What a new trigger is told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "trigger": "ACME__PUSH",
    "linked_account_id": "acc_06f9v2k8c1o7d3h5j9m2q4s6u0",
    "config": { "owner": "octo", "repo": "hello" },
    "filter": { "path": "$.ref", "equals": "refs/heads/main" },
    "description": "Pushes to main",
}))]
struct NewTrigger {
    /// Trigger type, such as `ACME__PUSH`.
    trigger: String,
    /// The account to register with; not needed for apps that register nothing.
    linked_account_id: Option<String>,
    /// Configuration, as the type's JSON Schema asks.
    #[serde(default = "empty")]
    config: Value,
    /// Which events to keep; all of them unless told.
    #[serde(default = "empty")]
    filter: Value,
    /// Your own words.
    #[serde(default)]
    description: String,
    /// Days its events are kept; the project's unless told.
    #[schema(minimum = 1, maximum = 3650)]
    retention_days: Option<i64>,
}

fn empty() -> Value {
    json!({})
}

/// Create a trigger: checks the configuration, registers at the provider, and leaves nothing
/// half-made if that fails.
#[utoipa::path(post, path = "/v1/triggers", tag = "Triggers", request_body = NewTrigger,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless.", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 201, body = TriggerView)))]
async fn create_trigger(
    State(context): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewTrigger>,
) -> Result<Response, Problem> {
    let catalogue = context.catalogue.snapshot();
    let kind = trigger_type(&catalogue, &new.trigger)?;
    check_config(kind, &new.config)?;
    check_scheme(&catalogue, kind, &new.config)?;
    check_filter(&new.filter)?;
    check_description(&new.description)?;
    new.retention_days.map(check_retention).transpose()?;
    let wanted = Wanted {
        project: caller.project_id.clone(),
        name: new.trigger.clone(),
        account: new.linked_account_id.clone(),
        config: new.config.clone(),
        filter: new.filter.clone(),
        description: new.description.clone(),
        retention_days: new.retention_days,
    };
    let work = |context: Shared| async move {
        let Created { trigger, secret_to_enter } =
            Box::pin(lifecycle::create(&context, wanted)).await?;
        Ok(TriggerView { verification_secret: secret_to_enter, ..TriggerView::from(trigger) })
    };
    idempotency::once(context, &caller, &headers, "trigger", &new, work).await
}

/// Which triggers to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only triggers of this app.
    app: Option<String>,
    /// Only triggers in this status.
    status: Option<String>,
    /// Only triggers of this type, such as `ACME__PUSH`.
    name: Option<String>,
    /// Only triggers whose id, type or description contains this text.
    q: Option<String>,
    /// Items on a page, 1 to 100; 50 unless told.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{40}$")]
    cursor: Option<String>,
}

/// List triggers, newest first.
#[utoipa::path(get, path = "/v1/triggers", tag = "Triggers", params(ListParams),
    responses((status = 200, body = Listing<TriggerView>)))]
async fn list_triggers(
    State(context): State<Shared>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<TriggerView>>, Problem> {
    let page = page(ids::TRIGGER, params.limit, params.cursor.as_deref())?;
    let filter = TriggerFilter {
        app: params.app,
        status: params.status,
        name: params.name,
        account: None,
        search: params.q,
    };
    let rows = context.store.list_triggers(&caller.project_id, &filter, &page).await?;
    Ok(Json(listing(rows, &page, |row| &row.id, TriggerView::from)))
}

/// Get a trigger.
#[utoipa::path(get, path = "/v1/triggers/{id}", tag = "Triggers", params(("id" = String, Path, description = "`trg_…`")),
    responses((status = 200, body = TriggerView)))]
async fn get_trigger(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<TriggerView>, Problem> {
    Ok(Json(find(&context, &caller, &id).await?.into()))
}

/// What to change of a trigger.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "status": "paused" }))]
struct TriggerChange {
    /// `paused` (requests are answered, but no event is stored) or `active`.
    status: Option<Switch>,
    /// New configuration; the subscription is registered anew.
    config: Option<Value>,
    /// New filter.
    filter: Option<Value>,
    /// New description.
    description: Option<String>,
    /// Days its events are kept from now on.
    #[schema(minimum = 1, maximum = 3650)]
    retention_days: Option<i64>,
}

/// The states a user chooses.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Switch {
    /// Events are stored.
    Active,
    /// Requests are answered and dropped.
    Paused,
}

/// Change a trigger: pause, resume, configuration, filter, description, retention.
#[utoipa::path(patch, path = "/v1/triggers/{id}", tag = "Triggers", request_body = TriggerChange,
    params(("id" = String, Path, description = "`trg_…`")),
    responses((status = 200, body = TriggerView)))]
async fn change_trigger(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Body(change): Body<TriggerChange>,
) -> Result<Json<TriggerView>, Problem> {
    let mut trigger = find(&context, &caller, &id).await?;
    check_status(&trigger, &change)?;
    // What is broken is registered anew with the configuration it has, too.
    let sound = matches!(trigger.status.as_str(), "active" | "paused");
    let new_config = change.config.filter(|config| !sound || *config != trigger.config);
    if let Some(config) = &new_config {
        let catalogue = context.catalogue.snapshot();
        let kind = trigger_type(&catalogue, &trigger.name)?;
        check_config(kind, config)?;
        check_scheme(&catalogue, kind, config)?;
    }
    if let Some(filter) = &change.filter {
        check_filter(filter)?;
    }
    change.description.as_deref().map(check_description).transpose()?;
    change.retention_days.map(check_retention).transpose()?;
    if let Some(config) = new_config {
        let context = context.clone();
        let work = async move { lifecycle::reconfigure(&context, trigger, config).await };
        trigger = to_the_end(work).await?;
    }
    let (project, now) = (&caller.project_id, clock::now());
    if let Some(switch) = change.status {
        let (status, reason) = match switch {
            Switch::Active => ("active", None),
            Switch::Paused => ("paused", Some("paused by a user")),
        };
        context.store.set_status(project, &trigger.id, status, reason, now).await?;
    }
    let patch = TriggerPatch {
        description: change.description,
        config: None,
        filter: change.filter,
        retention_days: change.retention_days.map(Some),
    };
    let changed = context.store.update_trigger(project, &trigger.id, &patch, now).await?;
    context.subscribers.forget(&trigger.id).await;
    changed.map(|trigger| Json(trigger.into())).ok_or_else(unknown)
}

/// How to delete.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteParams {
    /// Delete the trigger even if the provider cannot be told.
    #[serde(default)]
    force: bool,
}

/// Delete a trigger and its subscription at the provider. Its events stay until they expire.
#[utoipa::path(delete, path = "/v1/triggers/{id}", tag = "Triggers",
    params(("id" = String, Path, description = "`trg_…`"), DeleteParams),
    responses((status = 204)))]
async fn delete_trigger(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Params(params): Params<DeleteParams>,
) -> Result<StatusCode, Problem> {
    let trigger = find(&context, &caller, &id).await?;
    to_the_end(async move { lifecycle::delete(&context, trigger, params.force).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a trigger's events, newest first.
#[utoipa::path(get, path = "/v1/triggers/{id}/events", tag = "Triggers",
    params(("id" = String, Path, description = "`trg_…`"), EventParams),
    responses((status = 200, body = Listing<EventView>)))]
async fn list_trigger_events(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Params(params): Params<EventParams>,
) -> Result<Json<Listing<EventView>>, Problem> {
    let trigger = find(&context, &caller, &id).await?;
    let params = EventParams { trigger: Some(trigger.id), ..params };
    events::find(&context, &caller, params).await
}

pub(super) async fn find(context: &Shared, caller: &Caller, id: &str) -> Result<Trigger, Problem> {
    context.store.trigger(&caller.project_id, id).await?.ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("there is no trigger with this id")
}
