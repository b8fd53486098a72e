//! Idempotency keys: a request that a client repeats under the same key is done once.

use hearken_engine::Micros;

use super::{Statement, Store, StoreError};

const MINUTE: Micros = 60_000_000;
/// How long an answer is given again.
const KEPT: Micros = 24 * 60 * MINUTE;
/// No request takes this long: one that has no answer by then died with its server.
const ABANDONED: Micros = 5 * MINUTE;

/// How a request under an idempotency key begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The first of its key: do it, then finish or abandon it.
    Fresh,
    /// Done before: give this answer again.
    Replay {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
    /// The first is still worked on.
    InProgress,
    /// The key was used for another request.
    Mismatch,
}

impl Store {
    /// Claims `key` for the request with this hash, unless it is taken.
    pub async fn begin_idempotent(
        &self,
        project: &str,
        key: &str,
        request_hash: &str,
        now: Micros,
    ) -> Result<Begun, StoreError> {
        let claim = Statement::new(
            "INSERT INTO idempotency_keys (project_id, key, request_hash, created_at)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (project_id, key) DO UPDATE
             SET request_hash = excluded.request_hash, created_at = excluded.created_at,
                 status = NULL, body = NULL
             WHERE idempotency_keys.created_at < $5
                OR (idempotency_keys.status IS NULL AND idempotency_keys.created_at < $6)",
        );
        let claim = claim.bind(project).bind(key).bind(request_hash).bind(now);
        if self.write().run(claim.bind(now - KEPT).bind(now - ABANDONED)).await? == 1 {
            return Ok(Begun::Fresh);
        }
        let taken = Statement::new(
            "SELECT request_hash, status, body FROM idempotency_keys
             WHERE project_id = $1 AND key = $2",
        );
        let taken: Option<(String, Option<i64>, Option<String>)> =
            self.write().row(taken.bind(project).bind(key)).await?;
        Ok(match taken {
            Some((hash, ..)) if hash != request_hash => Begun::Mismatch,
            Some((_, Some(status), body)) => Begun::Replay {
                status: u16::try_from(status)
                    .map_err(|_| StoreError::Corrupt(format!("{status} is no HTTP status")))?,
                body: body.unwrap_or_default(),
            },
            // Without a row, the first was abandoned just now.
            Some((_, None, _)) | None => Begun::InProgress,
        })
    }

    /// Keeps the answer to the request that began under `key`. It is stored as it is: nothing
    /// secret belongs in it.
    pub async fn finish_idempotent(
        &self,
        project: &str,
        key: &str,
        status: u16,
        body: &str,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "UPDATE idempotency_keys SET status = $3, body = $4
             WHERE project_id = $1 AND key = $2 AND status IS NULL",
        );
        let statement = statement.bind(project).bind(key).bind(i64::from(status)).bind(body);
        self.write().run(statement).await.map(drop)
    }

    /// Frees `key`: the request that began under it failed and may be tried again.
    pub async fn abandon_idempotent(&self, project: &str, key: &str) -> Result<(), StoreError> {
        let statement = Statement::new(
            "DELETE FROM idempotency_keys WHERE project_id = $1 AND key = $2 AND status IS NULL",
        );
        self.write().run(statement.bind(project).bind(key)).await.map(drop)
    }

    /// Deletes keys whose time is over, at most `limit`; returns how many. Not scoped.
    pub async fn delete_old_idempotency_keys(
        &self,
        now: Micros,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let statement = Statement::new(
            "DELETE FROM idempotency_keys WHERE (project_id, key) IN (
                 SELECT project_id, key FROM idempotency_keys WHERE created_at < $1
                 ORDER BY created_at LIMIT $2)",
        );
        self.write().run(statement.bind(now - KEPT).bind(i64::from(limit))).await
    }
}
