//! Where SQLite and PostgreSQL differ: how they are opened, how a transaction begins, and how they
//! tell the time. Every other statement is the same text on both.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool, Postgres, Sqlite, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tracing::warn;

use super::{
    StoreError, migrations,
    statement::{Record, Statement, prepare},
};

const READERS: u32 = 8;
const POSTGRES_WRITERS: u32 = 4;
/// How long a call may wait for a connection, or for another process's lock.
const PATIENCE: Duration = Duration::from_secs(5);
/// Older ones can lose committed rows of a write-ahead log (sqlite.org/wal.html, "WAL-reset").
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
const OLDEST_POSTGRES: i64 = 140_000;

/// A plain BEGIN would take the write lock late, and then fail at once instead of waiting.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE";
/// A statement must see what it waited for, whatever the server's default is.
const BEGIN_POSTGRES: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Bounds every statement, and makes a commit wait for the disk where the server would not.
const SESSION_POSTGRES: &str = "
    SET statement_timeout = '5s';
    SET idle_in_transaction_session_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off'";

/// Connections to one of the two databases.
#[derive(Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A transaction; dropping it rolls back.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Writes `$body` once for both databases.
macro_rules! with_pool {
    ($pool:expr, |$inner:ident| $body:expr) => {
        match $pool {
            Pool::Sqlite($inner) => $body,
            Pool::Postgres($inner) => $body,
        }
    };
}

/// The same for a transaction.
macro_rules! with_transaction {
    ($transaction:expr, |$inner:ident| $body:expr) => {
        match $transaction {
            Transaction::Sqlite($inner) => $body,
            Transaction::Postgres($inner) => $body,
        }
    };
}

impl Pool {
    /// Runs a statement for the rows it gives. They are read to the end, because SQLite commits a
    /// statement only then.
    pub(super) async fn rows<T: Record>(&self, statement: Statement) -> Result<Vec<T>, StoreError> {
        let rows =
            with_pool!(self, |pool| prepare!(query_as::<_, T>, statement).fetch_all(pool).await);
        Ok(rows?)
    }

    /// Runs a statement that gives one row or none.
    pub(super) async fn row<T: Record>(
        &self,
        statement: Statement,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(statement).await?.pop())
    }

    /// Runs a statement; returns how many rows it changed.
    pub(super) async fn run(&self, statement: Statement) -> Result<u64, StoreError> {
        Ok(with_pool!(self, |pool| prepare!(query, statement).execute(pool).await?.rows_affected()))
    }

    pub(super) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Transaction::Sqlite(pool.begin_with(BEGIN_SQLITE).await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin_with(BEGIN_POSTGRES).await?),
        })
    }

    pub(super) async fn close(&self) {
        with_pool!(self, |pool| pool.close().await);
    }

    /// How to ask for the plan of a statement.
    pub(super) fn explain(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "EXPLAIN QUERY PLAN ",
            Self::Postgres(_) => "EXPLAIN ",
        }
    }

    /// The database's own clock in microseconds since 1970: the one that all replicas share.
    pub(super) fn now(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "CAST(unixepoch('subsec') * 1000000 AS BIGINT)",
            Self::Postgres(_) => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }

    /// The first number of a transaction whose events may not be visible yet, or may have one
    /// beside it that is not. SQLite has one writer, which numbers as it commits.
    pub(super) fn horizon(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "(SELECT last + 1 FROM event_log)",
            Self::Postgres(_) => {
                "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)"
            }
        }
    }

    /// How a `SELECT` ends that keeps others from the rows it reads. SQLite locks everything as a
    /// transaction begins.
    pub(super) fn for_update(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE",
        }
    }

    /// The same, leaving out rows that others are at.
    pub(super) fn for_update_free(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }
}

impl Transaction {
    pub(super) async fn rows<T: Record>(
        &mut self,
        statement: Statement,
    ) -> Result<Vec<T>, sqlx::Error> {
        with_transaction!(self, |transaction| {
            prepare!(query_as::<_, T>, statement).fetch_all(&mut **transaction).await
        })
    }

    /// Runs a statement; returns how many rows it changed.
    pub(super) async fn run(&mut self, statement: Statement) -> Result<u64, sqlx::Error> {
        Ok(with_transaction!(self, |transaction| {
            prepare!(query, statement).execute(&mut **transaction).await?.rows_affected()
        }))
    }

