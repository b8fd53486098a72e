//! Counts for dashboards.

use std::collections::BTreeMap;

use hearken_engine::Micros;
use sqlx::FromRow;

use super::{Statement, Store, StoreError};

/// How many triggers of one app have one status.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TriggerCount {
    /// App slug.
    pub app: String,
    /// Status.
    pub status: String,
    /// How many.
    pub count: i64,
}

/// How long one step of a chart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Bucket {
    fn micros(self) -> Micros {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 24 * 3_600_000_000,
        }
    }
}

/// What came in since some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events by status.
    pub events: BTreeMap<String, i64>,
    /// Requests by outcome.
    pub receipts: BTreeMap<String, i64>,
    /// Events by the start of the hour or day they were received in; empty ones are left out.
    pub timeline: BTreeMap<Micros, i64>,
}

impl Store {
    /// How many triggers a project has, by app and status.
    pub async fn trigger_counts(&self, project: &str) -> Result<Vec<TriggerCount>, StoreError> {
        let statement = Statement::new(
            "SELECT app, status, COUNT(*) AS count FROM triggers WHERE project_id = $1
             GROUP BY app, status ORDER BY app, status",
        );
        self.read().rows(statement.bind(project)).await
    }

    /// What came in since `since`, for one trigger of the project or for all of them.
    pub async fn stats(
        &self,
        project: &str,
        trigger: Option<&str>,
        since: Micros,
        bucket: Bucket,
    ) -> Result<Stats, StoreError> {
        let events = self.read().rows(by_status(project, trigger, since)).await?;
        let receipts = self.read().rows(by_outcome(project, trigger, since)).await?;
        let timeline = self.read().rows(by_time(project, trigger, since, bucket)).await?;
        Ok(Stats {
            events: events.into_iter().collect(),
            receipts: receipts.into_iter().collect(),
            timeline: timeline.into_iter().collect(),
        })
    }
}

pub(super) fn by_status(project: &str, trigger: Option<&str>, since: Micros) -> Statement {
    Statement::new("SELECT status, COUNT(*) FROM events WHERE project_id = $1")
        .bind(project)
        .and("received_at >= $", Some(since))
        .and("trigger_id = $", trigger)
        .then(" GROUP BY status")
}

pub(super) fn by_outcome(project: &str, trigger: Option<&str>, since: Micros) -> Statement {
    Statement::new("SELECT outcome, COUNT(*) FROM receipts WHERE project_id = $1")
        .bind(project)
        .and("received_at >= $", Some(since))
        .and("trigger_id = $", trigger)
        .then(" GROUP BY outcome")
}

fn by_time(project: &str, trigger: Option<&str>, since: Micros, bucket: Bucket) -> Statement {
    Statement::new("SELECT received_at / $2 * $2, COUNT(*) FROM events WHERE project_id = $1")
        .bind(project)
        .bind(bucket.micros())
        .and("received_at >= $", Some(since))
        .and("trigger_id = $", trigger)
        .then(" GROUP BY 1")
}
