//! Notices that say "look", until what they are about was asked of the provider. Not scoped to a
//! project: a job works them off, and only that.

use hearken_engine::Micros;
use sqlx::FromRow;

use super::{
    Statement, Store, StoreError,
    error::Failure,
    model::Notice,
    record::{Entry, Inbound, Recorded, write},
};
use crate::ids;

/// How often an expansion that collided with another transaction is committed anew.
const ATTEMPTS: usize = 5;

/// What an expansion found, to be committed as one.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// The lease it was done under: name and fence.
    pub lease: (String, i64),
    /// The trigger.
    pub trigger: String,
    /// The cursor it began from, as it is stored.
    pub from: Option<String>,
    /// The new cursor, as JSON text; the old one stays where there is none.
    pub to: Option<String>,
    /// When to look again though no notice comes.
    pub look_at: Micros,
    /// The events, with the receipt that explains them.
    pub found: Option<Inbound>,
    /// Ids of the notices that are answered by it.
    pub answered: Vec<String>,
}

/// What waits to be expanded for a trigger.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Backlog {
    /// Notices that wait.
    pub pending: i64,
    /// How often expanding failed in a row.
    pub failures: Option<i64>,
    /// When it is tried next.
    pub next_at: Option<Micros>,
    /// Why it failed last.
    pub error: Option<String>,
}

impl Store {
    /// Ids of triggers with notices to be expanded by now, the longest waiting first. One whose
    /// expansion failed waits as a whole, however many notices come meanwhile.
    pub async fn due_notices(&self, now: Micros, limit: u32) -> Result<Vec<String>, StoreError> {
        let ids: Vec<(String,)> = self.read().rows(due_notices(now, limit)).await?;
        Ok(ids.into_iter().map(|(id,)| id).collect())
    }

    /// When the next notice is to be expanded after `now`.
    pub async fn next_notice(&self, now: Micros) -> Result<Option<Micros>, StoreError> {
        let statement = Statement::new("SELECT MIN(next_at) FROM notices WHERE next_at > $1");
        let next: Option<(Option<Micros>,)> = self.read().row(statement.bind(now)).await?;
        Ok(next.and_then(|(at,)| at))
    }

    /// A trigger's notices that are due by now, oldest first, at most `limit`.
    pub async fn notices_of(
        &self,
        trigger: &str,
        now: Micros,
        limit: u32,
    ) -> Result<Vec<Notice>, StoreError> {
        self.read().rows(notices_of(trigger, now, limit)).await
    }

    /// What waits to be expanded for a trigger.
    pub async fn backlog(&self, trigger: &str) -> Result<Backlog, StoreError> {
        let statement = Statement::new(
            "SELECT COUNT(*) AS pending, MAX(attempts) AS failures, MAX(next_at) AS next_at,
                 MAX(error) AS error
             FROM notices WHERE trigger_id = $1",
        );
        Ok(self.read().row(statement.bind(trigger)).await?.unwrap_or_default())
    }

