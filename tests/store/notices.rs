//! Notices, expansions and renewals: what is found is committed whole or not at all, and by one.

use futures::future::join_all;
use hearken::{
    ids,
    store::{
        Expansion, Inbound, Registered, Renewal, Store,
        model::{NewNotice, Trigger},
    },
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, NOW, event, receipt};

/// Stores one request that only says "look"; returns the notice's id.
async fn notice(store: &Store, trigger: &Trigger, at: i64) -> String {
    let mut receipt = receipt(trigger);
    "noticed".clone_into(&mut receipt.outcome);
    receipt.received_at = at;
    let id = ids::new(ids::NOTICE);
    let notice = NewNotice { id: id.clone(), document: Some("v1.sealed".to_owned()) };
    let inbound = Inbound { receipt, events: Vec::new(), notice: Some(notice) };
    store.record(inbound).await.unwrap();
    id
}

async fn lease(store: &Store, trigger: &Trigger) -> (String, i64) {
    let name = format!("trigger:{}", trigger.id);
    let fence = store.acquire_lease(&name, "one", 60).await.unwrap().unwrap();
    (name, fence)
}

/// An expansion that found these events.
fn expansion(
    trigger: &Trigger,
    lease: &(String, i64),
    cursors: (Option<&str>, &str),
    answered: &[String],
    external_ids: &[&str],
) -> Expansion {
    let mut receipt = receipt(trigger);
    receipt.received_at = NOW + 7;
    let events = external_ids.iter().map(|id| event(id, json!({ "id": id }))).collect();
    Expansion {
        lease: lease.clone(),
        trigger: trigger.id.clone(),
        from: cursors.0.map(str::to_owned),
        to: Some(cursors.1.to_owned()),
        look_at: NOW + 100,
        found: Some(Inbound { receipt, events, notice: None }),
        answered: answered.to_vec(),
    }
}

async fn read(fixture: &Fixture, trigger: &Trigger) -> Trigger {
    fixture.store.trigger_for_ingress(&trigger.id).await.unwrap().unwrap()
}

pub(crate) async fn a_notice_waits_until_it_is_answered(fixture: &Fixture) {
    let store = &fixture.store;
    let trigger = fixture.add_trigger(|_| {}).await;
    let first = notice(store, &trigger, NOW).await;
    let second = notice(store, &trigger, NOW + 1).await;
    assert_eq!(store.due_notices(NOW - 1, 10).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.next_notice(NOW - 1).await.unwrap(), Some(NOW));
    assert_eq!(store.due_notices(NOW + 1, 10).await.unwrap(), [&*trigger.id]);
    let waiting = store.notices_of(&trigger.id, NOW + 1, 10).await.unwrap();
    let found: Vec<_> = waiting.iter().map(|notice| notice.id.clone()).collect();
    assert_eq!(found, [first.clone(), second.clone()], "oldest first");
    assert_eq!(read(fixture, &trigger).await.last_proof_at, Some(NOW + 1));

    let lease = lease(store, &trigger).await;
    let both = [first, second];
    let done = expansion(&trigger, &lease, (None, "7"), &both, &["e1", "e2"]);
    let recorded = store.commit_expansion(done).await.unwrap().unwrap();
    assert_eq!(recorded.stored.len(), 2);
    assert_eq!(store.backlog(&trigger.id).await.unwrap().pending, 0);
    let now = read(fixture, &trigger).await;
    assert_eq!(now.upkeep.cursor.as_deref(), Some("7"));
    assert_eq!(now.upkeep.look_at, Some(NOW + 100));
    assert_eq!(now.last_proof_at, Some(NOW + 1), "asking proves nothing");
    assert_eq!(now.last_triggered_at, Some(NOW + 7));
}

