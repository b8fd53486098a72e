//! The hot path: requests and their events are handed to one writer, which commits all that wait
//! in one transaction, so that the price of reaching the disk is shared.

mod batch;

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use self::batch::commit as commit_batch;
pub(super) use self::batch::{Entry, select_owners, write};
use super::{
    Store, StoreError,
    dialect::Pool,
    error::Failure,
    model::{NewEvent, NewNotice, Receipt},
};

/// How long a caller waits; a sender must hear from us before it gives up itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests that may wait.
const QUEUE: usize = 4096;
/// Requests in one transaction, and bytes of their bodies and events.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 16 << 20;
/// How often a batch that collided with another replica's is tried.
const ATTEMPTS: usize = 5;

/// An inbound request to be stored, with the events it carried.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Its receipt. The store adds the events' ids to the details, and changes the outcome to
    /// `duplicate` where every event was there already. Unless the outcome is `rejected`, or a
    /// `challenge` that nothing vouched for, the request counts as a proof that the provider
    /// reaches the trigger.
    pub receipt: Receipt,
    /// Its events; none if it was rejected, ignored, filtered or a challenge.
    pub events: Vec<NewEvent>,
    /// What is left to be done about it, if it only said "look".
    pub notice: Option<NewNotice>,
}

/// What a stored request became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Ids of the events stored, in order.
    pub stored: Vec<String>,
    /// For each event that was there already, the id it has.
    pub duplicates: Vec<String>,
}

type Answer = Result<Vec<Recorded>, StoreError>;

/// What is stored together or not at all: what one request became, to all it concerns.
struct Job {
    entries: Vec<Entry>,
    answer: oneshot::Sender<Answer>,
}

impl Job {
    /// Roughly how many bytes it brings.
    fn size(&self) -> usize {
        self.entries.iter().map(Entry::size).sum()
    }
}

/// The way to the writer task.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    stop: CancellationToken,
    task: TaskTracker,
}

impl Store {
    /// Stores a request and its events, deduplicated by trigger and external id. When this
    /// returns `Ok`, they are on disk.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot take it within five seconds; it may or may not
    /// have been stored, and handing it over again does no harm.
    pub async fn record(&self, inbound: Inbound) -> Result<Recorded, StoreError> {
        let recorded = self.record_all(vec![inbound]).await?;
        recorded.into_iter().next().ok_or_else(|| unavailable("it lost what it was given"))
    }

    /// Stores what one request became to several triggers: all of it, or nothing. What each
    /// became is told in their order.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub async fn record_all(&self, inbound: Vec<Inbound>) -> Result<Vec<Recorded>, StoreError> {
        let homeless = |one: &Inbound| one.receipt.trigger_id.is_none() && !one.events.is_empty();
        if inbound.iter().any(homeless) {
            return Err(StoreError::Conflict("events must belong to a trigger".to_owned()));
        }
        let (answer, answered) = oneshot::channel();
        let job = Job { entries: inbound.into_iter().map(Entry::new).collect(), answer };
        self.inner.writer.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => unavailable("too many requests wait for it"),
            mpsc::error::TrySendError::Closed(_) => unavailable("it is closed"),
        })?;
        match timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(unavailable("it gave up meanwhile")),
            Err(_) => Err(unavailable("it takes too long")),
        }
    }
}

impl Writer {
    /// `news` is told whenever events were stored.
    pub(super) fn start(pool: Pool, news: watch::Sender<()>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (stop, task) = (CancellationToken::new(), TaskTracker::new());
        task.spawn(run(pool, queue, stop.clone(), news));
        task.close();
        Self { jobs, stop, task }
    }

    /// Takes no more jobs, and waits until those taken are done.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.task.wait().await;
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.jobs.is_closed() {
            return Err(unavailable("it is closed, or its disk failed: see the log, and restart"));
        }
        Ok(())
    }
}

/// The writer task. After a failure of the disk it ends, and with it the taking of requests: what
/// such a disk acknowledges later cannot be trusted.
async fn run(
    pool: Pool,
    mut queue: mpsc::Receiver<Job>,
    stop: CancellationToken,
    news: watch::Sender<()>,
) {
    loop {
        let first = tokio::select! {
            biased;
            () = stop.cancelled(), if !queue.is_closed() => {
                queue.close();
                continue;
            }
            job = queue.recv() => job,
        };
        let Some(first) = first else { return };
        let failure = commit(&pool, take(first, &mut queue)).await;
        news.send_replace(());
        if failure == Some(Failure::Disk) {
            error!("the disk failed under the database: nothing is stored until a restart");
            return;
        }
    }
}

/// Everything that waits, up to the limits of a batch, except what nobody waits for any more.
fn take(first: Job, queue: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.size();
    let mut jobs = vec![first];
    while jobs.len() < BATCH
        && bytes < BATCH_BYTES
        && let Ok(job) = queue.try_recv()
    {
        bytes += job.size();
        jobs.push(job);
    }
    jobs.retain(|job| !job.answer.is_closed());
    jobs
}

/// Commits the jobs together and answers them. If a row of theirs is refused, commits them one by
/// one, so that it harms nobody else.
async fn commit(pool: &Pool, jobs: Vec<Job>) -> Option<Failure> {
    let entries: Vec<&Entry> = jobs.iter().flat_map(|job| &job.entries).collect();
    match attempt(pool, &entries).await {
        Ok(recorded) => {
            let mut recorded = recorded.into_iter();
            for job in jobs {
                let own = recorded.by_ref().take(job.entries.len()).collect();
                // A caller that stopped waiting hands its request over again.
                let _ = job.answer.send(Ok(own));
            }
            None
        }
        Err((Failure::Row, _)) if jobs.len() > 1 => {
            for job in jobs {
                let failure = Box::pin(commit(pool, vec![job])).await;
                if matches!(failure, Some(Failure::Disk | Failure::Unreachable)) {
                    return failure;
                }
            }
            None
        }
        Err((failure, error)) => {
            warn!(?failure, %error, requests = jobs.len(), "requests could not be stored");
            for job in jobs {
                let _ = job.answer.send(Err(error.clone()));
            }
            Some(failure)
        }
    }
}

/// Commits a batch, again if it collided with another replica's.
async fn attempt(pool: &Pool, entries: &[&Entry]) -> Result<Vec<Recorded>, (Failure, StoreError)> {
    let mut tries = 1;
    loop {
        let Ok(outcome) = timeout(PATIENCE, commit_batch(pool, entries)).await else {
            return Err((Failure::Unreachable, unavailable("it takes too long")));
        };
        match outcome.map_err(|error| (Failure::of(&error), error)) {
            Ok(recorded) => return Ok(recorded),
            Err((Failure::Collision, _)) if tries < ATTEMPTS => tries += 1,
            Err((failure, error)) => return Err((failure, error.into())),
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}
