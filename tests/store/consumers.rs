//! Consumers: every event reaches each of them, is held by one puller at a time, and comes back
//! until it is acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use futures::future::join_all;
use hearken::{
    ids,
    store::{
        Inbound, Interest, Page, Place, Pull, Pulled, Store, StoreError, Taken, model::Trigger,
    },
};
use serde_json::json;
use sqlx::{Connection, PgConnection, Row};

use crate::fixture::{Fixture, NOW, event, receipt};

fn pull_as(fixture: &Fixture, consumer: &str) -> Pull {
    Pull {
        project: fixture.project().to_owned(),
        consumer: consumer.to_owned(),
        max: 10,
        lease_seconds: 60,
        max_attempts: 10,
        interest: None,
        from: Place::Beginning,
    }
}

async fn take(store: &Store, pull: &Pull) -> Vec<Taken> {
    match store.pull(pull).await.unwrap() {
        Pulled::Events(taken) => taken,
        Pulled::NoSuchEvent => panic!("there is no such event"),
    }
}

/// Pulls until `count` events came: on PostgreSQL transactions of other tests, which share the
/// server, may hold them back for a moment.
async fn take_all(store: &Store, pull: &Pull, count: usize) -> Vec<Taken> {
    let mut all = Vec::new();
    for _ in 0..2000 {
        all.extend(take(store, pull).await);
        if all.len() >= count {
            return all;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{} of {count} events came", all.len());
}

fn names(taken: &[Taken]) -> Vec<&str> {
    taken.iter().map(|taken| taken.event.external_event_id.as_str()).collect()
}

fn tokens(taken: &[Taken]) -> Vec<String> {
    taken.iter().map(|taken| taken.delivery.clone()).collect()
}

async fn deliver_one_by_one(fixture: &Fixture, trigger: &Trigger, names: &[&str]) {
    for name in names {
        fixture.deliver(trigger, &[name]).await;
    }
}

pub(crate) async fn racing_pullers_share_every_event_once(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let replica = fixture.replica().await;
    let stores = [&fixture.store, &replica];
    let expected: BTreeSet<String> = (0..120).map(|number| format!("e{number:03}")).collect();
    let seen: Mutex<BTreeMap<(String, String), u32>> = Mutex::default();
    let done = || seen.lock().unwrap().len() == 2 * expected.len();

    let deliver = async |store: &Store, part: usize| {
        for name in expected.iter().skip(part).step_by(2) {
            let inbound = Inbound {
                receipt: receipt(&trigger),
                events: vec![event(name, json!({}))],
                notice: None,
            };
            store.record(inbound).await.unwrap();
        }
    };
    let puller = async |number: usize| {
        let consumer = ["one", "two"][number % 2];
        let store = stores[number / 2 % 2];
        let pull = Pull { max: 7, ..pull_as(fixture, consumer) };
        while !done() {
            let taken = take(store, &pull).await;
            for one in &taken {
                let key = (consumer.to_owned(), one.event.external_event_id.clone());
                *seen.lock().unwrap().entry(key).or_default() += 1;
                assert_eq!(one.attempt, 1);
            }
            if taken.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            } else {
                let tokens = tokens(&taken);
                let held = store.ack(fixture.project(), &tokens).await.unwrap();
                assert_eq!(held.len(), tokens.len());
            }
        }
    };
    let pullers = join_all((0..8).map(puller));
    tokio::join!(deliver(stores[0], 0), deliver(stores[1], 1), pullers);

    let seen = seen.into_inner().unwrap();
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    let names: BTreeSet<String> = seen.into_keys().map(|(_, name)| name).collect();
    assert_eq!(names, expected);
    for consumer in fixture.store.list_consumers(fixture.project()).await.unwrap() {
        assert_eq!(consumer.unacknowledged, 0, "{}", consumer.name);
    }
    replica.close().await;
}

pub(crate) async fn what_is_given_back_comes_again(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let (store, project) = (&fixture.store, fixture.project());
    let pull = pull_as(fixture, "c");
    deliver_one_by_one(fixture, &trigger, &["a", "b"]).await;
    let taken = take_all(store, &pull, 2).await;
    let first = tokens(&taken);
    assert!(take(store, &pull).await.is_empty(), "both are held");

    assert_eq!(store.nack(project, &first[..1], 3600).await.unwrap(), first[..1]);
    assert_eq!(store.nack(project, &first[1..], 0).await.unwrap(), first[1..]);
    assert!(store.ack(project, &first).await.unwrap().is_empty(), "they were given back");
    let again = take(store, &pull).await;
    assert_eq!((names(&again), again[0].attempt), (vec!["b"], 2), "`a` is to wait");
    fixture.execute("UPDATE consumer_items SET due_at = due_at - 3600000000").await;
    let late = take(store, &pull).await;
    assert!(names(&late).contains(&"a"), "{late:?}");

    let held = tokens(&late);
    assert_eq!(store.extend(project, &held, 60).await.unwrap().len(), held.len());
    let other = fixture.add_project("other").await;
    assert!(store.ack(&other.id, &held).await.unwrap().is_empty(), "another project's");
    assert_eq!(store.ack(project, &held).await.unwrap().len(), held.len());
    assert!(store.extend(project, &held, 60).await.unwrap().is_empty(), "they are settled");
}

pub(crate) async fn an_expired_lease_is_handed_on(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let (store, project) = (&fixture.store, fixture.project());
    let pull = pull_as(fixture, "c");
    fixture.deliver(&trigger, &["a"]).await;
    let slow = take_all(store, &pull, 1).await;
    fixture.execute("UPDATE consumer_items SET due_at = due_at - 61000000").await;
    assert!(store.may_pull(project, "c").await.unwrap());
    let next = take(store, &pull).await;
    assert_eq!((names(&next), next[0].attempt), (vec!["a"], 2));
    assert!(store.ack(project, &tokens(&slow)).await.unwrap().is_empty(), "it was too slow");
    assert_eq!(store.ack(project, &tokens(&next)).await.unwrap(), tokens(&next));
    assert!(take(store, &pull).await.is_empty());
    assert!(!store.may_pull(project, "c").await.unwrap());
}

pub(crate) async fn a_consumer_seeks_back_and_forward(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let (store, project) = (&fixture.store, fixture.project());
    let pull = pull_as(fixture, "c");
    assert_eq!(store.seek(project, "c", &Place::Now).await.unwrap(), None, "it is not there");
    deliver_one_by_one(fixture, &trigger, &["a", "b", "c"]).await;
    let taken = take_all(store, &pull, 3).await;
    assert_eq!(names(&taken), ["a", "b", "c"]);

    let second = Place::Event(taken[1].event.id.clone());
    assert_eq!(store.seek(project, "c", &second).await.unwrap(), Some(true));
    assert!(store.ack(project, &tokens(&taken)).await.unwrap().is_empty(), "all is forgotten");
    assert_eq!(names(&take(store, &pull).await), ["b", "c"]);
    store.seek(project, "c", &Place::Beginning).await.unwrap();
    assert_eq!(names(&take(store, &pull).await), ["a", "b", "c"]);
    store.seek(project, "c", &Place::Now).await.unwrap();
    assert!(take(store, &pull).await.is_empty());
    store.seek(project, "c", &Place::Time(NOW)).await.unwrap();
    assert_eq!(take(store, &pull).await.len(), 3);
    store.seek(project, "c", &Place::Time(NOW + 1)).await.unwrap();
    assert!(take(store, &pull).await.is_empty());
    fixture.deliver(&trigger, &["d"]).await;
    assert_eq!(names(&take_all(store, &pull, 1).await), ["d"]);
    let nowhere = Place::Event(ids::new(ids::EVENT));
    assert_eq!(store.seek(project, "c", &nowhere).await.unwrap(), Some(false));

    let late = Pull { from: Place::Now, ..pull_as(fixture, "late") };
    assert!(take(store, &late).await.is_empty(), "what came before is not its concern");
    let lost = Pull { from: nowhere, ..pull_as(fixture, "lost") };
    assert!(matches!(store.pull(&lost).await.unwrap(), Pulled::NoSuchEvent));
    assert!(store.consumer(project, "lost").await.unwrap().is_none());
    assert!(store.delete_consumer(project, "late").await.unwrap());
    assert!(!store.delete_consumer(project, "late").await.unwrap());
}

pub(crate) async fn every_consumer_sees_everything_it_wants(fixture: &Fixture) {
    let (one, two) = (fixture.add_trigger(|_| {}).await, fixture.add_trigger(|_| {}).await);
    let store = &fixture.store;
    for (trigger, kind) in [(&one, "acme.order.paid"), (&two, "acme.order"), (&one, "acme.push")] {
        let mut event = event(kind, json!({}));
        kind.clone_into(&mut event.event_type);
        let inbound = Inbound { receipt: receipt(trigger), events: vec![event], notice: None };
        store.record(inbound).await.unwrap();
    }
    let text = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let all = ["acme.order.paid", "acme.order", "acme.push"];
    for (number, (triggers, types, expected)) in [
        (vec![], vec![], all.to_vec()),
        (text(&[&one.id]), vec![], vec![all[0], all[2]]),
        (vec![], text(&["acme.order"]), vec![all[1]]),
        (vec![], text(&["acme.order*", "acme.p"]), vec![all[0], all[1]]),
        (text(&[&two.id]), text(&["*"]), vec![all[1]]),
    ]
    .into_iter()
    .enumerate()
    {
        let interest = Some(Interest { triggers, types });
        let pull = Pull { interest, ..pull_as(fixture, &format!("c{number}")) };
        let taken = take_all(store, &pull, expected.len()).await;
        assert_eq!(names(&taken), expected, "{pull:?}");
        assert!(take(store, &pull).await.is_empty());
        assert!(take(store, &Pull { interest: None, ..pull.clone() }).await.is_empty());
    }
    let changed = Pull { interest: Some(Interest::default()), ..pull_as(fixture, "c1") };
    assert!(matches!(store.pull(&changed).await, Err(StoreError::Conflict(_))));
}

pub(crate) async fn what_fails_too_often_is_put_aside(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let (store, project) = (&fixture.store, fixture.project());
    let pull = Pull { max_attempts: 2, ..pull_as(fixture, "c") };
    fixture.deliver(&trigger, &["bad"]).await;
    let mut taken = take_all(store, &pull, 1).await;
    for attempt in 1..=2 {
        assert_eq!(taken[0].attempt, attempt);
        store.nack(project, &tokens(&taken), 0).await.unwrap();
        taken = take(store, &pull).await;
    }
    assert!(taken.is_empty());
    let consumer = store.consumer(project, "c").await.unwrap().unwrap();
    assert_eq!((consumer.unacknowledged, consumer.dead_letters), (0, 1));
    let page = Page { after: None, limit: 10 };
    let letters = store.list_dead_letters(project, &consumer, &page).await.unwrap();
    assert_eq!((letters.len(), letters[0].attempts), (1, 2));

    let bad = [letters[0].event.id.clone()];
    let elsewhere = [ids::new(ids::EVENT)];
    assert_eq!(store.redrive(&consumer, Some(&elsewhere)).await.unwrap(), 0);
    assert_eq!(store.redrive(&consumer, Some(&bad)).await.unwrap(), 1);
    assert_eq!(store.redrive(&consumer, None).await.unwrap(), 0, "none is left");
    let again = take(store, &pull).await;
    assert_eq!((names(&again), again[0].attempt), (vec!["bad"], 1));
}

pub(crate) async fn events_come_in_the_order_they_came(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    fixture.deliver(&trigger, &["z", "m", "a"]).await;
    fixture.deliver(&trigger, &["m", "k"]).await;
    let taken = take_all(&fixture.store, &pull_as(fixture, "c"), 4).await;
    assert_eq!(names(&taken), ["z", "m", "a", "k"]);
}

pub(crate) async fn what_retention_took_is_passed_over(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let (store, pull) = (&fixture.store, pull_as(fixture, "c"));
    fixture.deliver(&trigger, &["a", "b"]).await;
    let taken = take_all(store, &Pull { max: 1, ..pull.clone() }, 1).await;
    store.nack(fixture.project(), &tokens(&taken), 0).await.unwrap();
    fixture.execute("DELETE FROM events").await;
    assert!(take(store, &pull).await.is_empty());
    fixture.deliver(&trigger, &["c"]).await;
    assert_eq!(names(&take_all(store, &pull, 1).await), ["c"], "the newest was gone, too");
}

/// On PostgreSQL a transaction that began first may commit last.
#[tokio::test]
async fn a_transaction_that_commits_late_is_not_skipped() {
    let fixture = Fixture::new("postgres").await;
    let trigger = fixture.add_trigger(|_| {}).await;
    let mut connection = PgConnection::connect(fixture.database.url()).await.unwrap();
    let mut late = connection.begin().await.unwrap();
    let place = sqlx::query(
        "INSERT INTO events (id, project_id, trigger_id, app, event_type, external_event_id, data,
             status, receipt_id, definition_version, received_at, expires_at, position)
         VALUES ($1, $2, $3, 'acme', 'acme.order', 'late', '{}', 'pending', 'r', 'v', $4, $5, 1)
         RETURNING txid",
    )
    .bind(ids::new(ids::EVENT))
    .bind(fixture.project())
    .bind(&trigger.id)
    .bind(NOW)
    .bind(i64::MAX)
    .fetch_one(&mut *late)
    .await
    .unwrap();
    let number: i64 = place.get(0);
    deliver_one_by_one(&fixture, &trigger, &["b", "c"]).await;
    let pull = pull_as(&fixture, "c");
    assert!(take(&fixture.store, &pull).await.is_empty(), "{number} may still come");
    late.commit().await.unwrap();
    let taken = take_all(&fixture.store, &pull, 3).await;
    assert_eq!(names(&taken), ["late", "b", "c"]);
    fixture.store.close().await;
}
