//! Triggers.

use hearken_engine::Micros;
use serde_json::Value;

use super::{
    Page, Statement, Store, StoreError,
    model::Trigger,
    statement::{Bind, storable},
};

const COLUMNS: &str = "id, project_id, app, linked_account_id, name, event_type, description, \
    webhook_url, external_id, secret, config, filter, state, status, status_reason, \
    definition_version, retention_days, last_proof_at, last_triggered_at, expires_at, created_at, \
    updated_at, subscription_owner, subscription_key";

/// How a trigger is looked after, read with it.
const UPKEEP: &str = ", cursor, renew_at, renew_failures, renew_error, look_at";

/// Which triggers to list; every condition given must hold.
#[derive(Debug, Clone, Default)]
pub struct TriggerFilter {
    /// App slug.
    pub app: Option<String>,
    /// Status.
    pub status: Option<String>,
    /// Trigger type, full name.
    pub name: Option<String>,
    /// Linked account's id.
    pub account: Option<String>,
    /// Text in its name, description or id, in upper or lower case.
    pub search: Option<String>,
}

/// What to change of a trigger; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct TriggerPatch {
    /// New description.
    pub description: Option<String>,
    /// New configuration.
    pub config: Option<Value>,
    /// New filter.
    pub filter: Option<Value>,
    /// New days its events are kept; `Some(None)` for the project's.
    pub retention_days: Option<Option<i64>>,
}

/// What became of registering, renewing or unregistering a trigger at its provider.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The subscription's id at the provider.
    pub external_id: Option<String>,
    /// Sealed verification secret, if the provider gave one; that of the row stays otherwise.
    pub secret: Option<String>,
    /// What the script asked to keep.
    pub state: Value,
    /// When the subscription expires.
    pub expires_at: Option<Micros>,
    /// When it is to be renewed.
    pub renew_at: Option<Micros>,
    /// From where on the provider's history is to be read, as JSON text; as before where none.
    pub cursor: Option<String>,
    /// When to look for what no notice told of; thin apps only.
    pub look_at: Option<Micros>,
    /// New status.
    pub status: String,
    /// Content hash of the definition that did it.
    pub definition_version: String,
}

impl Store {
    /// Adds a trigger.
    ///
    /// # Errors
    /// `Conflict` when its id is taken, or its project or account does not exist.
    pub async fn insert_trigger(&self, trigger: &Trigger) -> Result<(), StoreError> {
        let explanation = "this trigger exists already, or its linked account does not exist";
        let added = self.write().run(insert(trigger)).await;
        added.map(drop).map_err(|error| error.explained(explanation))
    }

    /// One trigger of a project.
    pub async fn trigger(&self, project: &str, id: &str) -> Result<Option<Trigger>, StoreError> {
        self.read().row(select(project).and("id = $", Some(id))).await
    }

    /// The trigger a webhook is addressed to, in whatever project: knowing its URL is the right
    /// to address it.
    pub async fn trigger_for_ingress(&self, id: &str) -> Result<Option<Trigger>, StoreError> {
        self.read().row(select_all().then("id = $1").bind(id)).await
    }

    /// The triggers, in whatever project, of the accounts that are linked through a provider app
    /// and have this id at the provider: a request at the provider app's URL is addressed to them.
    pub async fn triggers_behind(
        &self,
        provider_app: &str,
        account: &str,
    ) -> Result<Vec<Trigger>, StoreError> {
        self.read().rows(behind(provider_app, account)).await
    }

    /// The triggers, in whatever project, that share a subscription, oldest first.
    pub async fn sharers(&self, owner: &str, key: &str) -> Result<Vec<Trigger>, StoreError> {
        self.read().rows(sharing(owner, key)).await
    }

    /// The triggers of a project.
    pub async fn list_triggers(
        &self,
        project: &str,
        filter: &TriggerFilter,
        page: &Page,
    ) -> Result<Vec<Trigger>, StoreError> {
        self.read().rows(list(project, filter, page)).await
    }

