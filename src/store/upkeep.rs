//! What background tasks ask for: triggers that need attention, and rows whose time is over.
//! Nothing here is scoped to a project.

use hearken_engine::Micros;
use serde_json::Value;

use super::{Statement, Store, StoreError, model::Trigger, triggers};

/// What renewing a subscription gave.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// The subscription's id at the provider.
    pub external_id: Option<String>,
    /// Sealed verification secret; as before where none.
    pub secret: Option<String>,
    /// What the script asked to keep.
    pub state: Value,
    /// When the subscription expires now.
    pub expires_at: Option<Micros>,
    /// When it is to be renewed next.
    pub renew_at: Option<Micros>,
    /// From where on the history is to be read, as JSON text; as before where none.
    pub cursor: Option<String>,
    /// Content hash of the definition that did it.
    pub definition_version: String,
}

impl Store {
    /// Ids of triggers whose subscription is to be renewed by now, the most urgent first.
    pub async fn due_renewals(&self, now: Micros, limit: u32) -> Result<Vec<String>, StoreError> {
        let ids: Vec<(String,)> = self.read().rows(due_renewals(now, limit)).await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// When the next subscription is to be renewed after `now`.
    pub async fn next_renewal(&self, now: Micros) -> Result<Option<Micros>, StoreError> {
        let statement = Statement::new("SELECT MIN(renew_at) FROM triggers WHERE renew_at > $1");
        let next: Option<(Option<Micros>,)> = self.read().row(statement.bind(now)).await?;
        Ok(next.and_then(|(at,)| at))
    }

    /// Notes a renewal, unless the lease it was done under was lost or the trigger is gone;
    /// returns whether it was noted. A trigger that waited for its account works again.
    pub async fn set_renewed(
        &self,
        id: &str,
        renewal: &Renewal,
        lease: (&str, i64),
        now: Micros,
    ) -> Result<bool, StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET external_id = $2, secret = COALESCE($3, secret), state = $4,
                 expires_at = $5, renew_at = $6, cursor = COALESCE($7, cursor), definition_version = $8,
                 updated_at = $9, renew_failures = 0, renew_error = NULL,
                 status = CASE WHEN status = 'needs_reconnect' THEN 'active' ELSE status END,
                 status_reason = CASE WHEN status = 'needs_reconnect' THEN NULL
                     ELSE status_reason END
             WHERE id = $1
                 AND EXISTS (SELECT 1 FROM leases WHERE name = $10 AND fence = $11)",
        );
        let statement = statement
            .bind(id)
            .bind(&renewal.external_id)
            .bind(&renewal.secret)
            .bind(&renewal.state)
            .bind(renewal.expires_at)
            .bind(renewal.renew_at)
            .bind(&renewal.cursor)
            .bind(&renewal.definition_version)
            .bind(now)
            .bind(lease.0)
            .bind(lease.1);
        Ok(self.write().run(statement).await? > 0)
    }

    /// Notes that a renewal failed and when to try again; never again, and the status `expired`,
    /// where `again` is none.
    pub async fn set_renewal_failed(
        &self,
        id: &str,
        error: &str,
        again: Option<Micros>,
        now: Micros,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET renew_failures = renew_failures + 1, renew_error = $2,
                 renew_at = $3, updated_at = $4,
                 status = CASE WHEN $5 THEN 'expired' ELSE status END,
                 status_reason = CASE WHEN $5 THEN $2 ELSE status_reason END
             WHERE id = $1",
        );
        let statement = statement.bind(id).bind(error).bind(again).bind(now);
        self.write().run(statement.bind(again.is_none())).await.map(drop)
    }

    /// Marks a trigger whose account the provider no longer accepts; one that is paused, or has
    /// ended otherwise, stays as it is. Not scoped.
    pub async fn set_needs_reconnect(
        &self,
        id: &str,
        reason: &str,
        now: Micros,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "UPDATE triggers SET status = 'needs_reconnect', status_reason = $2, updated_at = $3
             WHERE id = $1 AND status IN ('active', 'needs_reconnect')",
        );
        self.write().run(statement.bind(id).bind(reason).bind(now)).await.map(drop)
    }

    /// Triggers that began to register before `before` and never came to an end, oldest first.
    pub async fn abandoned_registrations(
        &self,
        before: Micros,
        limit: u32,
    ) -> Result<Vec<Trigger>, StoreError> {
        self.read().rows(abandoned_registrations(before, limit)).await
    }

    /// Deletes events whose retention is over, at most `limit`; returns how many.
    pub async fn delete_expired_events(&self, now: Micros, limit: u32) -> Result<u64, StoreError> {
        self.write().run(delete_expired_events(now, limit)).await
    }

    /// Deletes authorisation flows that nobody ended in time, at most `limit`; returns how many.
    pub async fn delete_expired_flows(&self, now: Micros, limit: u32) -> Result<u64, StoreError> {
        self.write().run(delete_expired_flows(now, limit)).await
    }

    /// Deletes receipts of requests received before `before`, at most `limit`; returns how many.
    pub async fn delete_old_receipts(&self, before: Micros, limit: u32) -> Result<u64, StoreError> {
        self.write().run(delete_old_receipts(before, limit)).await
    }
}

pub(super) fn delete_expired_flows(now: Micros, limit: u32) -> Statement {
    Statement::new(
        "DELETE FROM oauth_flows WHERE state_hash IN (
             SELECT state_hash FROM oauth_flows WHERE expires_at < $1
             ORDER BY expires_at LIMIT $2)",
    )
    .bind(now)
    .bind(i64::from(limit))
}

pub(super) fn due_renewals(now: Micros, limit: u32) -> Statement {
    Statement::new(
        "SELECT id FROM triggers
         WHERE renew_at <= $1 AND status IN ('active', 'paused', 'needs_reconnect')
         ORDER BY renew_at LIMIT $2",
    )
    .bind(now)
    .bind(i64::from(limit))
}

pub(super) fn abandoned_registrations(before: Micros, limit: u32) -> Statement {
    triggers::select_all()
        .then("status = 'registering' AND created_at < $1 ORDER BY created_at LIMIT $2")
        .bind(before)
        .bind(i64::from(limit))
}

pub(super) fn delete_expired_events(now: Micros, limit: u32) -> Statement {
    Statement::new(
        "DELETE FROM events WHERE id IN (
             SELECT id FROM events WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    )
    .bind(now)
    .bind(i64::from(limit))
}

pub(super) fn delete_old_receipts(before: Micros, limit: u32) -> Statement {
    Statement::new(
        "DELETE FROM receipts WHERE id IN (
             SELECT id FROM receipts WHERE received_at < $1 ORDER BY received_at LIMIT $2)",
    )
    .bind(before)
    .bind(i64::from(limit))
}
