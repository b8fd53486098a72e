//! Provider apps, and the accounts that are linked through them.

use hearken::{
    ids,
    store::{AccountPatch, Lifetime, Page, ProviderAppPatch, StoreError, model::OAuthFlow},
};
use serde_json::json;

use crate::fixture::{DAY, Fixture, NOW, account, provider_app};

pub(crate) async fn they_change_and_rotate(fixture: &Fixture) {
    let store = &fixture.store;
    let made = provider_app();
    store.create_provider_app(&made).await.unwrap();
    let twin = store.create_provider_app(&made).await;
    assert!(matches!(twin, Err(StoreError::Conflict(_))));

    let patch = ProviderAppPatch {
        credentials: Some(("v1.two".to_owned(), NOW + DAY)),
        ..ProviderAppPatch::default()
    };
    let rotated = store.update_provider_app(&made.id, &patch, NOW + 1).await.unwrap().unwrap();
    assert_eq!(rotated.credentials, "v1.two");
    assert_eq!(rotated.previous_credentials.as_deref(), Some("v1.one"));
    assert_eq!((rotated.previous_until, rotated.updated_at), (Some(NOW + DAY), NOW + 1));

    let patch = ProviderAppPatch {
        name: Some("renamed".to_owned()),
        metadata: Some(json!({ "region": "eu" })),
        ..ProviderAppPatch::default()
    };
    let renamed = store.update_provider_app(&made.id, &patch, NOW + 2).await.unwrap().unwrap();
    assert_eq!((&*renamed.name, &renamed.metadata), ("renamed", &json!({ "region": "eu" })));
    assert_eq!(renamed.previous_credentials.as_deref(), Some("v1.one"), "what is not named stays");

    let page = Page { after: None, limit: 10 };
    let list = async |app| store.list_provider_apps(app, &page).await.unwrap().len();
    assert_eq!((list(None).await, list(Some("acme")).await, list(Some("none")).await), (1, 1, 0));
    assert!(store.provider_app("pap_none").await.unwrap().is_none());
}

pub(crate) async fn one_in_use_stays(fixture: &Fixture) {
    let (store, made) = (&fixture.store, provider_app());
    store.create_provider_app(&made).await.unwrap();
    let mut linked = account(&fixture.add_project("other").await.id);
    linked.provider_app_id = Some(made.id.clone());
    store.create_account(&linked).await.unwrap();
    let begun = flow(fixture, &made.id, "s1");
    store.begin_oauth_flow(&begun, NOW).await.unwrap();

    let refused = store.delete_provider_app(&made.id).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(text) if text.contains("still linked")));
    let page = Page { after: None, limit: 10 };
    assert_eq!(store.list_provider_apps(None, &page).await.unwrap().len(), 1);

    assert!(store.delete_account(&linked.project_id, &linked.id).await.unwrap());
    assert!(store.delete_provider_app(&made.id).await.unwrap(), "a begun flow does not hold it");
    assert!(!store.delete_provider_app(&made.id).await.unwrap(), "it is gone already");
    assert!(store.take_oauth_flow("s1", NOW).await.unwrap().is_none());
    let late = store.begin_oauth_flow(&begun, NOW).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))));
}

pub(crate) async fn flows_end_once(fixture: &Fixture) {
    let (store, made) = (&fixture.store, provider_app());
    store.create_provider_app(&made).await.unwrap();
    let begin = async |state: &str, expires_at| {
        let flow = OAuthFlow { expires_at, ..flow(fixture, &made.id, state) };
        store.begin_oauth_flow(&flow, NOW).await.unwrap();
    };
    begin("s1", NOW + 10).await;
    begin("late", NOW + 1).await;
    let replica = fixture.replica().await;
    let taken = futures::join!(
        store.take_oauth_flow("s1", NOW),
        replica.take_oauth_flow("s1", NOW),
        store.take_oauth_flow("s1", NOW),
    );
    let taken = [taken.0.unwrap(), taken.1.unwrap(), taken.2.unwrap()];
    assert_eq!(taken.iter().flatten().count(), 1);
    assert_eq!(taken.iter().flatten().next().unwrap().metadata, json!({ "shop": "a" }));
    assert!(store.take_oauth_flow("s1", NOW).await.unwrap().is_none());
    assert!(store.take_oauth_flow("late", NOW + 2).await.unwrap().is_none(), "too late");
    assert!(store.take_oauth_flow("unknown", NOW).await.unwrap().is_none());
    replica.close().await;
}