    /// Changes what a user may change; returns the trigger as it is now.
    pub async fn update_trigger(
        &self,
        project: &str,
        id: &str,
        patch: &TriggerPatch,
        now: Micros,
    ) -> Result<Option<Trigger>, StoreError> {
        let json = |value: &Option<Value>| value.as_ref().map(Value::to_string);
        let statement = Statement::new(
            "UPDATE triggers SET description = COALESCE($3, description),
                 description_folded = COALESCE($4, description_folded),
                 config = COALESCE($5, config), filter = COALESCE($6, filter),
                 retention_days = CASE WHEN $7 THEN $8 ELSE retention_days END, updated_at = $9
             WHERE project_id = $1 AND id = $2 RETURNING ",
        );
        let statement = statement
            .then(COLUMNS)
            .then(UPKEEP)
            .bind(project)
            .bind(id)
            .bind(&patch.description)
            .bind(patch.description.as_deref().map(str::to_lowercase).as_deref())
            .bind(json(&patch.config).as_deref())
            .bind(json(&patch.filter).as_deref())
            .bind(patch.retention_days.is_some())
            .bind(patch.retention_days.flatten())
            .bind(now);
        self.write().row(statement).await
    }

    /// Notes what registering at the provider gave, all of it; returns the trigger as it is now.
    pub async fn set_registration(
        &self,
        project: &str,
        id: &str,
        registered: &Registered,
        now: Micros,
    ) -> Result<Option<Trigger>, StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET external_id = $3, secret = COALESCE($4, secret), state = $5,
                 expires_at = $6, status = $7, status_reason = NULL, definition_version = $8,
                 updated_at = $9, renew_at = $10, renew_failures = 0, renew_error = NULL,
                 cursor = COALESCE($11, cursor), look_at = $12
             WHERE project_id = $1 AND id = $2 RETURNING ",
        );
        let statement = statement
            .then(COLUMNS)
            .then(UPKEEP)
            .bind(project)
            .bind(id)
            .bind(&registered.external_id)
            .bind(&registered.secret)
            .bind(&registered.state)
            .bind(registered.expires_at)
            .bind(&registered.status)
            .bind(&registered.definition_version)
            .bind(now)
            .bind(registered.renew_at)
            .bind(&registered.cursor)
            .bind(registered.look_at);
        self.write().row(statement).await
    }

    /// Notes that a trigger lives by another subscription of the same owner.
    pub async fn set_subscription_key(
        &self,
        project: &str,
        id: &str,
        key: &str,
        now: Micros,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET subscription_key = $3, updated_at = $4
             WHERE project_id = $1 AND id = $2",
        );
        self.write().run(statement.bind(project).bind(id).bind(key).bind(now)).await.map(drop)
    }

    /// Keeps the sealed secret that a provider handed over, and returns whether it did: only if
    /// the trigger has none and, where `first_only`, nothing was verified yet; otherwise also in
    /// place of an older one while the trigger is being registered.
    pub async fn keep_secret(
        &self,
        project: &str,
        id: &str,
        sealed: &str,
        first_only: bool,
        now: Micros,
    ) -> Result<bool, StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET secret = $3, updated_at = $4
             WHERE project_id = $1 AND id = $2 AND CASE
                 WHEN $5 THEN secret IS NULL AND last_proof_at IS NULL
                 ELSE secret IS NULL OR status = 'registering' END",
        );
        let statement = statement.bind(project).bind(id).bind(sealed).bind(now).bind(first_only);
        Ok(self.write().run(statement).await? > 0)
    }

    /// Forgets a trigger's secret, so that the provider can hand over another.
    pub async fn clear_secret(
        &self,
        project: &str,
        id: &str,
        now: Micros,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET secret = NULL, updated_at = $3 WHERE project_id = $1 AND id = $2",
        );
        self.write().run(statement.bind(project).bind(id).bind(now)).await.map(drop)
    }

    /// Changes a trigger's status, and why it has it; returns the trigger as it is now. A thin
    /// app's trigger that becomes active is looked at soon, for what happened meanwhile.
    pub async fn set_status(
        &self,
        project: &str,
        id: &str,
        status: &str,
        reason: Option<&str>,
        now: Micros,
    ) -> Result<Option<Trigger>, StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET status = $3, status_reason = $4, updated_at = $5,
                 look_at = CASE WHEN $3 = 'active' AND look_at IS NOT NULL THEN $5
                     ELSE look_at END
             WHERE project_id = $1 AND id = $2 RETURNING ",
        );
        let statement = statement.then(COLUMNS).then(UPKEEP).bind(project).bind(id);
        self.write().row(statement.bind(status).bind(reason).bind(now)).await
    }

    /// Deletes a trigger; returns whether there was one. Its events and receipts stay until
    /// retention takes them, its notices until a job finds that they are about nothing.
    pub async fn delete_trigger(&self, project: &str, id: &str) -> Result<bool, StoreError> {
        let statement = Statement::new("DELETE FROM triggers WHERE project_id = $1 AND id = $2");
        Ok(self.write().run(statement.bind(project).bind(id)).await? > 0)
    }
}

