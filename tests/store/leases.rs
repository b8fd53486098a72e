//! Leases: one holder at a time, among many tasks and replicas, told apart by rising fences.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use futures::future::join_all;

use crate::fixture::Fixture;

pub(crate) async fn one_holds_at_a_time(fixture: &Fixture) {
    let (store, replica) = (&fixture.store, fixture.replica().await);
    let first = store.acquire_lease("a", "one", 60).await.unwrap().unwrap();
    assert_eq!(replica.acquire_lease("a", "two", 60).await.unwrap(), None);
    assert_eq!(store.acquire_lease("a", "one", 60).await.unwrap(), None, "nor its own holder");
    assert!(replica.acquire_lease("b", "two", 60).await.unwrap().is_some(), "another name");

    assert!(store.extend_lease("a", first, 60).await.unwrap());
    assert!(!store.extend_lease("a", first + 1, 60).await.unwrap());
    store.release_lease("a", first + 1).await.unwrap();
    assert_eq!(replica.acquire_lease("a", "two", 60).await.unwrap(), None, "not its to release");
    store.release_lease("a", first).await.unwrap();
    assert!(!store.extend_lease("a", first, 60).await.unwrap(), "it was given up");
    let second = replica.acquire_lease("a", "two", 60).await.unwrap().unwrap();
    assert!(second > first);
    replica.close().await;
}

pub(crate) async fn many_race_for_one(fixture: &Fixture) {
    let stores = [fixture.store.clone(), fixture.replica().await, fixture.replica().await];
    let (held, turns, last) = (AtomicBool::new(false), AtomicU32::new(0), AtomicI64::new(0));
    let contend = async |task: usize| {
        let store = &stores[task % stores.len()];
        for _ in 0..10 {
            let holder = format!("task {task}");
            let Some(fence) = store.acquire_lease("race", &holder, 60).await.unwrap() else {
                continue;
            };
            assert!(!held.swap(true, Ordering::SeqCst), "two hold it");
            let before = last.swap(fence, Ordering::SeqCst);
            assert!(before < fence, "{before} then {fence}");
            tokio::task::yield_now().await;
            turns.fetch_add(1, Ordering::SeqCst);
            held.store(false, Ordering::SeqCst);
            store.release_lease("race", fence).await.unwrap();
        }
    };
    join_all((0..16).map(contend)).await;
    assert!(turns.load(Ordering::SeqCst) > 0);
    let [_, one, two] = stores;
    one.close().await;
    two.close().await;
}

pub(crate) async fn an_ended_lease_is_taken_over(fixture: &Fixture) {
    let store = &fixture.store;
    let slow = store.acquire_lease("a", "slow", 60).await.unwrap().unwrap();
    fixture.execute("UPDATE leases SET until = until - 61000000").await;
    assert!(!store.extend_lease("a", slow, 60).await.unwrap(), "too late");
    let next = store.acquire_lease("a", "next", 60).await.unwrap().unwrap();
    assert!(next > slow);
    assert!(!store.extend_lease("a", slow, 60).await.unwrap());
    store.release_lease("a", slow).await.unwrap();
    assert_eq!(store.acquire_lease("a", "slow", 60).await.unwrap(), None, "it is the next one's");
    assert!(store.extend_lease("a", next, 60).await.unwrap());
}

pub(crate) async fn a_fence_never_returns(fixture: &Fixture) {
    let store = &fixture.store;
    let mut last = 0;
    for _ in 0..5 {
        let fence = store.acquire_lease("a", "one", 60).await.unwrap().unwrap();
        assert!(fence > last);
        last = fence;
        store.release_lease("a", fence).await.unwrap();
        assert_eq!(store.delete_old_leases().await.unwrap(), 0, "it has just ended");
    }
    fixture.execute("UPDATE leases SET until = until - 86401000000").await;
    assert_eq!(store.delete_old_leases().await.unwrap(), 1);
}
