//! Deduplication: one event per trigger and external id, whoever sends it, however often.

use futures::future::join_all;
use hearken::store::{EventFilter, Inbound, Page, Recorded, Store, model::Trigger};
use serde_json::json;

use crate::fixture::{DAY, Fixture, NOW, event, receipt};

pub(crate) async fn a_key_is_stored_once(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let first = fixture.deliver(&trigger, &["e1"]).await;

    let again = receipt(&trigger);
    let inbound =
        Inbound { receipt: again.clone(), events: vec![event("e1", json!("other"))], notice: None };
    let second = fixture.store.record(inbound).await.unwrap();
    assert_eq!(second, Recorded { stored: Vec::new(), duplicates: first.stored.clone() });

    let kept = fixture.store.receipt(fixture.project(), &again.id).await.unwrap().unwrap();
    assert_eq!(kept.outcome, "duplicate");
    assert_eq!(kept.detail["duplicates"], json!(first.stored));
    assert_eq!(kept.detail.get("events"), None);
    let event = fixture.store.event(fixture.project(), &first.stored[0]).await.unwrap().unwrap();
    assert_eq!(event.data, json!({ "id": "e1" }), "the first one's data stays");
}

pub(crate) async fn a_race_has_one_winner(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let senders = (0..50).map(|_| send(&fixture.store, &trigger, &["same"]));
    let recorded = join_all(senders).await;
    let winners: Vec<_> = recorded.iter().flat_map(|r| &r.stored).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(events(fixture).await, 1);
    let told: Vec<_> = recorded.iter().flat_map(|r| &r.duplicates).collect();
    assert_eq!(told.len(), 49);
    assert!(told.iter().all(|id| *id == winners[0]), "everybody hears the winner's id");
}

pub(crate) async fn replicas_agree(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let replicas = [fixture.replica().await, fixture.replica().await, fixture.replica().await];
    let keys: Vec<String> = (0..40).map(|number| format!("e{number}")).collect();
    let senders = keys.iter().flat_map(|key| replicas.iter().map(move |store| (store, key)));
    let recorded =
        join_all(senders.map(|(store, key)| send(store, &trigger, std::slice::from_ref(key))))
            .await;
    let count = |of: fn(&Recorded) -> usize| recorded.iter().map(of).sum::<usize>();
    assert_eq!((count(|r| r.stored.len()), count(|r| r.duplicates.len())), (40, 80));
    assert_eq!(events(fixture).await, 40);
    for replica in replicas {
        replica.close().await;
    }
}

pub(crate) async fn replicas_do_not_deadlock(fixture: &Fixture) {
    let (one, two) = (fixture.add_trigger(|_| {}).await, fixture.add_trigger(|_| {}).await);
    let other = fixture.replica().await;
    for round in 0..20 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        // The same keys in opposite orders, and the triggers too.
        let (up, down) = ([a.as_str(), b.as_str()], [b.as_str(), a.as_str()]);
        let recorded = join_all([
            send(&fixture.store, &one, &up),
            send(&fixture.store, &two, &up),
            send(&other, &two, &down),
            send(&other, &one, &down),
        ])
        .await;
        assert_eq!(recorded.iter().map(|r| r.stored.len()).sum::<usize>(), 4);
    }
    other.close().await;
}

pub(crate) async fn a_partly_known_request_stores_the_rest(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let known = fixture.deliver(&trigger, &["b"]).await.stored;
    let receipt = receipt(&trigger);
    let events = ["a", "b", "c", "a"].map(|id| event(id, json!(id)));
    let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    let inbound = Inbound { receipt: receipt.clone(), events: events.into(), notice: None };
    let recorded = fixture.store.record(inbound).await.unwrap();
    assert_eq!(recorded.stored, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(recorded.duplicates, [known[0].clone(), ids[0].clone()], "twice in one request too");
    let kept = fixture.store.receipt(fixture.project(), &receipt.id).await.unwrap().unwrap();
    assert_eq!(kept.outcome, "stored");
}

pub(crate) async fn keys_are_per_trigger(fixture: &Fixture) {
    let (one, two) = (fixture.add_trigger(|_| {}).await, fixture.add_trigger(|_| {}).await);
    let recorded = futures::join!(
        send(&fixture.store, &one, &["same", "Same", "same "]),
        send(&fixture.store, &two, &["same"]),
    );
    assert_eq!((recorded.0.stored.len(), recorded.1.stored.len()), (3, 1));
}

pub(crate) async fn a_deleted_event_frees_its_key(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    fixture.deliver(&trigger, &["e1"]).await;
    assert_eq!(fixture.store.delete_expired_events(NOW + 31 * DAY, 10).await.unwrap(), 1);
    assert_eq!(fixture.deliver(&trigger, &["e1"]).await.stored.len(), 1);
}

async fn send(store: &Store, trigger: &Trigger, keys: &[impl AsRef<str>]) -> Recorded {
    let events = keys.iter().map(|key| event(key.as_ref(), json!(key.as_ref()))).collect();
    store.record(Inbound { receipt: receipt(trigger), events, notice: None }).await.unwrap()
}

async fn events(fixture: &Fixture) -> usize {
    let page = Page { after: None, limit: 1000 };
    let filter = EventFilter::default();
    fixture.store.list_events(fixture.project(), &filter, &page).await.unwrap().len()
}
