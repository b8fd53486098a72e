//! Linked accounts. Their credentials come and go sealed.

use hearken_engine::Micros;
use serde_json::Value;

use super::{Page, Statement, Store, StoreError, model::LinkedAccount};

const COLUMNS: &str =
    "id, project_id, app, name, kind, credentials, metadata, status, created_at, updated_at";

/// What to change of an account; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    /// New name.
    pub name: Option<String>,
    /// New sealed credentials.
    pub credentials: Option<String>,
    /// New metadata.
    pub metadata: Option<Value>,
    /// New status.
    pub status: Option<String>,
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

    /// Changes an account; returns it as it is now.
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
                 status = COALESCE($6, status), updated_at = $7
             WHERE project_id = $1 AND id = $2 RETURNING ",
        );
        let statement = statement
            .then(COLUMNS)
            .bind(project)
            .bind(id)
            .bind(&patch.name)
            .bind(&patch.credentials)
            .bind(patch.metadata.as_ref().map(Value::to_string).as_deref())
            .bind(&patch.status)
            .bind(now);
        self.write().row(statement).await
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

fn select(project: &str) -> Statement {
    let statement = Statement::new("SELECT ").then(COLUMNS);
    statement.then(" FROM linked_accounts WHERE project_id = $1").bind(project)
}
