//! What consumers say of the events they were handed: done, not done, not done yet.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    asked::{check_deliveries, check_range},
    sixty,
};
use crate::{
    api::{auth::Caller, extract::Body, problem::Problem},
    context::Shared,
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(ack_deliveries))
        .routes(routes!(nack_deliveries))
        .routes(routes!(extend_deliveries))
}

/// Deliveries to acknowledge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AckRequest {
    /// `dlv_…`
    #[schema(min_items = 1, max_items = 1000)]
    deliveries: Vec<String>,
}

/// Deliveries to give back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NackRequest {
    /// `dlv_…`
    #[schema(min_items = 1, max_items = 1000)]
    deliveries: Vec<String>,
    /// When they may be handed out again; at once unless told.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 86400)]
    delay_seconds: u32,
}

/// Deliveries to keep for longer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExtendRequest {
    /// `dlv_…`
    #[schema(min_items = 1, max_items = 1000)]
    deliveries: Vec<String>,
    /// How long from now; 60 unless told.
    #[serde(default = "sixty")]
    #[schema(minimum = 1, maximum = 3600)]
    lease_seconds: u32,
}

/// What came of deliveries, in the order in which they were named.
#[derive(Debug, Serialize, ToSchema)]
struct SettledView {
    /// One for each.
    data: Vec<SettledDelivery>,
}

/// What came of one delivery.
#[derive(Debug, Serialize, ToSchema)]
struct SettledDelivery {
    /// `dlv_…`
    delivery: String,
    /// `ok`, or `lost` where it was not the caller's any more: it was handed out again, given
    /// back, acknowledged before, or forgotten.
    result: String,
}

impl SettledView {
    fn new(named: Vec<String>, held: &[String]) -> Json<Self> {
        let told = |delivery: String| {
            let result = if held.contains(&delivery) { "ok" } else { "lost" }.to_owned();
            SettledDelivery { delivery, result }
        };
        Json(Self { data: named.into_iter().map(told).collect() })
    }
}

/// Acknowledge deliveries: their consumer has dealt with these events.
#[utoipa::path(post, path = "/v1/trigger-events/ack", tag = "Events", request_body = AckRequest,
    responses((status = 200, body = SettledView)))]
async fn ack_deliveries(
    State(context): State<Shared>,
    caller: Caller,
    Body(asked): Body<AckRequest>,
) -> Result<Json<SettledView>, Problem> {
    check_deliveries(&asked.deliveries)?;
    let held = context.store.ack(&caller.project_id, &asked.deliveries).await?;
    Ok(SettledView::new(asked.deliveries, &held))
}

/// Give deliveries back, to be handed out again.
#[utoipa::path(post, path = "/v1/trigger-events/nack", tag = "Events", request_body = NackRequest,
    responses((status = 200, body = SettledView)))]
async fn nack_deliveries(
    State(context): State<Shared>,
    caller: Caller,
    Body(asked): Body<NackRequest>,
) -> Result<Json<SettledView>, Problem> {
    check_deliveries(&asked.deliveries)?;
    check_range("/delay_seconds", asked.delay_seconds, 0, 86_400)?;
    let (project, delay) = (&caller.project_id, asked.delay_seconds);
    let held = context.store.nack(project, &asked.deliveries, delay).await?;
    Ok(SettledView::new(asked.deliveries, &held))
}

/// Keep deliveries for longer.
#[utoipa::path(post, path = "/v1/trigger-events/extend", tag = "Events", request_body = ExtendRequest,
    responses((status = 200, body = SettledView)))]
async fn extend_deliveries(
    State(context): State<Shared>,
    caller: Caller,
    Body(asked): Body<ExtendRequest>,
) -> Result<Json<SettledView>, Problem> {
    check_deliveries(&asked.deliveries)?;
    check_range("/lease_seconds", asked.lease_seconds, 1, 3600)?;
    let (project, seconds) = (&caller.project_id, asked.lease_seconds);
    let held = context.store.extend(project, &asked.deliveries, seconds).await?;
    Ok(SettledView::new(asked.deliveries, &held))
}
