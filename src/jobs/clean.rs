//! Deleting what has expired, a few rows at a time so that nobody waits for it.

use hearken_engine::Micros;

use crate::{context::Shared, store::StoreError};

const DAY: Micros = 24 * 60 * 60 * 1_000_000;
/// Batches of one kind in one run; the rest waits for the next.
const BATCHES: usize = 100;

/// What there is to delete.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Events,
    Receipts,
    IdempotencyKeys,
    Flows,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Events, Self::Receipts, Self::IdempotencyKeys, Self::Flows];

    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Receipts => "receipts",
            Self::IdempotencyKeys => "idempotency keys",
            Self::Flows => "sign-in flows",
        }
    }

    async fn delete(self, context: &Shared, now: Micros) -> Result<u64, StoreError> {
        let (store, limit) = (&context.store, context.config.jobs.clean_batch);
        match self {
            Self::Events => store.delete_expired_events(now, limit).await,
            Self::Receipts => {
                let kept = Micros::from(context.config.jobs.receipt_days) * DAY;
                store.delete_old_receipts(now - kept, limit).await
            }
            Self::IdempotencyKeys => store.delete_old_idempotency_keys(now, limit).await,
            Self::Flows => store.delete_expired_flows(now, limit).await,
        }
    }
}

/// Deletes what has expired by now; says how much it was.
pub(super) async fn clean(context: &Shared, now: Micros) -> Result<String, StoreError> {
    let mut told = Vec::new();
    for kind in Kind::ALL {
        let mut deleted = 0;
        for _ in 0..BATCHES {
            let batch = kind.delete(context, now).await?;
            deleted += batch;
            if batch < u64::from(context.config.jobs.clean_batch)
                || context.jobs.stop.is_cancelled()
            {
                break;
            }
        }
        metrics::counter!("hearken_rows_deleted_total", "what" => kind.name()).increment(deleted);
        told.push(format!("{}: {deleted}", kind.name()));
    }
    context.store.delete_old_leases().await?;
    Ok(told.join(", "))
}
