//! Is a trigger alive, and what has it done?

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    extract::{Id, Params},
    problem::Problem,
    triggers::find,
};
use crate::{clock, context::Shared, store::Bucket};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(trigger_health)).routes(routes!(trigger_stats))
}

/// Whether a trigger is alive.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Whether it is active, and a verified request has arrived.
    alive: bool,
    /// `registering`, `active`, `paused`, `needs_reconnect`, `error` or `expired`.
    status: String,
    /// What keeps it from being alive.
    reason: Option<String>,
    /// When a verified request last arrived (RFC 3339): the proof that the provider reaches us.
    last_proof_at: Option<String>,
    /// When it last produced an event (RFC 3339).
    last_triggered_at: Option<String>,
    /// When the subscription expires (RFC 3339); null where it does not.
    expires_at: Option<String>,
    /// When the subscription is renewed, or renewing it is tried again (RFC 3339).
    next_renewal_at: Option<String>,
    /// How often in a row renewing it failed.
    renew_failures: i64,
    /// Why it failed last.
    renewal_error: Option<String>,
    /// Notices whose events are still to be asked for.
    pending_notices: i64,
    /// How often in a row asking failed.
    expansion_failures: i64,
    /// Why it failed last.
    expansion_error: Option<String>,
    /// When the provider is asked next (RFC 3339): for what notices told of, or without one.
    next_look_at: Option<String>,
    /// The newest definition's version differs from the one it was registered with.
    definition_changed: bool,
}

/// Is it alive, and if not, why not?
#[utoipa::path(get, path = "/v1/triggers/{id}/health", tag = "Triggers", params(("id" = String, Path, description = "`trg_…`")),
    responses((status = 200, body = Health)))]
async fn trigger_health(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<Health>, Problem> {
    let trigger = find(&context, &caller, &id).await?;
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.app(&trigger.app);
    let backlog = context.store.backlog(&trigger.id).await?;
    let expired = trigger.expires_at.is_some_and(|at| at <= clock::now());
    let reason = match (&trigger.status_reason, app) {
        (_, None) => Some(format!("the app `{}` is not loaded", trigger.app)),
        (Some(reason), _) => Some(reason.clone()),
        (None, _) if expired => Some("the subscription has expired".to_owned()),
        (None, _) if trigger.status != "active" => Some(format!("it is {}", trigger.status)),
        (None, _) if trigger.last_proof_at.is_none() => {
            Some("no verified request has arrived yet".to_owned())
        }
        (None, _) => None,
    };
    Ok(Json(Health {
        alive: trigger.status == "active" && reason.is_none(),
        status: trigger.status,
        reason,
        last_proof_at: trigger.last_proof_at.map(clock::rfc3339),
        last_triggered_at: trigger.last_triggered_at.map(clock::rfc3339),
        expires_at: trigger.expires_at.map(clock::rfc3339),
        next_renewal_at: trigger.upkeep.renew_at.map(clock::rfc3339),
        renew_failures: trigger.upkeep.renew_failures,
        renewal_error: trigger.upkeep.renew_error,
        pending_notices: backlog.pending,
        expansion_failures: backlog.failures.unwrap_or_default(),
        expansion_error: backlog.error,
        next_look_at: backlog.next_at.or(trigger.upkeep.look_at).map(clock::rfc3339),
        definition_changed: app.is_some_and(|app| app.version != trigger.definition_version),
    }))
}

/// How far back to count.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StatsParams {
    /// Hours back from now, 1 to 2160; 24 unless told. Beyond 72 the time line is by day.
    #[param(minimum = 1, maximum = 2160)]
    hours: Option<i64>,
}

/// A trigger in numbers.
#[derive(Debug, Serialize, ToSchema)]
struct StatsView {
    /// Events by status.
    events: BTreeMap<String, i64>,
    /// Requests by what became of them.
    receipts: BTreeMap<String, i64>,
    /// Events by hour or day, keyed by its beginning (RFC 3339).
    timeline: BTreeMap<String, i64>,
    /// From when on it is counted (RFC 3339).
    since: String,
}

/// Counts by status, outcome and time.
#[utoipa::path(get, path = "/v1/triggers/{id}/stats", tag = "Triggers",
    params(("id" = String, Path, description = "`trg_…`"), StatsParams),
    responses((status = 200, body = StatsView)))]
async fn trigger_stats(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Params(params): Params<StatsParams>,
) -> Result<Json<StatsView>, Problem> {
    let trigger = find(&context, &caller, &id).await?;
    let hours = params.hours.unwrap_or(24);
    if !(1..=2160).contains(&hours) {
        return Err(Problem::query("hours", "give a number from 1 to 2160"));
    }
    let since = clock::now() - hours * MICROS_PER_HOUR;
    let bucket = if hours <= 72 { Bucket::Hour } else { Bucket::Day };
    let stats = context.store.stats(&caller.project_id, Some(&trigger.id), since, bucket).await?;
    Ok(Json(StatsView {
        events: stats.events,
        receipts: stats.receipts,
        timeline: stats
            .timeline
            .into_iter()
            .map(|(at, count)| (clock::rfc3339(at), count))
            .collect(),
        since: clock::rfc3339(since),
    }))
}
