//! Consumers: pulling events as from a queue, settling them, and moving about in the log.

mod asked;
mod settling;

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::asked::{ConsumerName, check_ids, check_range};
pub(super) use self::asked::{interest, place};
use super::{
    auth::Caller,
    events::EventView,
    extract::{Body, Params},
    page::{Listing, listing, page},
    problem::Problem,
};
use crate::{
    clock,
    context::{Context, Shared},
    ids,
    store::{Consumer, DeadLetter, Place, Pull, Pulled, Taken},
};

/// How often somebody who waits looks, told or not.
pub(super) const LOOK: Duration = Duration::from_millis(500);
const MOST_ATTEMPTS: u32 = 1000;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(pull_events))
        .merge(settling::router())
        .routes(routes!(list_consumers))
        .routes(routes!(get_consumer, delete_consumer))
        .routes(routes!(seek_consumer))
        .routes(routes!(list_dead_letters))
        .routes(routes!(redrive_dead_letters))
}

/// What to pull.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "consumer": "billing", "max": 10, "wait_seconds": 30 }))]
struct PullRequest {
    /// Name of the consumer; it is made if it is not there. Every consumer sees every event, and
    /// all who pull in one's name share them.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    consumer: String,
    /// Events at most; 10 unless told.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 100)]
    max: u32,
    /// How long to wait where there is none yet; not at all unless told.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 60)]
    wait_seconds: u32,
    /// How long the events are the caller's, to be acknowledged; 60 unless told.
    #[serde(default = "sixty")]
    #[schema(minimum = 1, maximum = 3600)]
    lease_seconds: u32,
    /// How often an event is handed out before it becomes a dead letter; 10 unless told.
    #[serde(default = "ten")]
    #[schema(minimum = 1, maximum = 1000)]
    max_attempts: u32,
    /// Only events of these triggers. A consumer keeps what it was made with.
    triggers: Option<Vec<String>>,
    /// Only events of these types; `acme.*` stands for all that begin so. A consumer keeps what it
    /// was made with.
    types: Option<Vec<String>>,
    /// Where a new consumer begins: `beginning` (unless told), `now`, with an event (`evt_…`), or
    /// with the first received at a time (RFC 3339) or later.
    from: Option<String>,
}

fn ten() -> u32 {
    10
}

fn sixty() -> u32 {
    60
}

/// Events handed out.
#[derive(Debug, Serialize, ToSchema)]
struct PulledView {
    /// Those that came back first, then in the order of the log.
    data: Vec<TakenView>,
    /// Name of the consumer.
    consumer: String,
}

/// An event handed out.
#[derive(Debug, Serialize, ToSchema)]
struct TakenView {
    /// `dlv_…`: what to acknowledge it by.
    delivery: String,
    /// How often it was handed out, this time included.
    attempt: i64,
    /// The event.
    event: EventView,
}

impl From<Taken> for TakenView {
    fn from(taken: Taken) -> Self {
        Self { delivery: taken.delivery, attempt: taken.attempt, event: taken.event.into() }
    }
}

/// Pull events as from a queue. What is not acknowledged in time is handed out again.
#[utoipa::path(post, path = "/v1/trigger-events/pull", tag = "Events", request_body = PullRequest,
    responses((status = 200, body = PulledView)))]
async fn pull_events(
    State(context): State<Shared>,
    caller: Caller,
    Body(asked): Body<PullRequest>,
) -> Result<Json<PulledView>, Problem> {
    let ConsumerName(consumer) = asked.consumer.parse()?;
    check_range("/max", asked.max, 1, 100)?;
    check_range("/wait_seconds", asked.wait_seconds, 0, 60)?;
    check_range("/lease_seconds", asked.lease_seconds, 1, 3600)?;
    check_range("/max_attempts", asked.max_attempts, 1, MOST_ATTEMPTS)?;
    let pull = Pull {
        project: caller.project_id,
        consumer: consumer.clone(),
        max: asked.max,
        lease_seconds: asked.lease_seconds,
        max_attempts: asked.max_attempts,
        interest: interest(asked.triggers, asked.types)?,
        from: asked.from.map_or(Ok(Place::Beginning), |from| place("/from", &from))?,
    };
    let until = Instant::now() + Duration::from_secs(asked.wait_seconds.into());
    let taken = wait_and_pull(&context, &pull, until).await?;
    Ok(Json(PulledView { data: taken.into_iter().map(TakenView::from).collect(), consumer }))
}