    /// Takes a number for the events of this transaction, where the database does not number them
    /// itself. A transaction that is rolled back gives it back.
    pub(super) async fn number(&mut self) -> Result<Option<i64>, sqlx::Error> {
        if matches!(self, Self::Postgres(_)) {
            return Ok(None);
        }
        let statement = Statement::new("UPDATE event_log SET last = last + 1 RETURNING last");
        Ok(self.rows(statement).await?.pop().map(|(number,)| number))
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        with_transaction!(self, |transaction| transaction.commit().await)
    }
}

/// Opens the database at `url`, up to date: connections to read, and connections to write.
pub(super) async fn connect(url: &str) -> Result<(Pool, Pool), StoreError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return connect_sqlite(path.strip_prefix("//").unwrap_or(path)).await;
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return connect_postgres(url).await;
    }
    Err(unusable("its URL must start with sqlite:// or postgres://"))
}

/// One connection writes, so that writers queue here and not for the file's lock.
async fn connect_sqlite(path: &str) -> Result<(Pool, Pool), StoreError> {
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(unusable("SQLite needs a file: sqlite://path/to/file.db"));
    }
    if let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder)
            .map_err(|error| unusable(&format!("cannot make {}: {error}", folder.display())))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "67108864")
        // Without these macOS reports data as written that its disk still holds in a cache.
        .pragma("fullfsync", "1")
        .pragma("checkpoint_fullfsync", "1");
    // Never closed for idleness: the log is kept as long as one connection is open.
    let pool = |connections| {
        let options = SqlitePoolOptions::new().max_connections(connections).min_connections(1);
        options.acquire_timeout(PATIENCE).idle_timeout(None).max_lifetime(None)
    };
    let write = pool(1).connect_with(options.clone()).await?;
    check_sqlite(&write).await?;
    migrations::sqlite().run(&write).await.map_err(migrations::failed)?;
    let read = pool(READERS).connect_with(options.pragma("query_only", "ON")).await?;
    Ok((Pool::Sqlite(read), Pool::Sqlite(write)))
}

async fn check_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < OLDEST_SQLITE {
        return Err(unusable(&format!(
            "SQLite {version} can lose committed rows; use 3.51.3 or newer"
        )));
    }
    Ok(())
}

async fn connect_postgres(url: &str) -> Result<(Pool, Pool), StoreError> {
    let options = postgres_options(url)?;
    prepare_postgres(&options).await?;
    let pool = |connections| {
        let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
        options.after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SESSION_POSTGRES).execute(connection).await?;
                Ok(())
            })
        })
    };
    let write = pool(POSTGRES_WRITERS).connect_with(options.clone()).await?;
    let read = pool(READERS).connect_with(options).await?;
    Ok((Pool::Postgres(read), Pool::Postgres(write)))
}

/// Over the loopback interface TLS protects nothing, and sqlx 0.9.0, which leaves Nagle's
/// algorithm on, waits 40 ms for every batch that needs more than one TLS record.
fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = url.parse()?;
    let host = options.get_host();
    let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let undecided = matches!(options.get_ssl_mode(), PgSslMode::Prefer);
    Ok(if local && undecided { options.ssl_mode(PgSslMode::Disable) } else { options })
}

/// Checks the server and migrates over a connection of its own: waiting for another replica's
/// migration may take longer than a statement may otherwise.
async fn prepare_postgres(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut connection = tokio::time::timeout(PATIENCE, PgConnection::connect_with(options))
        .await
        .map_err(|_| unusable("PostgreSQL does not answer"))??;
    let (version, fsync): (String, String) =
        sqlx::query_as("SELECT current_setting('server_version_num'), current_setting('fsync')")
            .fetch_one(&mut connection)
            .await?;
    if version.parse().unwrap_or(0) < OLDEST_POSTGRES {
        return Err(unusable("PostgreSQL 14 or newer is needed"));
    }
    if fsync == "off" {
        warn!("PostgreSQL runs with fsync off: a power failure can lose what was acknowledged");
    }
    migrations::postgres().run(&mut connection).await.map_err(migrations::failed)?;
    connection.close().await?;
    Ok(())
}

fn unusable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}
