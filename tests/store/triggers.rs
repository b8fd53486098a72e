//! Triggers: listing, searching, changing, and what upkeep finds.

use hearken::store::{Page, Registered, TriggerCount, TriggerFilter, TriggerPatch, model::Trigger};
use serde_json::json;

use crate::fixture::{DAY, Fixture, NOW};

pub(crate) async fn lists_page_newest_first(fixture: &Fixture) {
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(fixture.add_trigger(|_| {}).await.id);
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut page = Page { after: None, limit: 3 };
    loop {
        let filter = TriggerFilter::default();
        let part = fixture.store.list_triggers(fixture.project(), &filter, &page).await.unwrap();
        assert!(part.len() <= 3);
        let Some(last) = part.last() else { break };
        page.after = Some(last.id.clone());
        seen.extend(part.into_iter().map(|trigger| trigger.id));
    }
    assert_eq!(seen, ids);
}

pub(crate) async fn lists_filter(fixture: &Fixture) {
    let account = fixture.add_account().await;
    let linked = fixture
        .add_trigger(|trigger| {
            trigger.linked_account_id = Some(account.id.clone());
            "ACME__REFUND".clone_into(&mut trigger.name);
        })
        .await;
    let paused = fixture.add_trigger(|trigger| "paused".clone_into(&mut trigger.status)).await;
    let foreign = fixture.add_trigger(|trigger| "other".clone_into(&mut trigger.app)).await;

    let by = |change: fn(&mut TriggerFilter, String), value: &str| {
        let mut filter = TriggerFilter::default();
        change(&mut filter, value.to_owned());
        filter
    };
    let account_filter = by(|f, v| f.account = Some(v), &account.id);
    assert_eq!(found(fixture, &account_filter).await, [linked.id.as_str()]);
    assert_eq!(found(fixture, &by(|f, v| f.name = Some(v), "ACME__REFUND")).await, [&*linked.id]);
    assert_eq!(found(fixture, &by(|f, v| f.status = Some(v), "paused")).await, [&*paused.id]);
    assert_eq!(found(fixture, &by(|f, v| f.app = Some(v), "other")).await, [&*foreign.id]);
    let both = TriggerFilter {
        app: Some("other".to_owned()),
        status: Some("paused".to_owned()),
        ..TriggerFilter::default()
    };
    assert!(found(fixture, &both).await.is_empty(), "every condition must hold");
}

pub(crate) async fn search_takes_wildcards_literally(fixture: &Fixture) {
    let percent = described(fixture, "all 100% of them").await;
    let underscore = described(fixture, "a_b").await;
    let backslash = described(fixture, r"C:\temp").await;
    described(fixture, "aXb, 100 of them").await;

    assert_eq!(search(fixture, "100%").await, [percent.id.as_str()]);
    assert_eq!(search(fixture, "A_B").await, [underscore.id.as_str()]);
    assert_eq!(search(fixture, r"c:\T").await, [backslash.id.as_str()]);
    assert_eq!(search(fixture, "%' OR 1=1 --").await, [""; 0]);
}

pub(crate) async fn search_ignores_case(fixture: &Fixture) {
    let trigger = described(fixture, "Bestellungen für ÄPFEL").await;
    let other = fixture.add_trigger(|trigger| "ACME__REFUND".clone_into(&mut trigger.name)).await;
    assert_eq!(search(fixture, "äpfel").await, [trigger.id.as_str()]);
    assert_eq!(search(fixture, "FÜR").await, [trigger.id.as_str()]);
    assert_eq!(search(fixture, "refund").await, [other.id.as_str()], "names are searched");
    assert_eq!(search(fixture, &other.id[6..]).await, [other.id.as_str()], "ids are searched");

    let patch = TriggerPatch { description: Some("BIRNEN".to_owned()), ..TriggerPatch::default() };
    let project = fixture.project();
    fixture.store.update_trigger(project, &trigger.id, &patch, NOW).await.unwrap();
    assert_eq!(search(fixture, "birnen").await, [trigger.id.as_str()]);
    assert!(search(fixture, "äpfel").await.is_empty(), "the old text is forgotten");
}

pub(crate) async fn patches_change_what_they_name(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|trigger| trigger.retention_days = Some(3)).await;
    let update = async |patch: TriggerPatch| {
        let (project, id) = (fixture.project(), &trigger.id);
        fixture.store.update_trigger(project, id, &patch, NOW + 9).await.unwrap().unwrap()
    };
    let filter = json!({ "path": "$.total", "gt": 9_007_199_254_740_993_i64 });
    let changed =
        update(TriggerPatch { filter: Some(filter.clone()), ..TriggerPatch::default() }).await;
    assert_eq!((changed.filter, changed.updated_at), (filter, NOW + 9));
    assert_eq!((changed.config, changed.retention_days), (trigger.config.clone(), Some(3)));

    let project_default = TriggerPatch { retention_days: Some(None), ..TriggerPatch::default() };
    assert_eq!(update(project_default).await.retention_days, None);
}

