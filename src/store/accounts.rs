//! Linked accounts. Their credentials come and go sealed.

use hearken_engine::Micros;
use serde_json::Value;

use super::{Page, Statement, Store, StoreError, model::LinkedAccount};

const COLUMNS: &str = "id, project_id, app, name, kind, credentials, metadata, status, status_reason, \
    provider_app_id, external_id, expires_at, renew_at, created_at, updated_at";

/// What to change of an account; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    /// New name.
    pub name: Option<String>,
    /// New sealed credentials.
    pub credentials: Option<String>,
    /// New metadata.
    pub metadata: Option<Value>,
    /// The provider's id of it.
    pub external_id: Option<String>,
    /// How long its new access token lasts.
    pub lifetime: Option<Lifetime>,
}

/// How long an access token lasts; neither is known where the provider does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lifetime {
    /// When it expires.
    pub expires_at: Option<Micros>,
    /// When it should be renewed.
    pub renew_at: Option<Micros>,
}

impl Store {
    /// Adds an account.
    ///
    /// # Errors
    /// `Conflict` when its id is taken or its project does not exist.
    pub async fn create_account(&self, account: &LinkedAccount) -> Result<(), StoreError> {
        let statement = Statement::new("INSERT INTO linked_accounts (").then(COLUMNS);
        let added = self.write().run(statement.then(") VALUES").tuples([[
            (&account.id).into(),
            (&account.project_id).into(),
            (&account.app).into(),
            (&account.name).into(),
            (&account.kind).into(),
            (&account.credentials).into(),
            (&account.metadata).into(),
            (&account.status).into(),
            (&account.status_reason).into(),
            (&account.provider_app_id).into(),
            (&account.external_id).into(),
            account.expires_at.into(),
            account.renew_at.into(),
            account.created_at.into(),
            account.updated_at.into(),
        ]]));
        let explanation = "this account exists already, or its project does not exist";
        added.await.map(drop).map_err(|error| error.explained(explanation))
    }

    /// One account of a project.
    pub async fn account(
        &self,
        project: &str,
        id: &str,
    ) -> Result<Option<LinkedAccount>, StoreError> {
        self.read().row(select(project).and("id = $", Some(id))).await
    }

    /// The accounts of a project, of one app or of all.
    pub async fn list_accounts(
        &self,
        project: &str,
        app: Option<&str>,
        page: &Page,
    ) -> Result<Vec<LinkedAccount>, StoreError> {
        self.read().rows(select(project).and("app = $", app).page(page)).await
    }

    /// Changes an account; returns it as it is now. New credentials make it and its triggers
    /// active again.
    pub async fn update_account(
        &self,
        project: &str,
        id: &str,
        patch: &AccountPatch,
        now: Micros,
    ) -> Result<Option<LinkedAccount>, StoreError> {
        let statement = Statement::new(
            "UPDATE linked_accounts SET name = COALESCE($3, name),
                 credentials = COALESCE($4, credentials), metadata = COALESCE($5, metadata),
                 external_id = COALESCE($6, external_id),
                 expires_at = CASE WHEN $7 THEN $8 ELSE expires_at END,
                 renew_at = CASE WHEN $7 THEN $9 ELSE renew_at END,
                 status = CASE WHEN $4 IS NULL THEN status ELSE 'active' END,
                 status_reason = CASE WHEN $4 IS NULL THEN status_reason END, updated_at = $10
             WHERE project_id = $1 AND id = $2 RETURNING ",
        );
        let statement = statement
            .then(COLUMNS)
            .bind(project)
            .bind(id)
            .bind(&patch.name)
            .bind(&patch.credentials)
            .bind(patch.metadata.as_ref().map(Value::to_string).as_deref())
            .bind(&patch.external_id)
            .bind(patch.lifetime.is_some())
            .bind(patch.lifetime.and_then(|lifetime| lifetime.expires_at))
            .bind(patch.lifetime.and_then(|lifetime| lifetime.renew_at))
            .bind(now);
        if patch.credentials.is_none() {
            return self.write().row(statement).await;
        }
        let mut transaction = self.write().begin().await?;
        let changed = transaction.rows(statement).await?.pop();
        let healed = Statement::new(
            "UPDATE triggers SET status = 'active', status_reason = NULL, updated_at = $3
             WHERE project_id = $1 AND linked_account_id = $2 AND status = 'needs_reconnect'",
        );
        transaction.run(healed.bind(project).bind(id).bind(now)).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Replaces credentials that were renewed, if they are still what `account` was read with: whoever renewed
    /// them too late overwrites nothing. Returns whether they were.
    pub async fn replace_tokens(
        &self,
        account: &LinkedAccount,
        credentials: &str,
        lifetime: Lifetime,
        now: Micros,
    ) -> Result<bool, StoreError> {
        let statement = Statement::new(
            "UPDATE linked_accounts SET credentials = $4, expires_at = $5, renew_at = $6,
                 updated_at = $7
             WHERE project_id = $1 AND id = $2 AND credentials = $3",
        );
        let statement = still(statement, account).bind(credentials);
        let statement = statement.bind(lifetime.expires_at).bind(lifetime.renew_at).bind(now);
        Ok(self.write().run(statement).await? > 0)
    }

    /// Marks an account, if its credentials are still those that the provider refused, and its
    /// active triggers. Returns whether they were.
    pub async fn account_needs_reconnect(
        &self,
        account: &LinkedAccount,
        reason: &str,
        now: Micros,
    ) -> Result<bool, StoreError> {
        let marked = Statement::new(
            "UPDATE linked_accounts SET status = 'needs_reconnect', status_reason = $4,
                 updated_at = $5
             WHERE project_id = $1 AND id = $2 AND credentials = $3 RETURNING id",
        );
        let marked = still(marked, account).bind(reason).bind(now);
        let mut transaction = self.write().begin().await?;
        if transaction.rows::<(String,)>(marked).await?.is_empty() {
            return Ok(false);
        }
        let triggers = Statement::new(
            "UPDATE triggers SET status = 'needs_reconnect', status_reason = $3, updated_at = $4
             WHERE project_id = $1 AND linked_account_id = $2 AND status = 'active'",
        );
        let triggers = triggers.bind(&account.project_id).bind(&account.id).bind(reason).bind(now);
        transaction.run(triggers).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Deletes an account; returns whether there was one.
    ///
    /// # Errors
    /// `Conflict` while triggers use it.
    pub async fn delete_account(&self, project: &str, id: &str) -> Result<bool, StoreError> {
        let statement =
            Statement::new("DELETE FROM linked_accounts WHERE project_id = $1 AND id = $2");
        let deleted = self.write().run(statement.bind(project).bind(id)).await;
        let explanation = "triggers still use this linked account: delete them first";
        deleted.map(|rows| rows > 0).map_err(|error| error.explained(explanation))
    }
}

/// Binds what names an account whose credentials are as they were read.
fn still(statement: Statement, account: &LinkedAccount) -> Statement {
    statement.bind(&account.project_id).bind(&account.id).bind(&account.credentials)
}

fn select(project: &str) -> Statement {
    let statement = Statement::new("SELECT ").then(COLUMNS);
    statement.then(" FROM linked_accounts WHERE project_id = $1").bind(project)
}
