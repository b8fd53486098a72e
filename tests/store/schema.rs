//! The schema: migrations run once, and leave the same tables on both databases.

use std::{collections::BTreeSet, fs, path::Path};

use futures::future::join_all;
use hearken::store::Store;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::{fixture::Fixture, support::database};

const TABLES_SQLITE: &str = "
    SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
    WHERE t.type = 'table' AND t.name NOT LIKE '%sqlx%' AND t.name NOT LIKE 'sqlite%'
    UNION SELECT 'index ' || name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL";
const TABLES_POSTGRES: &str = "
    SELECT table_name || '.' || column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name NOT LIKE '%sqlx%'
    UNION SELECT 'index ' || indexname FROM pg_indexes
    WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_key' AND indexname NOT LIKE '%\\_pkey'";
const STEPS: &str = "SELECT CAST(version AS TEXT) FROM _sqlx_migrations";

pub(crate) async fn opening_again_changes_nothing(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    fixture.store.close().await;
    let again = fixture.replica().await;
    assert!(again.trigger(fixture.project(), &trigger.id).await.unwrap().is_some());
    again.close().await;
}

pub(crate) async fn replicas_start_together(fixture: &Fixture) {
    let replicas = join_all((0..4).map(|_| Store::open(fixture.database.url()))).await;
    let projects = join_all(replicas.into_iter().map(async |store| {
        let store = store.unwrap();
        let project = store.ensure_default_project("together").await.unwrap();
        store.close().await;
        project.id
    }));
    let projects: BTreeSet<_> = projects.await.into_iter().collect();
    assert_eq!(projects.len(), 1);
}

#[tokio::test]
async fn replicas_migrate_an_empty_postgres_together() {
    let database = database::fresh("postgres").await;
    for store in join_all((0..4).map(|_| Store::open(database.url()))).await {
        store.unwrap().close().await;
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let (lite, postgres) = (Fixture::new("sqlite").await, Fixture::new("postgres").await);
    let tables = names(&lite, TABLES_SQLITE).await;
    assert!(tables.contains("events.external_event_id"));
    assert!(tables.contains("index events_by_trigger_status"));
    assert_eq!(tables, names(&postgres, TABLES_POSTGRES).await);

    let files = files("sqlite");
    assert_eq!(files, self::files("postgres"));
    for fixture in [lite, postgres] {
        assert_eq!(names(&fixture, STEPS).await.len(), files.len(), "every file is a step");
        fixture.store.close().await;
    }
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused() {
    for url in ["mysql://localhost/db", "sqlite://", "sqlite::memory:", "", "hearken.db"] {
        let error = Store::open(url).await.err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| text.contains("sqlite://")), "{url}");
    }
}

#[tokio::test]
async fn sqlite_keeps_a_write_ahead_log() {
    let fixture = Fixture::new("sqlite").await;
    let mode = names(&fixture, "SELECT journal_mode FROM pragma_journal_mode").await;
    assert_eq!(mode, BTreeSet::from(["wal".to_owned()]));
    fixture.store.close().await;
    let wal = format!("{}-wal", fixture.database.url().trim_start_matches("sqlite://"));
    assert!(!Path::new(&wal).exists(), "a clean stop leaves nothing in the log");
}

async fn names(fixture: &Fixture, sql: &'static str) -> BTreeSet<String> {
    let url = fixture.database.url();
    let rows: Vec<(String,)> = if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
    };
    rows.into_iter().map(|(name,)| name).collect()
}

fn files(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}