pub(crate) async fn renewed_tokens_replace_only_what_they_renew(fixture: &Fixture) {
    let (store, old) = (&fixture.store, fixture.add_account().await);
    let now = async || store.account(fixture.project(), &old.id).await.unwrap().unwrap();
    let lifetime = Lifetime { expires_at: Some(NOW + 9), renew_at: Some(NOW + 7) };
    assert!(store.replace_tokens(&old, "v1.new", lifetime, NOW + 1).await.unwrap());
    assert_eq!((&*now().await.credentials, now().await.expires_at), ("v1.new", Some(NOW + 9)));

    assert!(!store.replace_tokens(&old, "v1.slow", Lifetime::default(), NOW + 2).await.unwrap());
    assert!(!store.account_needs_reconnect(&old, "refused", NOW + 2).await.unwrap());
    assert_eq!((&*now().await.credentials, &*now().await.status), ("v1.new", "active"));

    let other = fixture.add_project("other").await.id;
    let stolen = hearken::store::model::LinkedAccount { project_id: other, ..now().await };
    assert!(
        !store.replace_tokens(&stolen, "v1.stolen", Lifetime::default(), NOW + 3).await.unwrap()
    );
    assert!(!store.account_needs_reconnect(&stolen, "stolen", NOW + 3).await.unwrap());
}

pub(crate) async fn a_refused_account_takes_its_triggers_along(fixture: &Fixture) {
    let (store, project) = (&fixture.store, fixture.project());
    let account = fixture.add_account().await;
    let mut ids = Vec::new();
    for status in ["active", "paused", "error"] {
        let trigger = fixture.add_trigger(|trigger| {
            trigger.linked_account_id = Some(account.id.clone());
            status.clone_into(&mut trigger.status);
        });
        ids.push(trigger.await.id);
    }
    let bystander = fixture.add_trigger(|_| {}).await.id;
    let statuses = async || {
        let mut found = Vec::new();
        for id in ids.iter().chain([&bystander]) {
            let trigger = store.trigger(project, id).await.unwrap().unwrap();
            found.push((trigger.status, trigger.status_reason));
        }
        found
    };
    let plain = |status: &str| (status.to_owned(), None);

    assert!(store.account_needs_reconnect(&account, "it was revoked", NOW + 1).await.unwrap());
    let marked = store.account(project, &account.id).await.unwrap().unwrap();
    assert_eq!(
        (&*marked.status, marked.status_reason.as_deref()),
        ("needs_reconnect", Some("it was revoked"))
    );
    let broken = ("needs_reconnect".to_owned(), Some("it was revoked".to_owned()));
    assert_eq!(statuses().await, [broken, plain("paused"), plain("error"), plain("active")]);

    let patch = AccountPatch { name: Some("renamed".to_owned()), ..AccountPatch::default() };
    let renamed =
        store.update_account(project, &account.id, &patch, NOW + 2).await.unwrap().unwrap();
    assert_eq!(renamed.status, "needs_reconnect", "a new name heals nothing");
    let patch = AccountPatch {
        credentials: Some("v1.new".to_owned()),
        external_id: Some("team-1".to_owned()),
        lifetime: Some(Lifetime { expires_at: Some(NOW + 9), renew_at: None }),
        ..AccountPatch::default()
    };
    let healed =
        store.update_account(project, &account.id, &patch, NOW + 3).await.unwrap().unwrap();
    assert_eq!((&*healed.status, healed.status_reason), ("active", None));
    assert_eq!((healed.external_id.as_deref(), healed.expires_at), (Some("team-1"), Some(NOW + 9)));
    assert_eq!(
        statuses().await,
        [plain("active"), plain("paused"), plain("error"), plain("active")]
    );
}

fn flow(fixture: &Fixture, provider_app: &str, state: &str) -> OAuthFlow {
    OAuthFlow {
        state_hash: state.to_owned(),
        project_id: fixture.project().to_owned(),
        app: "acme".to_owned(),
        provider_app_id: provider_app.to_owned(),
        account_id: Some(ids::new(ids::ACCOUNT)),
        name: "Ada".to_owned(),
        metadata: json!({ "shop": "a" }),
        verifier: "v1.verifier".to_owned(),
        return_url: Some("https://app.example/back".to_owned()),
        expires_at: NOW + 600_000_000,
    }
}
