//! When the store cannot take a request it says so, and what it took is there.

use std::time::{Duration, Instant};

use futures::future::join_all;
use hearken::{
    ids,
    store::{Inbound, StoreError},
};
use serde_json::json;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::fixture::{Fixture, event, receipt};

pub(crate) async fn a_closed_store_takes_nothing(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    fixture.store.ping().await.unwrap();
    fixture.store.close().await;
    let inbound =
        Inbound { receipt: receipt(&trigger), events: vec![event("e1", json!(1))], notice: None };
    let refused = fixture.store.record(inbound).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(fixture.store.ping().await.is_err());
    let asked = fixture.store.trigger(fixture.project(), &trigger.id).await;
    assert!(matches!(asked, Err(StoreError::Unavailable(_))));
}

pub(crate) async fn closing_commits_what_waits(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let requests = (0..300).map(|number| {
        let events = vec![event(&format!("e{number}"), json!(number))];
        fixture.store.record(Inbound { receipt: receipt(&trigger), events, notice: None })
    });
    let (answers, ()) = futures::join!(join_all(requests), fixture.store.close());
    let ids: Vec<_> = answers.into_iter().flat_map(|answer| answer.unwrap().stored).collect();
    assert_eq!(ids.len(), 300);
    let reopened = fixture.replica().await;
    for id in ids {
        assert!(ids::valid(ids::EVENT, &id));
        assert!(reopened.event(fixture.project(), &id).await.unwrap().is_some());
    }
    reopened.close().await;
}

/// Somebody holds the database's lock for longer than a request may wait.
pub(crate) async fn a_blocked_database_recovers(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let send = || {
        let events = vec![event("e1", json!(1))];
        fixture.store.record(Inbound { receipt: receipt(&trigger), events, notice: None })
    };
    let url = fixture.database.url();
    if url.starts_with("sqlite") {
        let mut blocker = SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut blocker).await.unwrap();
        assert!(matches!(send().await, Err(StoreError::Unavailable(_))));
        blocker.close().await.unwrap();
    } else {
        let mut blocker = PgConnection::connect(url).await.unwrap();
        let lock = "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE";
        sqlx::raw_sql(lock).execute(&mut blocker).await.unwrap();
        assert!(matches!(send().await, Err(StoreError::Unavailable(_))));
        blocker.close().await.unwrap();
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    let recorded = loop {
        match send().await {
            Ok(recorded) => break recorded,
            Err(error) => assert!(Instant::now() < deadline, "it does not recover: {error}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(recorded.stored.len() + recorded.duplicates.len(), 1, "the sender's retry is safe");
}
