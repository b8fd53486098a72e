//! Idempotency keys.

use futures::future::join_all;
use hearken::store::Begun;

use crate::fixture::{DAY, Fixture, NOW};

const MINUTE: i64 = 60_000_000;

pub(crate) async fn the_answer_is_given_again(fixture: &Fixture) {
    let (store, project) = (&fixture.store, fixture.project());
    assert_eq!(begin(fixture, "k", "h", NOW).await, Begun::Fresh);
    assert_eq!(begin(fixture, "k", "h", NOW + 1).await, Begun::InProgress);
    store.finish_idempotent(project, "k", 201, "{\"id\":\"trg_1\"}").await.unwrap();
    let replay = Begun::Replay { status: 201, body: "{\"id\":\"trg_1\"}".to_owned() };
    assert_eq!(begin(fixture, "k", "h", NOW + 2).await, replay);
    store.abandon_idempotent(project, "k").await.unwrap();
    assert_eq!(begin(fixture, "k", "h", NOW + DAY).await, replay, "an answer cannot be abandoned");

    let other = fixture.add_project("other").await;
    let begun = store.begin_idempotent(&other.id, "k", "h", NOW + 3).await.unwrap();
    assert_eq!(begun, Begun::Fresh, "keys are the project's own");
}

pub(crate) async fn another_request_is_a_mismatch(fixture: &Fixture) {
    assert_eq!(begin(fixture, "k", "h1", NOW).await, Begun::Fresh);
    assert_eq!(begin(fixture, "k", "h2", NOW).await, Begun::Mismatch);
    fixture.store.finish_idempotent(fixture.project(), "k", 200, "").await.unwrap();
    assert_eq!(begin(fixture, "k", "h2", NOW).await, Begun::Mismatch);
}

pub(crate) async fn a_failed_request_frees_its_key(fixture: &Fixture) {
    assert_eq!(begin(fixture, "k", "h1", NOW).await, Begun::Fresh);
    fixture.store.abandon_idempotent(fixture.project(), "k").await.unwrap();
    assert_eq!(begin(fixture, "k", "h2", NOW).await, Begun::Fresh);
}

pub(crate) async fn old_keys_start_afresh(fixture: &Fixture) {
    let store = &fixture.store;
    assert_eq!(begin(fixture, "died", "h", NOW).await, Begun::Fresh);
    assert_eq!(begin(fixture, "died", "h", NOW + 5 * MINUTE).await, Begun::InProgress);
    assert_eq!(begin(fixture, "died", "h", NOW + 5 * MINUTE + 1).await, Begun::Fresh);

    assert_eq!(begin(fixture, "done", "h", NOW).await, Begun::Fresh);
    store.finish_idempotent(fixture.project(), "done", 200, "").await.unwrap();
    assert_eq!(begin(fixture, "done", "h2", NOW + DAY).await, Begun::Mismatch);
    assert_eq!(begin(fixture, "done", "h2", NOW + DAY + 1).await, Begun::Fresh);

    let later = NOW + 2 * DAY + 2;
    assert_eq!(store.delete_old_idempotency_keys(later, 1).await.unwrap(), 1);
    assert_eq!(store.delete_old_idempotency_keys(later, 9).await.unwrap(), 1);
}

pub(crate) async fn one_of_many_begins(fixture: &Fixture) {
    let other = fixture.replica().await;
    let begun = join_all((0..30).map(|number| {
        let store = if number % 2 == 0 { &fixture.store } else { &other };
        store.begin_idempotent(fixture.project(), "k", "h", NOW)
    }));
    let begun: Vec<_> = begun.await.into_iter().map(Result::unwrap).collect();
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::Fresh).count(), 1);
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::InProgress).count(), 29);
    other.close().await;
}

async fn begin(fixture: &Fixture, key: &str, hash: &str, now: i64) -> Begun {
    fixture.store.begin_idempotent(fixture.project(), key, hash, now).await.unwrap()
}
