//! Holding a lease while something is done.

use std::{convert::Infallible, future::Future, time::Duration};

use tracing::warn;

use crate::{context::Shared, store::StoreError};

/// A lease of this replica.
pub(super) struct Lease<'c> {
    context: &'c Shared,
    pub(super) name: String,
    pub(super) fence: i64,
}

impl<'c> Lease<'c> {
    /// Takes a lease, unless somebody has it.
    pub(super) async fn take(
        context: &'c Shared,
        name: String,
    ) -> Result<Option<Self>, StoreError> {
        let seconds = context.config.jobs.lease_seconds;
        let fence = context.store.acquire_lease(&name, context.jobs.replica(), seconds).await?;
        Ok(fence.map(|fence| Self { context, name, fence }))
    }

    /// Does `work`, extending the lease for as long as that takes, then gives it up. A lease that
    /// is lost does not break the work off: what it commits names the fence, and will be refused.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let result = tokio::select! {
            result = work => result,
            never = self.extend() => match never {},
        };
        if let Err(error) = self.context.store.release_lease(&self.name, self.fence).await {
            warn!(lease = self.name, %error, "a lease cannot be given up; it runs out by itself");
        }
        result
    }

    async fn extend(&self) -> Infallible {
        let seconds = self.context.config.jobs.lease_seconds;
        let pause = Duration::from_secs(seconds.into()) / 3;
        loop {
            tokio::time::sleep(pause).await;
            match self.context.store.extend_lease(&self.name, self.fence, seconds).await {
                Ok(true) => {}
                Ok(false) => {
                    warn!(lease = self.name, "a lease was lost; what is done under it is in vain");
                    return std::future::pending().await;
                }
                Err(error) => warn!(lease = self.name, %error, "a lease cannot be extended"),
            }
        }
    }
}
