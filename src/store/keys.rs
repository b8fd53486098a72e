//! API keys. The key itself is never here, only its hash.

use hearken_engine::Micros;

use super::{Statement, Store, StoreError, model::ApiKey};

const COLUMNS: &str =
    "id, project_id, name, public_id, hash, admin, created_at, last_used_at, revoked_at";

impl Store {
    /// Adds a key.
    ///
    /// # Errors
    /// `Conflict` when its public id is taken or its project does not exist.
    pub async fn create_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        let statement = Statement::new("INSERT INTO api_keys (").then(COLUMNS).then(") VALUES");
        let added = self.write().run(statement.tuples([[
            (&key.id).into(),
            (&key.project_id).into(),
            (&key.name).into(),
            (&key.public_id).into(),
            (&key.hash).into(),
            key.admin.into(),
            key.created_at.into(),
            key.last_used_at.into(),
            key.revoked_at.into(),
        ]]));
        let explanation = "this key exists already, or its project does not exist";
        added.await.map(drop).map_err(|error| error.explained(explanation))
    }

    /// The key with this public part, in whatever project, revoked ones included.
    pub async fn key_by_public_id(&self, public_id: &str) -> Result<Option<ApiKey>, StoreError> {
        self.read().row(select().then(" WHERE public_id = $1").bind(public_id)).await
    }

    /// The keys of a project, oldest first, revoked ones included.
    pub async fn list_keys(&self, project: &str) -> Result<Vec<ApiKey>, StoreError> {
        self.read().rows(select().then(" WHERE project_id = $1 ORDER BY id").bind(project)).await
    }

    /// Revokes a key for good; returns it, or nothing where there is none. A second time changes
    /// nothing.
    pub async fn revoke_key(
        &self,
        project: &str,
        id: &str,
        now: Micros,
    ) -> Result<Option<ApiKey>, StoreError> {
        let statement = Statement::new(
            "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $3)
             WHERE project_id = $1 AND id = $2 RETURNING ",
        );
        self.write().row(statement.then(COLUMNS).bind(project).bind(id).bind(now)).await
    }

    /// Notes that a key was used. Not scoped: the caller has just looked the key up.
    pub async fn touch_key(&self, id: &str, now: Micros) -> Result<(), StoreError> {
        let statement = Statement::new("UPDATE api_keys SET last_used_at = $2 WHERE id = $1");
        self.write().run(statement.bind(id).bind(now)).await.map(drop)
    }
}

fn select() -> Statement {
    Statement::new("SELECT ").then(COLUMNS).then(" FROM api_keys")
}
