//! Working off what is due, trigger by trigger: many at once, each of them in one hand.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hearken_engine::Micros;
use tokio::sync::{Notify, Semaphore};
use tracing::{error, warn};

use super::{Job, expand, renew};
use crate::{
    clock,
    context::Shared,
    store::{JobRun, StoreError},
};

/// Triggers taken up in one round, and in hand at the same time.
const ROUND: u32 = 200;
const IN_HAND: usize = 2_000;
/// How soon what another replica has in hand is asked for again.
const TAKEN: Duration = Duration::from_millis(500);
/// How often at most a run is noted.
const NOTED: Micros = 1_000_000;

/// How work on one trigger ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worked {
    /// Nothing is left to do for now.
    Done,
    /// It failed, and is tried again later.
    Failed,
    /// Another replica is at it.
    Taken,
}

/// One job of this replica that works on triggers.
pub(super) struct Crew {
    context: Shared,
    job: Job,
    wake: Arc<Notify>,
    turns: Semaphore,
    in_hand: Mutex<HashSet<String>>,
    tally: Mutex<Tally>,
}

/// What was done since it was noted last.
#[derive(Default)]
struct Tally {
    since: Micros,
    noted: Micros,
    done: u64,
    failed: u64,
}

impl Crew {
    pub(super) fn new(context: Shared, job: Job, wake: Arc<Notify>) -> Arc<Self> {
        let turns = context.config.jobs.concurrency.max(1) as usize;
        Arc::new(Self {
            context,
            job,
            wake,
            turns: Semaphore::new(turns),
            in_hand: Mutex::default(),
            tally: Mutex::default(),
        })
    }

    /// Works until the server ends.
    pub(super) async fn keep(self: Arc<Self>) {
        let stop = self.context.jobs.stop.clone();
        while !stop.is_cancelled() {
            let pause = match self.round().await {
                Ok(pause) => pause,
                Err(error) => {
                    warn!(job = self.job.name(), %error, "what is due cannot be asked for");
                    self.poll()
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes up what is due; returns when to look again, if nothing wakes us before.
    async fn round(self: &Arc<Self>) -> Result<Duration, StoreError> {
        let now = clock::now();
        let limit = ROUND + u32::try_from(self.in_hand().len()).unwrap_or_default();
        for trigger in self.due(now, limit).await? {
            if self.in_hand().len() < IN_HAND && self.in_hand().insert(trigger.clone()) {
                self.context.jobs.tasks.spawn(self.clone().work(InHand(self.clone(), trigger)));
            }
        }
        self.note(now).await;
        let next = self.next(now).await?.map(|at| Duration::from_micros(at.abs_diff(now)));
        Ok(next.map_or(self.poll(), |next| next.min(self.poll())))
    }

    async fn due(&self, now: Micros, limit: u32) -> Result<Vec<String>, StoreError> {
        match self.job {
            Job::Renew => self.context.store.due_renewals(now, limit).await,
            _ => self.context.store.due_notices(now, limit).await,
        }
    }

    async fn next(&self, now: Micros) -> Result<Option<Micros>, StoreError> {
        match self.job {
            Job::Renew => self.context.store.next_renewal(now).await,
            _ => self.context.store.next_notice(now).await,
        }
    }

    async fn work(self: Arc<Self>, trigger: InHand) {
        let Ok(turn) = self.turns.acquire().await else { return };
        if self.context.jobs.stop.is_cancelled() {
            return;
        }
        let worked = match self.job {
            Job::Renew => renew::work(&self.context, &trigger.1).await,
            _ => expand::work(&self.context, &trigger.1).await,
        };
        drop(turn);
        let pause = match worked {
            Ok(Worked::Done | Worked::Failed) => None,
            Ok(Worked::Taken) => Some(TAKEN.min(self.poll())),
            Err(_) => Some(self.poll()),
        };
        self.count(&trigger.1, &worked);
        if let Some(pause) = pause {
            self.context.jobs.pause(pause).await;
        }
    }

    fn count(&self, trigger: &str, worked: &Result<Worked, StoreError>) {
        if let Err(error) = worked {
            error!(job = self.job.name(), trigger, %error, "a job could not note what it did");
        }
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match worked {
            Ok(Worked::Taken) => return,
            Ok(Worked::Done) => {
                tally.done += 1;
                "ok"
            }
            Ok(Worked::Failed) | Err(_) => {
                tally.failed += 1;
                "failed"
            }
        };
        if tally.done + tally.failed == 1 {
            tally.since = clock::now();
        }
        metrics::counter!("hearken_job_runs_total", "job" => self.job.name(), "result" => result)
            .increment(1);
    }

    /// Notes what was done, if anything was.
    async fn note(&self, now: Micros) {
        let Some(run) = self.run_to_note(now) else { return };
        if let Err(error) = self.context.store.note_job(&run).await {
            warn!(job = self.job.name(), %error, "a run cannot be noted");
        }
    }

    fn run_to_note(&self, now: Micros) -> Option<JobRun> {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        if tally.done + tally.failed == 0 || now - tally.noted < NOTED {
            return None;
        }
        let run = JobRun {
            name: self.job.name().to_owned(),
            holder: self.context.jobs.replica().to_owned(),
            started_at: tally.since,
            finished_at: now,
            ok: tally.failed == 0,
            result: format!("triggers worked on: {}, failed: {}", tally.done, tally.failed),
            next_at: now + self.job.every(&self.context.config.jobs).micros(),
        };
        *tally = Tally { noted: now, ..Tally::default() };
        Some(run)
    }

    fn poll(&self) -> Duration {
        self.job.every(&self.context.config.jobs).duration()
    }

    fn in_hand(&self) -> MutexGuard<'_, HashSet<String>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A trigger that is worked on. Letting go of it, be it by a panic, has the crew look again.
struct InHand(Arc<Crew>, String);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand().remove(&self.1);
        self.0.wake.notify_one();
    }
}