pub(crate) async fn a_lost_lease_commits_nothing(fixture: &Fixture) {
    let store = &fixture.store;
    let trigger = fixture.add_trigger(|_| {}).await;
    let waiting = [notice(store, &trigger, NOW).await];
    let slow = lease(store, &trigger).await;
    assert_eq!(store.acquire_lease(&slow.0, "two", 60).await.unwrap(), None);
    store.release_lease(&slow.0, slow.1).await.unwrap();
    let fast = lease(store, &trigger).await;
    assert!(fast.1 > slow.1);

    let late = expansion(&trigger, &slow, (None, "7"), &waiting, &["e1"]);
    assert_eq!(store.commit_expansion(late).await.unwrap(), None);
    assert_eq!(store.backlog(&trigger.id).await.unwrap().pending, 1);
    assert_eq!(read(fixture, &trigger).await.upkeep.cursor, None);
    let done = expansion(&trigger, &fast, (None, "8"), &waiting, &["e1"]);
    assert_eq!(
        store.commit_expansion(done).await.unwrap().unwrap().stored.len(),
        1,
        "not there yet"
    );
}

pub(crate) async fn a_cursor_moves_from_where_it_stands(fixture: &Fixture) {
    let store = &fixture.store;
    let trigger = fixture.add_trigger(|_| {}).await;
    let lease = lease(store, &trigger).await;
    let moved = |from, to, id| expansion(&trigger, &lease, (from, to), &[], &[id]);
    assert!(store.commit_expansion(moved(None, "7", "e1")).await.unwrap().is_some());
    assert!(store.commit_expansion(moved(Some("7"), "9", "e2")).await.unwrap().is_some());
    for from in [None, Some("7"), Some("8")] {
        assert_eq!(store.commit_expansion(moved(from, "8", "e3")).await.unwrap(), None);
    }
    assert_eq!(read(fixture, &trigger).await.upkeep.cursor.as_deref(), Some("9"));

    let others = (0..8).map(|number| {
        let to = format!("1{number}");
        let lease = &lease;
        let trigger = &trigger;
        async move {
            let one = expansion(trigger, lease, (Some("9"), &to), &[], &[&to]);
            store.commit_expansion(one).await.unwrap().is_some()
        }
    });
    let won = join_all(others).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1, "of those who began at one place, one goes on");
}

pub(crate) async fn what_failed_waits_as_a_whole(fixture: &Fixture) {
    let store = &fixture.store;
    let trigger = fixture.add_trigger(|_| {}).await;
    let other = fixture.add_trigger(|_| {}).await;
    notice(store, &trigger, NOW).await;
    store.postpone_notices(&trigger.id, Some("it broke"), NOW + 50).await.unwrap();
    notice(store, &trigger, NOW + 1).await;
    notice(store, &other, NOW + 2).await;
    assert_eq!(store.due_notices(NOW + 49, 10).await.unwrap(), [other.id]);
    assert_eq!(store.due_notices(NOW + 50, 10).await.unwrap().len(), 2);
    let backlog = store.backlog(&trigger.id).await.unwrap();
    assert_eq!((backlog.pending, backlog.failures, backlog.next_at), (2, Some(1), Some(NOW + 50)));
    assert_eq!(backlog.error.as_deref(), Some("it broke"));

    store.drop_notices(&trigger.id, NOW + 60).await.unwrap();
    assert_eq!(store.backlog(&trigger.id).await.unwrap().pending, 0);
    assert_eq!(read(fixture, &trigger).await.upkeep.look_at, Some(NOW + 60));
}

/// Registers the trigger with these times.
async fn register(fixture: &Fixture, trigger: &Trigger, renew_at: i64, look_at: i64) {
    let registered = Registered {
        external_id: Some("old".to_owned()),
        secret: None,
        state: Value::Null,
        expires_at: Some(renew_at + 100),
        renew_at: Some(renew_at),
        cursor: Some("3".to_owned()),
        look_at: Some(look_at),
        status: trigger.status.clone(),
        definition_version: "v".to_owned(),
    };
    let set = fixture.store.set_registration(fixture.project(), &trigger.id, &registered, NOW);
    assert!(set.await.unwrap().is_some());
}

