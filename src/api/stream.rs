//! Events as a stream of server-sent events (WHATWG HTML, section 9.2), from a place in the log on.
//!
//! Each stream reads the log at the pace of its reader, so that a slow one costs no more than the
//! few events on their way to it, and one that broke off goes on where it was.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use http_body_util::channel::{Channel, Sender};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::Caller,
    consumers::{LOOK, interest, place},
    events::EventView,
    extract::Params,
    problem::Problem,
};
use crate::{
    context::Shared,
    store::{Interest, Place, Position, StoreError},
};

const LAST_EVENT_ID: &str = "last-event-id";
/// Events read at a time.
const EVENTS: u32 = 10;
/// How long a reader may take for one event.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(stream_events))
}

/// What to stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StreamParams {
    /// Only events of these triggers, comma-separated.
    triggers: Option<String>,
    /// Only events of these types, comma-separated; `acme.*` stands for all that begin so.
    types: Option<String>,
    /// Go on after this position: the `id` of the event seen last. A `Last-Event-ID` header, which
    /// browsers send by themselves, comes first.
    after: Option<String>,
    /// Where to begin without either: `now` (unless told), `beginning`, with an event (`evt_…`), or
    /// with the first received at a time (RFC 3339) or later.
    from: Option<String>,
}

/// Stream events as they come (server-sent events). Each has its type as `event`, its position as
/// `id`, and the event as JSON in `data`. A comment comes whenever it is quiet for a while.
#[utoipa::path(get, path = "/v1/trigger-events/stream", tag = "Events",
    params(StreamParams, ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the event seen last.")),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
async fn stream_events(
    State(context): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Params(params): Params<StreamParams>,
) -> Result<Response, Problem> {
    let split = |text: Option<String>| {
        text.map(|text| text.split(',').map(|item| item.trim().to_owned()).collect())
    };
    let interest = interest(split(params.triggers), split(params.types)).map_err(in_query)?;
    let seen = headers.get(LAST_EVENT_ID).map(|id| (LAST_EVENT_ID, id.to_str().unwrap_or("?")));
    let seen = seen.or(params.after.as_deref().map(|id| ("after", id)));
    let position = if let Some((field, id)) = seen {
        Position::parse(id).ok_or_else(|| {
            Problem::query(field, "give the `id` of an event of the stream, `pos_…`")
        })?
    } else {
        let from = params.from.map_or(Ok(Place::Now), |from| place("/from", &from));
        let found = context.store.position(&caller.project_id, &from.map_err(in_query)?).await?;
        found.ok_or_else(|| Problem::query("from", "there is no event with this id"))?
    };
    let (sender, body) = Channel::<Bytes>::new(1);
    let stream = Stream { context, caller, interest: interest.unwrap_or_default(), sender };
    tokio::spawn(stream.run(position));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that would collect it first.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::new(body)).into_response())
}

/// The same problem, of a query parameter.
fn in_query(problem: Problem) -> Problem {
    let Some(error) = problem.errors().first() else {
        return problem;
    };
    let name = error.field.trim_start_matches('/').split('/').next().unwrap_or_default();
    Problem::query(name, error.message.clone())
}

/// An open stream.
struct Stream {
    context: Shared,
    caller: Caller,
    interest: Interest,
    sender: Sender<Bytes>,
}

/// The reader is gone, or is to go.
struct Ended;

impl Stream {
    /// Streams until the reader goes, its key is revoked, or the server is about to end.
    async fn run(mut self, mut position: Position) {
        let beat = Duration::from_secs(self.context.config.limits.heartbeat_seconds.max(1));
        let mut news = self.context.store.news();
        let mut next_beat = Instant::now() + beat;
        // So that a reader who breaks off before the first event can go on from here.
        let mut ended = self.send(format!("id: {}\n\n", position.text())).await;
        while ended.is_ok() {
            if Instant::now() >= next_beat {
                next_beat = Instant::now() + beat;
                ended = self.beat().await;
                continue;
            }
            news.borrow_and_update();
            let before = position;
            match self.pass_on(position).await {
                Ok(Ok(reached)) => position = reached,
                Ok(Err(Ended)) => return,
                Err(error) => {
                    warn!(%error, "a stream of events ends");
                    return;
                }
            }
            if position == before {
                tokio::select! {
                    () = self.context.closing.cancelled() => return,
                    _ = news.changed() => {}
                    () = sleep_until(next_beat.min(Instant::now() + LOOK)) => {}
                }
            }
        }
    }

    /// Sends what comes next; says how far that is.
    async fn pass_on(&mut self, from: Position) -> Result<Result<Position, Ended>, StoreError> {
        let project = &self.caller.project_id;
        let (events, reached) =
            self.context.store.events_after(project, from, &self.interest, EVENTS).await?;
        for (position, event) in events {
            let kind = event.event_type.replace(['\r', '\n'], " ");
            let Ok(data) = serde_json::to_string(&EventView::from(event)) else { continue };
            let text = format!("event: {kind}\nid: {}\ndata: {data}\n\n", position.text());
            if self.send(text).await.is_err() {
                return Ok(Err(Ended));
            }
        }
        Ok(Ok(reached))
    }

    /// Shows that the connection lives, if the key does.
    async fn beat(&mut self) -> Result<(), Ended> {
        let keys = self.context.store.list_keys(&self.caller.project_id).await;
        let revoked = |keys: Vec<crate::store::model::ApiKey>| {
            !keys.iter().any(|key| key.id == self.caller.key_id && key.revoked_at.is_none())
        };
        if keys.is_ok_and(revoked) {
            return Err(Ended);
        }
        self.send(": heartbeat\n\n".to_owned()).await
    }

    async fn send(&mut self, text: String) -> Result<(), Ended> {
        tokio::select! {
            () = self.context.closing.cancelled() => Err(Ended),
            sent = timeout(PATIENCE, self.sender.send_data(text.into())) => match sent {
                Ok(Ok(())) => Ok(()),
                _ => Err(Ended),
            },
        }
    }
}