/// Pulls until there is something, the time is over, or the server is about to end.
async fn wait_and_pull(
    context: &Context,
    pull: &Pull,
    until: Instant,
) -> Result<Vec<Taken>, Problem> {
    let mut news = context.store.news();
    loop {
        news.borrow_and_update();
        match context.store.pull(pull).await? {
            Pulled::NoSuchEvent => {
                return Err(Problem::field("/from", "there is no event with this id"));
            }
            Pulled::Events(taken) if !taken.is_empty() => return Ok(taken),
            Pulled::Events(_) => {}
        }
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(Vec::new()),
                () = context.closing.cancelled() => return Ok(Vec::new()),
                _ = news.changed() => {}
                () = sleep(LOOK) => {}
            }
            if context.store.may_pull(&pull.project, &pull.consumer).await? {
                break;
            }
        }
    }
}

/// A consumer.
#[derive(Debug, Serialize, ToSchema)]
struct ConsumerView {
    /// Its name.
    name: String,
    /// Triggers whose events it sees; of all if empty.
    triggers: Vec<String>,
    /// Types of events it sees; all if empty.
    types: Vec<String>,
    /// How far it has read: opaque, `pos_…`.
    position: String,
    /// Events handed out or given back, and not acknowledged.
    unacknowledged: i64,
    /// Events handed out too often.
    dead_letters: i64,
    /// RFC 3339.
    created_at: String,
}

impl From<Consumer> for ConsumerView {
    fn from(consumer: Consumer) -> Self {
        let interest = consumer.interest();
        Self {
            name: consumer.name,
            triggers: interest.triggers,
            types: interest.types,
            position: consumer.position.text(),
            unacknowledged: consumer.unacknowledged,
            dead_letters: consumer.dead_letters,
            created_at: clock::rfc3339(consumer.created_at),
        }
    }
}

/// List the project's consumers, by name.
#[utoipa::path(get, path = "/v1/consumers", tag = "Events",
    responses((status = 200, body = Listing<ConsumerView>)))]
async fn list_consumers(
    State(context): State<Shared>,
    caller: Caller,
) -> Result<Json<Listing<ConsumerView>>, Problem> {
    let consumers = context.store.list_consumers(&caller.project_id).await?;
    Ok(Json(Listing { data: consumers.into_iter().map(Into::into).collect(), next: None }))
}

/// Get a consumer.
#[utoipa::path(get, path = "/v1/consumers/{name}", tag = "Events", params(("name" = String, Path, description = "The consumer's name")),
    responses((status = 200, body = ConsumerView)))]
async fn get_consumer(
    State(context): State<Shared>,
    caller: Caller,
    name: ConsumerName,
) -> Result<Json<ConsumerView>, Problem> {
    Ok(Json(find(&context, &caller, &name).await?.into()))
}

/// Delete a consumer and what it has not acknowledged. The events stay.
#[utoipa::path(delete, path = "/v1/consumers/{name}", tag = "Events", params(("name" = String, Path, description = "The consumer's name")),
    responses((status = 204)))]
