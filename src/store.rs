//! The store: the only part that speaks SQL, to SQLite or PostgreSQL with the same text.
//!
//! [`Store::record`] is the hot path: it makes requests and their events durable, many at a time.
//! Everything else is one short statement each, and names the project whose rows it may touch;
//! the few that do not are for the ingress, for upkeep and for start-up, and say so.

mod accounts;
mod consumers;
mod dialect;
mod error;
mod events;
mod idempotency;
mod jobs;
mod keys;
mod leases;
mod log;
mod migrations;
pub mod model;
mod notices;
mod oauth_flows;
mod plans;
mod projects;
mod provider_apps;
mod receipts;
mod record;
mod statement;
mod stats;
mod triggers;
mod upkeep;

use std::sync::Arc;

use tokio::sync::watch;

pub use self::{
    accounts::{AccountPatch, Lifetime},
    consumers::{Consumer, DeadLetter, Pull, Pulled, Taken},
    error::StoreError,
    events::EventFilter,
    idempotency::Begun,
    jobs::JobRun,
    log::{Interest, Place, Position},
    notices::{Backlog, Expansion},
    plans::Plan,
    provider_apps::ProviderAppPatch,
    receipts::ReceiptFilter,
    record::{Inbound, Recorded},
    statement::Page,
    stats::{Bucket, Stats, TriggerCount},
    triggers::{Registered, TriggerFilter, TriggerPatch},
    upkeep::Renewal,
};
use self::{dialect::Pool, record::Writer, statement::Statement};

/// Days an event is kept where neither its trigger nor its project says otherwise.
pub const RETENTION_DAYS: i64 = 30;

/// The database. A cheap handle.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    read: Pool,
    write: Pool,
    writer: Writer,
    news: watch::Sender<()>,
}

impl Store {
    /// Opens `sqlite://path/to/file.db` (made if missing, with its folder) or `postgres://…`, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// When the database cannot be reached, is too old, or refuses a migration.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let (read, write) = dialect::connect(url).await?;
        let news = watch::Sender::new(());
        let writer = Writer::start(write.clone(), news.clone());
        Ok(Self { inner: Arc::new(Inner { read, write, writer, news }) })
    }

    /// Commits what was handed over, then closes every connection. Later calls fail.
    pub async fn close(&self) {
        self.inner.writer.stop().await;
        self.inner.read.close().await;
        self.inner.write.close().await;
    }

    /// Whether requests can be stored right now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.inner.writer.check()?;
        self.read().rows::<(i64,)>(Statement::new("SELECT CAST(1 AS BIGINT)")).await?;
        Ok(())
    }

    /// Tells when events may have been stored through this handle. Only a hint: another replica's
    /// are not told, and on PostgreSQL those told may take a moment to be read.
    pub fn news(&self) -> watch::Receiver<()> {
        self.inner.news.subscribe()
    }

    fn read(&self) -> &Pool {
        &self.inner.read
    }

    fn write(&self) -> &Pool {
        &self.inner.write
    }
}
