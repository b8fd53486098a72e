//! The server's own jobs: when each ran last, wherever that was.

use hearken_engine::Micros;
use sqlx::FromRow;

use super::{Statement, Store, StoreError};

/// The last run of a job.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct JobRun {
    /// Name of the job.
    pub name: String,
    /// The replica that ran it.
    pub holder: String,
    /// When it began.
    pub started_at: Micros,
    /// When it ended.
    pub finished_at: Micros,
    /// Whether nothing went wrong.
    pub ok: bool,
    /// What came of it, in one sentence.
    pub result: String,
    /// When it is to run next.
    pub next_at: Micros,
}

impl Store {
    /// Notes a run.
    pub async fn note_job(&self, run: &JobRun) -> Result<(), StoreError> {
        let statement = Statement::new(
            "INSERT INTO jobs (name, holder, started_at, finished_at, ok, result, next_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,
                 started_at = excluded.started_at, finished_at = excluded.finished_at,
                 ok = excluded.ok, result = excluded.result, next_at = excluded.next_at",
        );
        let statement = statement
            .bind(&run.name)
            .bind(&run.holder)
            .bind(run.started_at)
            .bind(run.finished_at)
            .bind(run.ok)
            .bind(&run.result)
            .bind(run.next_at);
        self.write().run(statement).await.map(drop)
    }

    /// The last run of every job that ever ran.
    pub async fn job_runs(&self) -> Result<Vec<JobRun>, StoreError> {
        let statement = Statement::new(
            "SELECT name, holder, started_at, finished_at, ok, result, next_at FROM jobs",
        );
        self.read().rows(statement).await
    }

    /// Who runs which job right now: holders by the name of the lease.
    pub async fn job_holders(&self) -> Result<Vec<(String, String)>, StoreError> {
        let statement =
            Statement::new("SELECT name, holder FROM leases WHERE name LIKE 'job:%' AND until > ");
        self.read().rows(statement.then(self.read().now())).await
    }
}
