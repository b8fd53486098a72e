//! The server's own jobs: what is to be done because its time has come, and not because anybody
//! asked.
//!
//! They run in every replica. What only one may do at a time is done under a lease of the
//! database, and what is committed under it names its fence, so that a replica that was too slow
//! changes nothing. Being woken is only a hint: what is due is asked of the database.

mod backoff;
mod clean;
mod crew;
mod expand;
mod lease;
mod renew;
mod schedule;

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;
use uuid::Uuid;

use self::crew::Crew;
use crate::{
    config::{self, Seconds},
    context::Shared,
};

/// How long what is under way may take when the server ends.
const GRACE: Duration = Duration::from_secs(10);

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Asks providers what notices are about.
    Expand,
    /// Renews subscriptions before they expire.
    Renew,
    /// Looks at thin apps' triggers that were quiet for long.
    Look,
    /// Removes what registrations left behind when their server died.
    Sweep,
    /// Deletes what has expired.
    Clean,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Expand, Self::Renew, Self::Look, Self::Sweep, Self::Clean];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Renew => "renew",
            Self::Look => "look",
            Self::Sweep => "sweep",
            Self::Clean => "clean",
        }
    }

    /// What it does, for people.
    pub fn description(self) -> &'static str {
        match self {
            Self::Expand => "Asks providers what notices are about; woken by every notice.",
            Self::Renew => "Renews subscriptions before they expire.",
            Self::Look => "Has thin apps' triggers looked at that were quiet for long.",
            Self::Sweep => "Removes what registrations left behind when their server died.",
            Self::Clean => "Deletes expired events, receipts, idempotency keys and sign-in flows.",
        }
    }

    /// How often it runs.
    pub fn every(self, settings: &config::Jobs) -> Seconds {
        match self {
            Self::Expand | Self::Renew => settings.poll_seconds,
            Self::Look => settings.look_seconds.tenth(),
            Self::Sweep => settings.sweep_seconds,
            Self::Clean => settings.clean_seconds,
        }
    }

    /// The lease it runs under, where only one replica runs it at a time.
    fn lease(self) -> String {
        format!("job:{}", self.name())
    }
}

/// The jobs of this replica.
pub struct Jobs {
    replica: String,
    notices: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            replica: format!("{}-{}", std::process::id(), Uuid::now_v7().simple()),
            notices: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }
}

impl Jobs {
    /// How this replica is called in leases.
    pub fn replica(&self) -> &str {
        &self.replica
    }

    /// A notice was committed: it is taken up at once.
    pub fn notice_came(&self) {
        self.notices.notify_one();
    }

    /// Ends the jobs; what is under way is done first, if it does not take long.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait()).await.is_err() {
            warn!("jobs were still under way; another replica, or the next start, takes them up");
        }
    }

    /// Waits, but not beyond the end.
    async fn pause(&self, pause: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Starts all jobs.
pub fn start(context: &Shared) {
    let jobs = &context.jobs;
    let crew = |job, wake| Crew::new(context.clone(), job, wake).keep();
    jobs.tasks.spawn(crew(Job::Expand, jobs.notices.clone()));
    jobs.tasks.spawn(crew(Job::Renew, Arc::default()));
    for job in [Job::Look, Job::Sweep, Job::Clean] {
        jobs.tasks.spawn(schedule::keep(context.clone(), job));
    }
}