pub(crate) async fn quiet_triggers_are_looked_at_once(fixture: &Fixture) {
    let store = &fixture.store;
    let quiet = fixture.add_trigger(|_| {}).await;
    let noticed = fixture.add_trigger(|_| {}).await;
    let paused = fixture.add_trigger(|trigger| "paused".clone_into(&mut trigger.status)).await;
    for trigger in [&quiet, &noticed, &paused] {
        register(fixture, trigger, NOW + 900, NOW).await;
    }
    notice(store, &noticed, NOW).await;
    let replica = fixture.replica().await;
    let looks = [store, &replica, store].map(|store| store.make_looks(NOW, NOW + 600, 10));
    assert!(join_all(looks).await.into_iter().all(|looks| looks.is_ok()));
    let waiting = store.notices_of(&quiet.id, NOW, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((&waiting[0].document, &waiting[0].receipt_id), (&None, &None));
    assert_eq!(store.backlog(&noticed.id).await.unwrap().pending, 1, "its notice is enough");
    assert_eq!(store.backlog(&paused.id).await.unwrap().pending, 0);
    assert_eq!(store.make_looks(NOW + 1, NOW + 600, 10).await.unwrap(), 0);
    replica.close().await;
}

pub(crate) async fn renewals_are_due_and_noted(fixture: &Fixture) {
    let store = &fixture.store;
    let later = fixture.add_trigger(|_| {}).await;
    let sooner = fixture.add_trigger(|_| {}).await;
    let broken = fixture.add_trigger(|trigger| "error".clone_into(&mut trigger.status)).await;
    for (trigger, at) in [(&later, NOW + 2), (&sooner, NOW + 1), (&broken, NOW + 1)] {
        register(fixture, trigger, at, NOW).await;
    }
    assert_eq!(store.next_renewal(NOW).await.unwrap(), Some(NOW + 1));
    let due = store.due_renewals(NOW + 2, 10).await.unwrap();
    assert_eq!(due, [sooner.id.clone(), later.id.clone()]);
    assert_eq!(store.due_renewals(NOW + 2, 1).await.unwrap(), [&*sooner.id]);

    store.set_renewal_failed(&sooner.id, "it broke", Some(NOW + 9), NOW + 2).await.unwrap();
    let now = read(fixture, &sooner).await;
    assert_eq!((now.upkeep.renew_failures, now.status.as_str()), (1, "active"));
    assert_eq!(now.upkeep.renew_error.as_deref(), Some("it broke"));
    store.set_needs_reconnect(&sooner.id, "401", NOW + 3).await.unwrap();
    assert_eq!(read(fixture, &sooner).await.status, "needs_reconnect");

    let renewal = Renewal {
        external_id: Some("new".to_owned()),
        secret: None,
        state: json!(1),
        expires_at: Some(NOW + 500),
        renew_at: Some(NOW + 250),
        cursor: None,
        definition_version: "w".to_owned(),
    };
    let name = format!("renew:{}", sooner.id);
    let fence = store.acquire_lease(&name, "one", 60).await.unwrap().unwrap();
    assert!(!store.set_renewed(&sooner.id, &renewal, (&name, fence + 1), NOW + 4).await.unwrap());
    assert!(store.set_renewed(&sooner.id, &renewal, (&name, fence), NOW + 4).await.unwrap());
    let now = read(fixture, &sooner).await;
    assert_eq!((now.upkeep.renew_failures, now.upkeep.renew_at), (0, Some(NOW + 250)));
    assert_eq!((now.status.as_str(), now.external_id.as_deref()), ("active", Some("new")));
    assert_eq!(now.upkeep.cursor.as_deref(), Some("3"), "as it was");

    store.set_renewal_failed(&later.id, "no more", None, NOW + 5).await.unwrap();
    let now = read(fixture, &later).await;
    assert_eq!((now.status.as_str(), now.status_reason.as_deref()), ("expired", Some("no more")));
    assert_eq!(store.due_renewals(NOW + 900, 10).await.unwrap(), [sooner.id]);
}
