//! A database of its own for every test, gone when the test ends.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

/// Where tests make their PostgreSQL databases, unless `HEARKEN_TEST_POSTGRES_URL` says.
const POSTGRES: &str = "postgres://postgres@127.0.0.1:5432/postgres";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A fresh, empty database; dropping it deletes it.
pub(crate) struct Database {
    url: String,
    place: Place,
}

/// Kept for what its drop removes.
enum Place {
    Folder { _folder: TempDir },
    Server { name: String },
}

/// A new database; `kind` is `sqlite` or `postgres`.
pub(crate) async fn fresh(kind: &str) -> Database {
    match kind {
        "sqlite" => {
            let folder = TempDir::new().expect("the system has room for a temporary folder");
            // A folder that is not there yet, as on a first start.
            let url = format!("sqlite://{}/new/hearken.db", folder.path().display());
            Database { url, place: Place::Folder { _folder: folder } }
        }
        "postgres" => {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("hearken_test_{}_{number}", process::id());
            administer(format!("CREATE DATABASE {name}")).await;
            let server = server();
            let (before, query) = server.split_once('?').unwrap_or((&server, ""));
            let (host, _) = before.rsplit_once('/').expect("the server's URL ends in a database");
            Database { url: format!("{host}/{name}?{query}"), place: Place::Server { name } }
        }
        other => panic!("there is no database of the kind {other}"),
    }
}

impl Database {
    /// How to open it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Server { name } = &self.place else {
            return;
        };
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        // The test's own runtime may be ending, and cannot be waited for from here.
        let dropper = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(administer(statement));
        });
        let gone = dropper.join().is_ok();
        // While a failed test unwinds, a second panic would hide the first.
        assert!(gone || thread::panicking(), "the database {name} could not be dropped");
    }
}

#[expect(clippy::disallowed_methods, reason = "the variable is for whoever runs the tests")]
fn server() -> String {
    std::env::var("HEARKEN_TEST_POSTGRES_URL").unwrap_or_else(|_| POSTGRES.to_owned())
}

async fn administer(statement: String) {
    let mut connection = PgConnection::connect(&server()).await.unwrap_or_else(|error| {
        panic!(
            "these tests need a PostgreSQL server in which they may create databases: start one \
             (`make test` does), or set HEARKEN_TEST_POSTGRES_URL to its URL; {error}"
        )
    });
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .expect("the test user may create and drop databases");
}