pub(crate) async fn registration_is_noted(fixture: &Fixture) {
    let trigger =
        fixture.add_trigger(|trigger| "registering".clone_into(&mut trigger.status)).await;
    let (store, project) = (&fixture.store, fixture.project());
    let failed = store.set_status(project, &trigger.id, "error", Some("refused\0"), NOW).await;
    let failed = failed.unwrap().unwrap();
    assert_eq!(failed.status, "error");
    assert_eq!(failed.status_reason.as_deref(), Some("refused\u{fffd}"));

    let registered = Registered {
        external_id: Some("42".to_owned()),
        secret: Some("v1.sealed".to_owned()),
        state: json!({ "cursor": "abc" }),
        expires_at: Some(NOW + DAY),
        renew_at: Some(NOW + 5),
        cursor: Some("[7]".to_owned()),
        look_at: Some(NOW + 6),
        status: "active".to_owned(),
        definition_version: "8899".to_owned(),
    };
    store.set_registration(project, &trigger.id, &registered, NOW + 1).await.unwrap();
    let now = store.trigger_for_ingress(&trigger.id).await.unwrap().unwrap();
    assert_eq!(
        (now.external_id.as_deref(), now.secret.as_deref()),
        (Some("42"), Some("v1.sealed"))
    );
    assert_eq!((now.status.as_str(), now.status_reason), ("active", None));
    assert_eq!((now.state, now.expires_at), (json!({ "cursor": "abc" }), Some(NOW + DAY)));
    let again = Registered { secret: None, ..registered };
    let now = store.set_registration(project, &trigger.id, &again, NOW + 2).await.unwrap().unwrap();
    assert_eq!(now.secret.as_deref(), Some("v1.sealed"), "a secret that is known stays");
}

pub(crate) async fn a_handed_over_secret_is_kept_once(fixture: &Fixture) {
    let (store, project) = (&fixture.store, fixture.project());
    let keep = async |trigger: &Trigger, sealed: &str, first_only| {
        let kept = store.keep_secret(project, &trigger.id, sealed, first_only, NOW).await.unwrap();
        let now = store.trigger(project, &trigger.id).await.unwrap().unwrap();
        (kept, now.secret.unwrap_or_default())
    };
    let of = |status: &'static str, secret: Option<&'static str>| {
        move |trigger: &mut Trigger| {
            status.clone_into(&mut trigger.status);
            trigger.secret = secret.map(str::to_owned);
        }
    };
    let registering = fixture.add_trigger(of("registering", Some("old"))).await;
    assert_eq!(keep(&registering, "first", true).await, (false, "old".to_owned()));
    assert_eq!(keep(&registering, "new", false).await, (true, "new".to_owned()));
    let active = fixture.add_trigger(of("active", Some("old"))).await;
    assert_eq!(keep(&active, "new", false).await, (false, "old".to_owned()));
    store.clear_secret(project, &active.id, NOW).await.unwrap();
    assert_eq!(keep(&active, "new", false).await, (true, "new".to_owned()));
    let bare = fixture.add_trigger(of("active", None)).await;
    assert_eq!(keep(&bare, "first", true).await, (true, "first".to_owned()));
    assert_eq!(keep(&bare, "second", true).await, (false, "first".to_owned()));
    let proven = fixture
        .add_trigger(|trigger| {
            of("active", None)(trigger);
            trigger.last_proof_at = Some(NOW);
        })
        .await;
    assert_eq!(keep(&proven, "late", true).await, (false, String::new()));
    let elsewhere = store.keep_secret("prj_other", &proven.id, "x", false, NOW).await.unwrap();
    assert!(!elsewhere, "another project's trigger is not touched");
}

pub(crate) async fn upkeep_finds_its_triggers(fixture: &Fixture) {
    let at = |time, status: &'static str| {
        move |trigger: &mut Trigger| {
            trigger.created_at = time;
            status.clone_into(&mut trigger.status);
        }
    };
    fixture.add_trigger(at(NOW + 2, "active")).await;
    let stuck = fixture.add_trigger(at(NOW + 1, "registering")).await;
    fixture.add_trigger(at(NOW + 3, "registering")).await;

    let ids = |found: Vec<Trigger>| found.into_iter().map(|t| t.id).collect::<Vec<_>>();
    let store = &fixture.store;
    assert_eq!(ids(store.abandoned_registrations(NOW + 3, 10).await.unwrap()), [stuck.id]);
}

pub(crate) async fn counts_by_app_and_status(fixture: &Fixture) {
    fixture.add_trigger(|_| {}).await;
    fixture.add_trigger(|_| {}).await;
    fixture.add_trigger(|trigger| "error".clone_into(&mut trigger.status)).await;
    let count = |status: &str, count| TriggerCount {
        app: "acme".to_owned(),
        status: status.to_owned(),
        count,
    };
    let counts = fixture.store.trigger_counts(fixture.project()).await.unwrap();
    assert_eq!(counts, [count("active", 2), count("error", 1)]);
}

pub(crate) async fn a_deleted_trigger_leaves_its_history(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let event = fixture.deliver(&trigger, &["e1"]).await.stored.remove(0);
    assert!(fixture.store.delete_trigger(fixture.project(), &trigger.id).await.unwrap());
    assert!(fixture.store.trigger_for_ingress(&trigger.id).await.unwrap().is_none());
    let event = fixture.store.event(fixture.project(), &event).await.unwrap().unwrap();
    assert_eq!((event.trigger_id, event.app.as_str()), (trigger.id, "acme"));
}

async fn described(fixture: &Fixture, description: &str) -> Trigger {
    fixture.add_trigger(|trigger| description.clone_into(&mut trigger.description)).await
}

async fn search(fixture: &Fixture, text: &str) -> Vec<String> {
    let filter = TriggerFilter { search: Some(text.to_owned()), ..TriggerFilter::default() };
    found(fixture, &filter).await
}

async fn found(fixture: &Fixture, filter: &TriggerFilter) -> Vec<String> {
    let page = Page { after: None, limit: 10 };
    let found = fixture.store.list_triggers(fixture.project(), filter, &page).await.unwrap();
    found.into_iter().map(|trigger| trigger.id).collect()
}
