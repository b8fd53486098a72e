//! The server's own jobs, for whoever operates it.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::Caller, page::Listing, problem::Problem};
use crate::{clock, context::Shared, jobs::Job, store::JobRun};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list_jobs))
}

/// A job. Jobs that work on single triggers run in every replica, and note a run when there was
/// something to do.
#[derive(Debug, Serialize, ToSchema)]
struct JobView {
    /// Its name.
    name: &'static str,
    /// What it does.
    description: &'static str,
    /// Seconds between two runs.
    every_seconds: f64,
    /// When it ran last (RFC 3339).
    last_run_at: Option<String>,
    /// When that run ended (RFC 3339).
    last_run_ended_at: Option<String>,
    /// Whether nothing went wrong then.
    last_ok: Option<bool>,
    /// What came of it.
    last_result: Option<String>,
    /// The replica that ran it.
    last_holder: Option<String>,
    /// When it runs next (RFC 3339).
    next_run_at: Option<String>,
    /// The replica that runs it right now.
    holder: Option<String>,
}

/// List the server's own jobs. Takes an admin key.
#[utoipa::path(get, path = "/v1/jobs", tag = "Operation",
    responses((status = 200, body = Listing<JobView>)))]
async fn list_jobs(
    State(context): State<Shared>,
    caller: Caller,
) -> Result<Json<Listing<JobView>>, Problem> {
    caller.must_be_admin()?;
    let runs = context.store.job_runs().await?;
    let holders = context.store.job_holders().await?;
    let view = |job: Job| {
        let last = runs.iter().find(|run| run.name == job.name());
        let time = |at: fn(&JobRun) -> i64| last.map(|run| clock::rfc3339(at(run)));
        let lease = format!("job:{}", job.name());
        JobView {
            name: job.name(),
            description: job.description(),
            every_seconds: job.every(&context.config.jobs).duration().as_secs_f64(),
            last_run_at: time(|run| run.started_at),
            last_run_ended_at: time(|run| run.finished_at),
            last_ok: last.map(|run| run.ok),
            last_result: last.map(|run| run.result.clone()),
            last_holder: last.map(|run| run.holder.clone()),
            next_run_at: time(|run| run.next_at),
            holder: holders.iter().find(|held| held.0 == lease).map(|held| held.1.clone()),
        }
    };
    Ok(Json(Listing { data: Job::ALL.into_iter().map(view).collect(), next: None }))
}
