//! A store with a project, and makers of rows with sensible values.

use hearken::{
    ids,
    store::{
        Inbound, Recorded, Store,
        model::{LinkedAccount, NewEvent, Project, ProviderApp, Receipt, Trigger, Upkeep},
    },
};
use hearken_engine::Micros;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support::database::{self, Database};

/// 2026-11-24T10:00:00Z, when these tests take place.
pub(crate) const NOW: Micros = 1_795_514_400_000_000;
pub(crate) const DAY: Micros = 86_400_000_000;

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) project: Project,
    pub(crate) database: Database,
}

impl Fixture {
    pub(crate) async fn new(kind: &str) -> Self {
        let database = database::fresh(kind).await;
        let store = Store::open(database.url()).await.unwrap();
        let project = store.ensure_default_project("default").await.unwrap();
        Self { store, project, database }
    }

    pub(crate) fn project(&self) -> &str {
        &self.project.id
    }

    /// Another handle, as another replica would have.
    pub(crate) async fn replica(&self) -> Store {
        Store::open(self.database.url()).await.unwrap()
    }

    pub(crate) async fn add_project(&self, name: &str) -> Project {
        let project = Project {
            id: ids::new(ids::PROJECT),
            name: name.to_owned(),
            retention_days: 7,
            created_at: NOW,
        };
        self.store.create_project(&project).await.unwrap();
        project
    }

    /// Stores the trigger after `change` had its way with it.
    pub(crate) async fn add_trigger(&self, change: impl FnOnce(&mut Trigger)) -> Trigger {
        let mut trigger = trigger(self.project());
        change(&mut trigger);
        self.store.insert_trigger(&trigger).await.unwrap();
        trigger
    }

    pub(crate) async fn add_account(&self) -> LinkedAccount {
        let account = account(self.project());
        self.store.create_account(&account).await.unwrap();
        account
    }

    /// Stores one request for the trigger with one event per external id.
    pub(crate) async fn deliver(&self, trigger: &Trigger, external_ids: &[&str]) -> Recorded {
        let events = external_ids.iter().map(|id| event(id, json!({ "id": id }))).collect();
        self.store
            .record(Inbound { receipt: receipt(trigger), events, notice: None })
            .await
            .unwrap()
    }

    /// Runs SQL past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        if self.database.url().starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(self.database.url()).await.unwrap();
            sql.execute(&mut connection).await.unwrap();
        } else {
            let mut connection = PgConnection::connect(self.database.url()).await.unwrap();
            sql.execute(&mut connection).await.unwrap();
        }
    }
}

pub(crate) fn account(project: &str) -> LinkedAccount {
    LinkedAccount {
        id: ids::new(ids::ACCOUNT),
        project_id: project.to_owned(),
        app: "acme".to_owned(),
        name: "Acme of Ada".to_owned(),
        kind: "token".to_owned(),
        credentials: "v1.sealed".to_owned(),
        metadata: json!({ "domain": "ada.example" }),
        status: "active".to_owned(),
        status_reason: None,
        provider_app_id: None,
        external_id: None,
        expires_at: None,
        renew_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn provider_app() -> ProviderApp {
    ProviderApp {
        id: ids::new(ids::PROVIDER_APP),
        app: "acme".to_owned(),
        name: "our app".to_owned(),
        credentials: "v1.one".to_owned(),
        previous_credentials: None,
        previous_until: None,
        metadata: json!({}),
        last_proof_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn trigger(project: &str) -> Trigger {
    let id = ids::new(ids::TRIGGER);
    Trigger {
        project_id: project.to_owned(),
        app: "acme".to_owned(),
        linked_account_id: None,
        name: "ACME__ORDER".to_owned(),
        event_type: "acme.order".to_owned(),
        description: "orders".to_owned(),
        webhook_url: format!("https://hooks.example/acme/{id}"),
        external_id: None,
        secret: None,
        config: json!({ "shop": 1 }),
        filter: json!({}),
        state: Value::Null,
        status: "active".to_owned(),
        status_reason: None,
        definition_version: "0011223344556677".to_owned(),
        retention_days: None,
        last_proof_at: None,
        last_triggered_at: None,
        expires_at: None,
        created_at: NOW,
        subscription_owner: None,
        subscription_key: None,
        updated_at: NOW,
        upkeep: Upkeep::default(),
        id,
    }
}

pub(crate) fn receipt(trigger: &Trigger) -> Receipt {
    Receipt {
        provider_app_id: None,
        id: ids::new(ids::RECEIPT),
        project_id: Some(trigger.project_id.clone()),
        trigger_id: Some(trigger.id.clone()),
        app: trigger.app.clone(),
        method: "POST".to_owned(),
        headers: json!([["content-type", "application/json"]]),
        body: Some(b"{}".to_vec()),
        body_size: 2,
        outcome: "stored".to_owned(),
        reason: None,
        detail: json!({ "verified_by": "hmac-sha256" }),
        answered: 202,
        definition_version: Some(trigger.definition_version.clone()),
        received_at: NOW,
    }
}

pub(crate) fn event(external_id: &str, data: Value) -> NewEvent {
    NewEvent {
        id: ids::new(ids::EVENT),
        event_type: "acme.order".to_owned(),
        external_event_id: external_id.to_owned(),
        data,
        occurred_at: Some(NOW - 1),
        expires_at: NOW + 30 * DAY,
    }
}