pub(super) fn list(project: &str, filter: &TriggerFilter, page: &Page) -> Statement {
    select(project)
        .and("app = $", filter.app.as_deref())
        .and("status = $", filter.status.as_deref())
        .and("name = $", filter.name.as_deref())
        .and("linked_account_id = $", filter.account.as_deref())
        .and(
            "(lower(name) LIKE $ ESCAPE '\\' OR id LIKE $ ESCAPE '\\' \
             OR description_folded LIKE $ ESCAPE '\\')",
            filter.search.as_deref().map(containing).as_deref(),
        )
        .page(page)
}

pub(super) fn sharing(owner: &str, key: &str) -> Statement {
    let statement = select_all()
        .then("subscription_owner = $1 AND subscription_key = $2 ORDER BY id")
        .bind(owner);
    statement.bind(key)
}

pub(super) fn behind(provider_app: &str, account: &str) -> Statement {
    let statement = select_all().then(
        "(project_id, linked_account_id) IN (SELECT project_id, id FROM linked_accounts
             WHERE provider_app_id = $1 AND external_id = $2) ORDER BY id",
    );
    statement.bind(provider_app).bind(account)
}

/// All triggers of which something holds that follows, for upkeep: not scoped.
pub(super) fn select_all() -> Statement {
    Statement::new("SELECT ").then(COLUMNS).then(UPKEEP).then(" FROM triggers WHERE ")
}

fn select(project: &str) -> Statement {
    select_all().then("project_id = $1").bind(project)
}

/// A LIKE pattern for texts that contain `search`, in lower case.
fn containing(search: &str) -> String {
    let escaped = search.to_lowercase().replace('\\', "\\\\");
    format!("%{}%", escaped.replace('%', "\\%").replace('_', "\\_"))
}

fn insert(trigger: &Trigger) -> Statement {
    let values: [Bind; 25] = [
        (&trigger.id).into(),
        (&trigger.project_id).into(),
        (&trigger.app).into(),
        (&trigger.linked_account_id).into(),
        (&trigger.name).into(),
        (&trigger.event_type).into(),
        (&trigger.description).into(),
        (&trigger.webhook_url).into(),
        (&trigger.external_id).into(),
        (&trigger.secret).into(),
        (&trigger.config).into(),
        (&trigger.filter).into(),
        (&trigger.state).into(),
        (&trigger.status).into(),
        (&trigger.status_reason).into(),
        (&trigger.definition_version).into(),
        trigger.retention_days.into(),
        trigger.last_proof_at.into(),
        trigger.last_triggered_at.into(),
        trigger.expires_at.into(),
        trigger.created_at.into(),
        trigger.updated_at.into(),
        (&trigger.subscription_owner).into(),
        (&trigger.subscription_key).into(),
        Bind::Text(Some(storable(&trigger.description).to_lowercase())),
    ];
    let statement = Statement::new("INSERT INTO triggers (").then(COLUMNS);
    statement.then(", description_folded) VALUES").tuples([values])
}