    /// Puts a trigger's notices off until `next_at`: after a failure if `error` says so.
    pub async fn postpone_notices(
        &self,
        trigger: &str,
        error: Option<&str>,
        next_at: Micros,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "UPDATE notices SET next_at = $2, error = COALESCE($3, error),
                 attempts = attempts + CASE WHEN $3 IS NULL THEN 0 ELSE 1 END
             WHERE trigger_id = $1",
        );
        self.write().run(statement.bind(trigger).bind(next_at).bind(error)).await.map(drop)
    }

    /// Drops a trigger's notices, because it takes no events now or is gone. Should it take events
    /// again, it is looked at from `now` on.
    pub async fn drop_notices(&self, trigger: &str, now: Micros) -> Result<(), StoreError> {
        let look = Statement::new("UPDATE triggers SET look_at = $2 WHERE id = $1");
        self.write().run(look.bind(trigger).bind(now)).await?;
        let statement = Statement::new("DELETE FROM notices WHERE trigger_id = $1");
        self.write().run(statement.bind(trigger)).await.map(drop)
    }

    /// Makes a notice without a request for each trigger that was quiet for too long, and has it
    /// looked at again at `next_at` at the latest; returns how many there were.
    pub async fn make_looks(
        &self,
        now: Micros,
        next_at: Micros,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let quiet: Vec<(String, String)> = self.read().rows(due_looks(now, limit)).await?;
        let mut transaction = self.write().begin().await?;
        for (trigger, project) in &quiet {
            let look =
                Statement::new("UPDATE triggers SET look_at = $3 WHERE id = $1 AND look_at <= $2");
            if transaction.run(look.bind(trigger).bind(now).bind(next_at)).await? == 0 {
                continue;
            }
            let notice = Statement::new(
                "INSERT INTO notices (id, project_id, trigger_id, attempts, next_at, created_at)
                 SELECT $1, $2, $3, 0, $4, $4
                 WHERE NOT EXISTS (SELECT 1 FROM notices WHERE trigger_id = $3)",
            );
            let notice = notice.bind(&ids::new(ids::NOTICE)).bind(project).bind(trigger);
            transaction.run(notice.bind(now)).await?;
        }
        transaction.commit().await?;
        Ok(quiet.len() as u64)
    }

    /// Commits what an expansion found, the moved cursor and the answered notices together: all
    /// of it, or nothing and `None` where the lease was lost or the cursor moved meanwhile.
    pub async fn commit_expansion(
        &self,
        expansion: Expansion,
    ) -> Result<Option<Recorded>, StoreError> {
        let Expansion { found, .. } = &expansion;
        let entries: Vec<Entry> = found.iter().cloned().map(Entry::asked_for).collect();
        let entries: Vec<&Entry> = entries.iter().collect();
        let mut tries = 1;
        loop {
            match self.attempt_expansion(&expansion, &entries).await {
                Err(error) if Failure::of(&error) == Failure::Collision && tries < ATTEMPTS => {
                    tries += 1;
                }
                outcome => {
                    self.inner.news.send_replace(());
                    return Ok(outcome?);
                }
            }
        }
    }

    async fn attempt_expansion(
        &self,
        expansion: &Expansion,
        entries: &[&Entry],
    ) -> Result<Option<Recorded>, sqlx::Error> {
        let mut transaction = self.write().begin().await?;
        // Written, not only read: nobody can take the lease over before this is committed.
        let fence =
            Statement::new("UPDATE leases SET until = until WHERE name = $1 AND fence = $2");
        let (name, number) = &expansion.lease;
        if transaction.run(fence.bind(name).bind(*number)).await? == 0 {
            return Ok(None);
        }
        let recorded = write(&mut transaction, entries).await?.pop().unwrap_or_default();
        if transaction.run(move_cursor(expansion)).await? == 0 {
            return Ok(None);
        }
        for chunk in expansion.answered.chunks(256) {
            let ids = chunk.iter().map(|id| [id.into()]);
            let answered = Statement::new("DELETE FROM notices WHERE id IN (VALUES").tuples(ids);
            transaction.run(answered.then(")")).await?;
        }
        transaction.commit().await?;
        Ok(Some(recorded))
    }
}

/// The trigger's account evidently works, too.
fn move_cursor(expansion: &Expansion) -> Statement {
    Statement::new(
        "UPDATE triggers SET cursor = COALESCE($3, cursor), look_at = $4,
             status = CASE WHEN status = 'needs_reconnect' THEN 'active' ELSE status END,
             status_reason = CASE WHEN status = 'needs_reconnect' THEN NULL
                 ELSE status_reason END
         WHERE id = $1 AND cursor IS NOT DISTINCT FROM $2",
    )
    .bind(&expansion.trigger)
    .bind(&expansion.from)
    .bind(&expansion.to)
    .bind(expansion.look_at)
}

pub(super) fn due_notices(now: Micros, limit: u32) -> Statement {
    // Grouped by an expression, so that SQLite seeks what is due and then groups.
    Statement::new(
        "SELECT trigger_id || '' FROM notices WHERE next_at <= $1
             AND NOT EXISTS (SELECT 1 FROM notices later
                 WHERE later.trigger_id = notices.trigger_id AND later.next_at > $1)
         GROUP BY 1 ORDER BY MIN(next_at) LIMIT $2",
    )
    .bind(now)
    .bind(i64::from(limit))
}

pub(super) fn notices_of(trigger: &str, now: Micros, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, project_id, trigger_id, receipt_id, document, attempts FROM notices
         WHERE trigger_id = $1 AND next_at <= $2 ORDER BY created_at, id LIMIT $3",
    )
    .bind(trigger)
    .bind(now)
    .bind(i64::from(limit))
}

pub(super) fn due_looks(now: Micros, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, project_id FROM triggers
         WHERE look_at <= $1 AND status IN ('active', 'needs_reconnect')
         ORDER BY look_at LIMIT $2",
    )
    .bind(now)
    .bind(i64::from(limit))
}
