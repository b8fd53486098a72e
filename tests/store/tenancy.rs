//! No project sees or changes what another owns, whatever ids it knows.

use hearken::store::{
    AccountPatch, Bucket, EventFilter, Page, ReceiptFilter, Registered, Stats, StoreError,
    TriggerFilter, TriggerPatch,
};
use serde_json::Value;

use crate::fixture::{Fixture, NOW, trigger};

fn page() -> Page {
    Page { after: None, limit: 10 }
}

pub(crate) async fn anothers_accounts_are_out_of_reach(fixture: &Fixture) {
    let store = &fixture.store;
    let account = fixture.add_account().await;
    let other = &fixture.add_project("other").await.id;

    assert!(store.account(other, &account.id).await.unwrap().is_none());
    assert!(store.list_accounts(other, None, &page()).await.unwrap().is_empty());
    let patch = AccountPatch { name: Some("mine".to_owned()), ..AccountPatch::default() };
    assert!(store.update_account(other, &account.id, &patch, NOW).await.unwrap().is_none());
    assert!(!store.delete_account(other, &account.id).await.unwrap());

    let untouched = store.account(fixture.project(), &account.id).await.unwrap().unwrap();
    assert_eq!(untouched.name, account.name);
}

pub(crate) async fn anothers_triggers_are_out_of_reach(fixture: &Fixture) {
    let store = &fixture.store;
    let trigger = fixture.add_trigger(|_| {}).await;
    let other = &fixture.add_project("other").await.id;

    assert!(store.trigger(other, &trigger.id).await.unwrap().is_none());
    let search = TriggerFilter { search: Some("order".to_owned()), ..TriggerFilter::default() };
    assert!(store.list_triggers(other, &search, &page()).await.unwrap().is_empty());
    let patch = TriggerPatch { description: Some("mine".to_owned()), ..TriggerPatch::default() };
    assert!(store.update_trigger(other, &trigger.id, &patch, NOW).await.unwrap().is_none());
    assert!(store.set_status(other, &trigger.id, "paused", None, NOW).await.unwrap().is_none());
    assert!(store.set_registration(other, &trigger.id, &stolen(), NOW).await.unwrap().is_none());
    assert!(!store.delete_trigger(other, &trigger.id).await.unwrap());
    assert!(store.trigger_counts(other).await.unwrap().is_empty());

    let untouched = store.trigger(fixture.project(), &trigger.id).await.unwrap().unwrap();
    assert_eq!((&*untouched.description, &*untouched.status), ("orders", "active"));
    assert_eq!(untouched.external_id, None);
}

pub(crate) async fn anothers_events_are_out_of_reach(fixture: &Fixture) {
    let store = &fixture.store;
    let trigger = fixture.add_trigger(|_| {}).await;
    let id = fixture.deliver(&trigger, &["e1"]).await.stored.remove(0);
    let event = store.event(fixture.project(), &id).await.unwrap().expect("its owner sees it");
    let other = &fixture.add_project("other").await.id;

    assert!(store.event(other, &id).await.unwrap().is_none());
    assert!(store.mark_processed(other, &id, NOW).await.unwrap().is_none());
    let of_trigger = EventFilter { trigger: Some(trigger.id.clone()), ..EventFilter::default() };
    assert!(store.list_events(other, &of_trigger, &page()).await.unwrap().is_empty());
    let stats = store.stats(other, Some(&trigger.id), 0, Bucket::Day).await.unwrap();
    assert_eq!(stats, Stats::default());
    assert!(store.receipt(other, &event.receipt_id).await.unwrap().is_none());
    let of_trigger = ReceiptFilter { trigger: Some(trigger.id), outcome: None };
    assert!(store.list_receipts(other, &of_trigger, &page()).await.unwrap().is_empty());

    assert_eq!(store.event(fixture.project(), &id).await.unwrap().unwrap().status, "pending");
}

pub(crate) async fn a_trigger_cannot_use_anothers_account(fixture: &Fixture) {
    let account = fixture.add_account().await;
    let other = fixture.add_project("other").await;
    let mut thief = trigger(&other.id);
    thief.linked_account_id = Some(account.id);
    let refused = fixture.store.insert_trigger(&thief).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

fn stolen() -> Registered {
    Registered {
        external_id: Some("stolen".to_owned()),
        secret: None,
        state: Value::Null,
        expires_at: None,
        renew_at: None,
        cursor: None,
        look_at: None,
        status: "active".to_owned(),
        definition_version: String::new(),
    }
}
