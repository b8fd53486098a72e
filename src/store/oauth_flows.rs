//! Authorisation flows between their start and the provider's call back. Each ends once.

use hearken_engine::Micros;

use super::{Statement, Store, StoreError, model::OAuthFlow};

const COLUMNS: &str = "state_hash, project_id, app, provider_app_id, account_id, name, metadata, \
    verifier, return_url, expires_at";

impl Store {
    /// Notes a flow that begins, and forgets those that nobody ended in time.
    ///
    /// # Errors
    /// `Conflict` when its provider app or project does not exist.
    pub async fn begin_oauth_flow(&self, flow: &OAuthFlow, now: Micros) -> Result<(), StoreError> {
        let over = Statement::new("DELETE FROM oauth_flows WHERE expires_at < $1").bind(now);
        self.write().run(over).await?;
        let statement = Statement::new("INSERT INTO oauth_flows (").then(COLUMNS);
        let added = self.write().run(statement.then(") VALUES").tuples([[
            (&flow.state_hash).into(),
            (&flow.project_id).into(),
            (&flow.app).into(),
            (&flow.provider_app_id).into(),
            (&flow.account_id).into(),
            (&flow.name).into(),
            (&flow.metadata).into(),
            (&flow.verifier).into(),
            (&flow.return_url).into(),
            flow.expires_at.into(),
        ]]));
        added.await.map(drop).map_err(|error| error.explained("this provider app does not exist"))
    }

    /// Takes the flow with this state, which nobody can take again; none where it is unknown,
    /// taken or over. Not scoped: whoever knows the state may end its flow.
    pub async fn take_oauth_flow(
        &self,
        state_hash: &str,
        now: Micros,
    ) -> Result<Option<OAuthFlow>, StoreError> {
        let statement = Statement::new("DELETE FROM oauth_flows WHERE state_hash = $1 RETURNING ");
        let flow: Option<OAuthFlow> =
            self.write().row(statement.then(COLUMNS).bind(state_hash)).await?;
        Ok(flow.filter(|flow| flow.expires_at > now))
    }
}
