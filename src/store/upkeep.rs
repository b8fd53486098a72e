//! What background tasks ask for: triggers that need attention, and rows whose time is over.
//! Nothing here is scoped to a project.

use hearken_engine::Micros;

use super::{Statement, Store, StoreError, model::Trigger, triggers};

impl Store {
    /// Active triggers whose subscription expires before `before`, the most urgent first.
    pub async fn expiring_triggers(
        &self,
        before: Micros,
        limit: u32,
    ) -> Result<Vec<Trigger>, StoreError> {
        self.read().rows(expiring_triggers(before, limit)).await
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

    /// Deletes receipts of requests received before `before`, at most `limit`; returns how many.
    pub async fn delete_old_receipts(&self, before: Micros, limit: u32) -> Result<u64, StoreError> {
        self.write().run(delete_old_receipts(before, limit)).await
    }
}

pub(super) fn expiring_triggers(before: Micros, limit: u32) -> Statement {
    triggers::select_all()
        .then("expires_at < $1 AND status = 'active' ORDER BY expires_at LIMIT $2")
        .bind(before)
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
