//! Events and receipts: listing, marking, retention, counts.

use std::collections::BTreeMap;

use hearken::store::{
    Bucket, EventFilter, Inbound, Page, ReceiptFilter, Stats,
    model::{Receipt, Trigger},
};
use serde_json::json;

use crate::fixture::{DAY, Fixture, NOW, event, receipt};

const HOUR: i64 = 3_600_000_000;

pub(crate) async fn lists_filter_events(fixture: &Fixture) {
    let one = fixture.add_trigger(|_| {}).await;
    let two = fixture.add_trigger(|trigger| "other".clone_into(&mut trigger.app)).await;
    let early = deliver_at(fixture, &one, "early", NOW - DAY).await;
    let late = deliver_at(fixture, &one, "late", NOW).await;
    let foreign = deliver_at(fixture, &two, "foreign", NOW).await;
    fixture.store.mark_processed(fixture.project(), &late, NOW).await.unwrap();

    let all = EventFilter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(listed(fixture, all()).await, [foreign.clone(), late.clone(), early.clone()]);
    let of_one = EventFilter { trigger: Some(one.id), ..all() };
    assert_eq!(listed(fixture, of_one).await, [late.clone(), early.clone()]);
    let of_app = EventFilter { app: text("other"), ..all() };
    assert_eq!(listed(fixture, of_app).await, std::slice::from_ref(&foreign));
    let processed = EventFilter { status: text("processed"), ..all() };
    assert_eq!(listed(fixture, processed).await, std::slice::from_ref(&late));
    let unknown = EventFilter { event_type: text("acme.refund"), ..all() };
    assert_eq!(listed(fixture, unknown).await, [""; 0]);
    let until = EventFilter { to: Some(NOW), ..all() };
    assert_eq!(listed(fixture, until).await, std::slice::from_ref(&early), "`to` is not included");
    let since = EventFilter { from: Some(NOW), ..all() };
    assert_eq!(listed(fixture, since).await, [foreign, late], "`from` is included");
}

pub(crate) async fn processed_once(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let id = fixture.deliver(&trigger, &["e1"]).await.stored.remove(0);
    let mark = async |at| {
        let marked =
            fixture.store.mark_processed(fixture.project(), &id, at).await.unwrap().unwrap();
        (marked.status, marked.processed_at)
    };
    let processed = ("processed".to_owned(), Some(NOW + 1));
    assert_eq!(mark(NOW + 1).await, processed);
    assert_eq!(mark(NOW + 2).await, processed);
    assert!(
        fixture.store.mark_processed(fixture.project(), "evt_none", NOW).await.unwrap().is_none()
    );
}

pub(crate) async fn expired_events_go(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let mut events = Vec::new();
    for days in 1..=4 {
        let mut event = event(&format!("e{days}"), json!(days));
        event.expires_at = NOW + days * DAY;
        events.push(event);
    }
    fixture
        .store
        .record(Inbound { receipt: receipt(&trigger), events, notice: None })
        .await
        .unwrap();
    let store = &fixture.store;
    assert_eq!(store.delete_expired_events(NOW + DAY, 10).await.unwrap(), 0, "not before its time");
    assert_eq!(store.delete_expired_events(NOW + 3 * DAY + 1, 2).await.unwrap(), 2, "the limit");
    assert_eq!(store.delete_expired_events(NOW + 3 * DAY + 1, 2).await.unwrap(), 1);
    assert_eq!(listed(fixture, EventFilter::default()).await.len(), 1);
}

pub(crate) async fn old_receipts_go(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    deliver_at(fixture, &trigger, "old", NOW - DAY).await;
    deliver_at(fixture, &trigger, "new", NOW).await;
    assert_eq!(fixture.store.delete_old_receipts(NOW, 10).await.unwrap(), 1);
    let page = Page { after: None, limit: 10 };
    let list = async |outcome: &str| -> Vec<Receipt> {
        let filter =
            ReceiptFilter { outcome: Some(outcome.to_owned()), ..ReceiptFilter::default() };
        fixture.store.list_receipts(fixture.project(), &filter, &page).await.unwrap()
    };
    let left = list("stored").await;
    assert_eq!((left.len(), left[0].received_at), (1, NOW));
    assert_eq!(left[0].body, None, "lists leave the bodies out");
    assert!(list("rejected").await.is_empty());
}

pub(crate) async fn stats_count_what_came(fixture: &Fixture) {
    let (one, two) = (fixture.add_trigger(|_| {}).await, fixture.add_trigger(|_| {}).await);
    deliver_at(fixture, &one, "too old", NOW - 2 * DAY).await;
    deliver_at(fixture, &one, "a", NOW - HOUR).await;
    let b = deliver_at(fixture, &one, "b", NOW + 1).await;
    deliver_at(fixture, &two, "c", NOW + 2).await;
    fixture.deliver(&two, &["c"]).await;
    fixture.store.mark_processed(fixture.project(), &b, NOW).await.unwrap();

    let stats = async |trigger, bucket| {
        fixture.store.stats(fixture.project(), trigger, NOW - DAY, bucket).await.unwrap()
    };
    let counts = |pairs: &[(&str, i64)]| pairs.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
    assert_eq!(
        stats(None, Bucket::Hour).await,
        Stats {
            events: counts(&[("pending", 2), ("processed", 1)]),
            receipts: counts(&[("duplicate", 1), ("stored", 3)]),
            timeline: BTreeMap::from([(NOW - HOUR, 1), (NOW, 2)]),
        }
    );
    let of_two = stats(Some(&two.id), Bucket::Day).await;
    assert_eq!(of_two.timeline, BTreeMap::from([(NOW - 10 * HOUR, 1)]), "days begin at midnight");
    assert_eq!(of_two.events, counts(&[("pending", 1)]));
}

async fn deliver_at(fixture: &Fixture, trigger: &Trigger, key: &str, at: i64) -> String {
    let mut receipt = receipt(trigger);
    receipt.received_at = at;
    let inbound = Inbound { receipt, events: vec![event(key, json!(key))], notice: None };
    fixture.store.record(inbound).await.unwrap().stored.remove(0)
}

async fn listed(fixture: &Fixture, filter: EventFilter) -> Vec<String> {
    let page = Page { after: None, limit: 10 };
    let found = fixture.store.list_events(fixture.project(), &filter, &page).await.unwrap();
    found.into_iter().map(|event| event.id).collect()
}
