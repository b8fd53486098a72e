//! Provider apps. They belong to the server, not to a project; their credentials come and go
//! sealed.

use hearken_engine::Micros;
use serde_json::Value;

use super::{Page, Statement, Store, StoreError, model::ProviderApp};

const COLUMNS: &str = "id, app, name, credentials, previous_credentials, previous_until, metadata, \
    last_proof_at, created_at, updated_at";

/// What to change of a provider app; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct ProviderAppPatch {
    /// New name.
    pub name: Option<String>,
    /// New sealed credentials, and until when the former ones go on verifying.
    pub credentials: Option<(String, Micros)>,
    /// New metadata.
    pub metadata: Option<Value>,
}

impl Store {
    /// Adds a provider app.
    ///
    /// # Errors
    /// `Conflict` when its id is taken.
    pub async fn create_provider_app(&self, provider_app: &ProviderApp) -> Result<(), StoreError> {
        let statement = Statement::new("INSERT INTO provider_apps (").then(COLUMNS);
        let added = self.write().run(statement.then(") VALUES").tuples([[
            (&provider_app.id).into(),
            (&provider_app.app).into(),
            (&provider_app.name).into(),
            (&provider_app.credentials).into(),
            (&provider_app.previous_credentials).into(),
            provider_app.previous_until.into(),
            (&provider_app.metadata).into(),
            provider_app.last_proof_at.into(),
            provider_app.created_at.into(),
            provider_app.updated_at.into(),
        ]]));
        added.await.map(drop).map_err(|error| error.explained("this provider app exists already"))
    }

    /// One provider app.
    pub async fn provider_app(&self, id: &str) -> Result<Option<ProviderApp>, StoreError> {
        self.read().row(select().and("id = $", Some(id))).await
    }

    /// The provider apps of one app or of all.
    pub async fn list_provider_apps(
        &self,
        app: Option<&str>,
        page: &Page,
    ) -> Result<Vec<ProviderApp>, StoreError> {
        self.read().rows(select().and("app = $", app).page(page)).await
    }

    /// Changes a provider app; returns it as it is now.
    pub async fn update_provider_app(
        &self,
        id: &str,
        patch: &ProviderAppPatch,
        now: Micros,
    ) -> Result<Option<ProviderApp>, StoreError> {
        let (credentials, until) = patch.credentials.clone().unzip();
        let statement = Statement::new(
            "UPDATE provider_apps SET name = COALESCE($2, name),
                 metadata = COALESCE($3, metadata), credentials = COALESCE($4, credentials),
                 previous_credentials =
                     CASE WHEN $4 IS NULL THEN previous_credentials ELSE credentials END,
                 previous_until = COALESCE($5, previous_until), updated_at = $6
             WHERE id = $1 RETURNING ",
        );
        let statement = statement
            .then(COLUMNS)
            .bind(id)
            .bind(&patch.name)
            .bind(patch.metadata.as_ref().map(Value::to_string).as_deref())
            .bind(&credentials)
            .bind(until)
            .bind(now);
        self.write().row(statement).await
    }

    /// Deletes a provider app and the flows that were begun with it; returns whether there was
    /// one.
    ///
    /// # Errors
    /// `Conflict` while accounts are linked through it.
    pub async fn delete_provider_app(&self, id: &str) -> Result<bool, StoreError> {
        let mut transaction = self.write().begin().await?;
        let flows = Statement::new("DELETE FROM oauth_flows WHERE provider_app_id = $1");
        transaction.run(flows.bind(id)).await?;
        let deleted = Statement::new("DELETE FROM provider_apps WHERE id = $1 RETURNING id");
        let deleted = transaction.rows::<(String,)>(deleted.bind(id)).await.map_err(|error| {
            let explanation = "accounts are still linked through this provider app: delete them \
                first, in every project";
            StoreError::from(error).explained(explanation)
        })?;
        transaction.commit().await?;
        Ok(!deleted.is_empty())
    }
}

fn select() -> Statement {
    Statement::new("SELECT ").then(COLUMNS).then(" FROM provider_apps WHERE TRUE")
}
