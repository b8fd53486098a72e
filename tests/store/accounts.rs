//! Projects, keys and linked accounts.

use hearken::{
    ids,
    store::{
        AccountPatch, Page, StoreError,
        model::{ApiKey, Project},
    },
};
use serde_json::json;

use crate::fixture::{Fixture, NOW};

pub(crate) async fn projects_have_unique_names(fixture: &Fixture) {
    let store = &fixture.store;
    let again = store.ensure_default_project("default").await.unwrap();
    assert_eq!(again.id, fixture.project.id);
    assert_eq!(again.retention_days, hearken::store::RETENTION_DAYS);

    let other = fixture.add_project("other").await;
    let twin = Project { id: ids::new(ids::PROJECT), ..other.clone() };
    let error = store.create_project(&twin).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(text) if text.contains("named other")),
        "{error}"
    );

    let names: Vec<_> = store.list_projects().await.unwrap().into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["default", "other"]);
    assert_eq!(store.project(&other.id).await.unwrap().unwrap().retention_days, 7);
    assert!(store.project(&twin.id).await.unwrap().is_none());
}

pub(crate) async fn keys_are_found_and_revoked(fixture: &Fixture) {
    let (store, project) = (&fixture.store, fixture.project());
    let key = ApiKey {
        id: ids::new(ids::KEY),
        project_id: project.to_owned(),
        name: "ci".to_owned(),
        public_id: "abcd1234".to_owned(),
        hash: "00ff".to_owned(),
        admin: true,
        created_at: NOW,
        last_used_at: None,
        revoked_at: None,
    };
    store.create_key(&key).await.unwrap();
    let twin = ApiKey { id: ids::new(ids::KEY), ..key.clone() };
    assert!(matches!(store.create_key(&twin).await, Err(StoreError::Conflict(_))));

    store.touch_key(&key.id, NOW + 5).await.unwrap();
    let found = store.key_by_public_id("abcd1234").await.unwrap().unwrap();
    assert_eq!(
        (found.id.as_str(), found.admin, found.last_used_at),
        (&*key.id, true, Some(NOW + 5))
    );
    assert!(store.key_by_public_id("abcd123").await.unwrap().is_none());

    let revoked = store.revoke_key(project, &key.id, NOW + 6).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(NOW + 6));
    let again = store.revoke_key(project, &key.id, NOW + 7).await.unwrap().unwrap();
    assert_eq!(again.revoked_at, Some(NOW + 6), "the first time counts");
    assert_eq!(store.list_keys(project).await.unwrap().len(), 1);
}

pub(crate) async fn accounts_change(fixture: &Fixture) {
    let (store, project) = (&fixture.store, fixture.project());
    let account = fixture.add_account().await;
    let patch = AccountPatch {
        name: Some("renamed".to_owned()),
        metadata: Some(json!({ "domain": "b.example" })),
        ..AccountPatch::default()
    };
    let changed =
        store.update_account(project, &account.id, &patch, NOW + 1).await.unwrap().unwrap();
    assert_eq!((changed.name.as_str(), changed.updated_at), ("renamed", NOW + 1));
    assert_eq!(changed.metadata, json!({ "domain": "b.example" }));
    assert_eq!(changed.credentials, account.credentials, "what is not named stays");

    let page = Page { after: None, limit: 10 };
    let list = async |app| store.list_accounts(project, app, &page).await.unwrap().len();
    assert_eq!((list(None).await, list(Some("acme")).await, list(Some("none")).await), (1, 1, 0));
}

pub(crate) async fn an_account_in_use_stays(fixture: &Fixture) {
    let (store, project) = (&fixture.store, fixture.project());
    let account = fixture.add_account().await;
    let trigger =
        fixture.add_trigger(|trigger| trigger.linked_account_id = Some(account.id.clone())).await;

    let refused = store.delete_account(project, &account.id).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(text) if text.contains("triggers still use")));
    assert!(store.account(project, &account.id).await.unwrap().is_some());

    assert!(store.delete_trigger(project, &trigger.id).await.unwrap());
    assert!(store.delete_account(project, &account.id).await.unwrap());
    assert!(!store.delete_account(project, &account.id).await.unwrap(), "it is gone already");
}