async fn delete_consumer(
    State(context): State<Shared>,
    caller: Caller,
    ConsumerName(name): ConsumerName,
) -> Result<StatusCode, Problem> {
    let there = context.store.delete_consumer(&caller.project_id, &name).await?;
    if there { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// Where a consumer is to go on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SeekRequest {
    /// `beginning`, `now`, an event (`evt_…`), or the first received at a time (RFC 3339) or later.
    to: String,
}

/// Move a consumer back or forward in the log. What it has not acknowledged is forgotten; its
/// dead letters stay.
#[utoipa::path(post, path = "/v1/consumers/{name}/seek", tag = "Events", params(("name" = String, Path, description = "The consumer's name")),
    request_body = SeekRequest, responses((status = 200, body = ConsumerView)))]
async fn seek_consumer(
    State(context): State<Shared>,
    caller: Caller,
    name: ConsumerName,
    Body(asked): Body<SeekRequest>,
) -> Result<Json<ConsumerView>, Problem> {
    let to = place("/to", &asked.to)?;
    match context.store.seek(&caller.project_id, &name.0, &to).await? {
        None => Err(unknown()),
        Some(false) => Err(Problem::field("/to", "there is no event with this id")),
        Some(true) => Ok(Json(find(&context, &caller, &name).await?.into())),
    }
}

/// An event handed out too often.
#[derive(Debug, Serialize, ToSchema)]
struct DeadLetterView {
    /// The event.
    event: EventView,
    /// How often it was handed out.
    attempts: i64,
    /// When it was put aside (RFC 3339).
    dead_at: String,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let dead_at = clock::rfc3339(letter.dead_at);
        Self { event: letter.event.into(), attempts: letter.attempts, dead_at }
    }
}

/// Which dead letters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeadLetterParams {
    /// Items on a page, 1 to 100; 50 unless told.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{40}$")]
    cursor: Option<String>,
}

/// List a consumer's dead letters, newest event first.
#[utoipa::path(get, path = "/v1/consumers/{name}/dead-letters", tag = "Events",
    params(("name" = String, Path, description = "The consumer's name"), DeadLetterParams),
    responses((status = 200, body = Listing<DeadLetterView>)))]
async fn list_dead_letters(
    State(context): State<Shared>,
    caller: Caller,
    name: ConsumerName,
    Params(params): Params<DeadLetterParams>,
) -> Result<Json<Listing<DeadLetterView>>, Problem> {
    let page = page(ids::EVENT, params.limit, params.cursor.as_deref())?;
    let consumer = find(&context, &caller, &name).await?;
    let rows = context.store.list_dead_letters(&caller.project_id, &consumer, &page).await?;
    Ok(Json(listing(rows, &page, |letter| &letter.event.id, DeadLetterView::from)))
}

/// Which dead letters to hand out again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RedriveRequest {
    /// Ids of events (`evt_…`); all dead letters unless told.
    #[schema(min_items = 1, max_items = 1000)]
    events: Option<Vec<String>>,
}

/// How many dead letters are handed out again.
#[derive(Debug, Serialize, ToSchema)]
struct RedrivenView {
    /// How many.
    redriven: u64,
}

/// Hand dead letters out again, as if for the first time.
#[utoipa::path(post, path = "/v1/consumers/{name}/dead-letters/redrive", tag = "Events",
    params(("name" = String, Path, description = "The consumer's name")),
    request_body = RedriveRequest, responses((status = 200, body = RedrivenView)))]
async fn redrive_dead_letters(
    State(context): State<Shared>,
    caller: Caller,
    name: ConsumerName,
    Body(asked): Body<RedriveRequest>,
) -> Result<Json<RedrivenView>, Problem> {
    if let Some(events) = &asked.events {
        check_ids("/events", ids::EVENT, events)?;
    }
    let consumer = find(&context, &caller, &name).await?;
    let redriven = context.store.redrive(&consumer, asked.events.as_deref()).await?;
    Ok(Json(RedrivenView { redriven }))
}

async fn find(
    context: &Context,
    caller: &Caller,
    name: &ConsumerName,
) -> Result<Consumer, Problem> {
    context.store.consumer(&caller.project_id, &name.0).await?.ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("there is no consumer of this name")
}
