//! Jobs that run now and then, in one replica at a time.

use std::time::Duration;

use hearken_engine::Micros;
use tracing::warn;

use super::{Job, clean, lease::Lease};
use crate::{
    clock,
    context::Shared,
    lifecycle,
    store::{JobRun, StoreError},
};

/// Triggers that are looked at in one go.
const LOOKS: u32 = 500;

/// Runs a job whenever it is due, until the server ends.
pub(super) async fn keep(context: Shared, job: Job) {
    while !context.jobs.stop.is_cancelled() {
        let every = job.every(&context.config.jobs);
        let pause = match when_due(&context, job).await {
            Ok(pause) => pause.min(every.duration()),
            Err(error) => {
                warn!(job = job.name(), %error, "a job cannot be run");
                every.duration()
            }
        };
        context.jobs.pause(pause).await;
    }
}

/// Runs the job if no replica has since it was due; returns in what time it is due again.
async fn when_due(context: &Shared, job: Job) -> Result<Duration, StoreError> {
    if let Some(pause) = not_before(context, job).await? {
        return Ok(pause);
    }
    let Some(lease) = Lease::take(context, job.lease()).await? else {
        return Ok(job.every(&context.config.jobs).duration());
    };
    let run = async {
        match not_before(context, job).await? {
            Some(pause) => Ok(pause),
            None => run(context, job).await,
        }
    };
    lease.during(run).await
}

/// In what time the job is due; none if it is.
async fn not_before(context: &Shared, job: Job) -> Result<Option<Duration>, StoreError> {
    let runs = context.store.job_runs().await?;
    let next = runs.iter().find(|run| run.name == job.name()).map(|run| run.next_at);
    let left = next.unwrap_or_default() - clock::now();
    // More than the interval is left of a longer one that was set before.
    let every = job.every(&context.config.jobs);
    let wait = (1..=every.micros()).contains(&left);
    Ok(wait.then(|| Duration::from_micros(left.unsigned_abs())))
}

/// Runs the job and notes it; returns in what time it is due again.
async fn run(context: &Shared, job: Job) -> Result<Duration, StoreError> {
    let started_at = clock::now();
    let result = match job {
        Job::Look => look(context, started_at).await,
        Job::Sweep => sweep(context, started_at).await,
        _ => clean::clean(context, started_at).await,
    };
    let ok = result.is_ok();
    let result = result.unwrap_or_else(|error| error.to_string());
    let outcome = if ok { "ok" } else { "failed" };
    metrics::counter!("hearken_job_runs_total", "job" => job.name(), "result" => outcome)
        .increment(1);
    if !ok {
        warn!(job = job.name(), result, "a job failed; it runs again at its time");
    }
    let every = job.every(&context.config.jobs);
    let run = JobRun {
        name: job.name().to_owned(),
        holder: context.jobs.replica().to_owned(),
        started_at,
        finished_at: clock::now(),
        ok,
        result,
        next_at: started_at + every.micros(),
    };
    context.store.note_job(&run).await?;
    Ok(every.duration())
}

/// Replicas would look at the same moment again and again; a little chance spreads the triggers.
async fn look(context: &Shared, now: Micros) -> Result<String, StoreError> {
    let span = context.config.jobs.look_seconds.duration();
    let spread = span.mul_f64(0.9 + rand::random::<f64>() / 5.0);
    let next = now + super::backoff::micros(spread);
    let looks = context.store.make_looks(now, next, LOOKS).await?;
    if looks > 0 {
        context.jobs.notice_came();
    }
    Ok(format!("triggers that were quiet: {looks}"))
}

async fn sweep(context: &Shared, now: Micros) -> Result<String, StoreError> {
    let before = now - context.config.jobs.abandoned_seconds.micros();
    let swept = lifecycle::sweep_abandoned(context, before).await?;
    Ok(format!("abandoned registrations: {swept}"))
}
