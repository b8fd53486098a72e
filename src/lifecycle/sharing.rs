//! Subscriptions that several triggers share, because the provider has one for all of them: the
//! first trigger registers it, the last one removes it.
//!
//! Which triggers share is the script's to say, by a key; whose they are is told by the owner, the
//! provider app where it has one URL for all accounts, and the linked account otherwise. Whoever
//! joins or leaves holds a lease meanwhile, so that no two are the first, or the last, at once.

use std::time::Duration;

use hearken_engine::App;
use tokio::time::sleep;
use tracing::warn;

use super::{Problem, call::Call};
use crate::{
    accounts::Opened,
    context::Context,
    store::{Registered, StoreError, model::Trigger},
};

/// Longest that a lease outlives its holder.
const LEASE_SECONDS: u32 = 60;
/// How often somebody else's lease is tried for, and the pause between.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(100);

/// What names a shared subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) owner: String,
    pub(super) key: String,
}

/// The right to join or leave a subscription.
pub(super) struct Held {
    name: Name,
    lease: String,
    fence: i64,
}

impl Name {
    /// The name of the subscription that a trigger with these calls shares, if it shares one.
    pub(super) fn of(call: &Call, account: Option<&Opened>) -> Result<Option<Self>, Problem> {
        let Some(owner) = account.map(|account| owner(&call.app, account)) else { return Ok(None) };
        let key = call.subscription_key().map_err(|error| {
            warn!(app = %call.app.slug, %error, "a script could not name a shared subscription");
            Problem::field("/config", format!("the app's script failed on it: {error}"))
        })?;
        Ok(key.map(|key| Self { owner, key }))
    }

    /// The name that was stored with a trigger.
    pub(super) fn stored(trigger: &Trigger) -> Option<Self> {
        let owner = trigger.subscription_owner.clone()?;
        Some(Self { owner, key: trigger.subscription_key.clone()? })
    }

    /// Waits until nobody else joins or leaves.
    pub(super) async fn hold(self, context: &Context, holder: &str) -> Result<Held, Problem> {
        let lease = lease_name(&self);
        for _ in 0..TRIES {
            let fence = context.store.acquire_lease(&lease, holder, LEASE_SECONDS).await?;
            if let Some(fence) = fence {
                return Ok(Held { name: self, lease, fence });
            }
            sleep(PAUSE).await;
        }
        Err(Problem::conflict("another trigger is changing the same subscription; try again soon"))
    }
}

impl Held {
    /// The subscription's key.
    pub(super) fn key(&self) -> &str {
        &self.name.key
    }

    /// The other triggers that live by this subscription.
    pub(super) async fn others(
        &self,
        context: &Context,
        trigger: &str,
    ) -> Result<Vec<Trigger>, StoreError> {
        let mut sharers = sharers(context, &self.name).await?;
        sharers.retain(|other| other.id != trigger);
        Ok(sharers)
    }

    /// Lets others in.
    pub(super) async fn release(self, context: &Context) {
        if let Err(error) = context.store.release_lease(&self.lease, self.fence).await {
            warn!(lease = self.lease, %error, "a lease stays until it ends by itself");
        }
    }
}

/// The triggers that live by the same subscription as this one, itself among them.
pub(crate) async fn sharers_of(
    context: &Context,
    trigger: &Trigger,
) -> Result<Vec<Trigger>, StoreError> {
    let Some(name) = Name::stored(trigger) else { return Ok(vec![trigger.clone()]) };
    let mut all = sharers(context, &name).await?;
    all.retain(|other| other.id != trigger.id);
    all.insert(0, trigger.clone());
    Ok(all)
}

/// What a trigger that joins takes over from one that is there.
pub(super) fn joined(first: &Trigger, app: &App) -> Registered {
    Registered {
        external_id: first.external_id.clone(),
        secret: None,
        state: first.state.clone(),
        expires_at: first.expires_at,
        renew_at: first.upkeep.renew_at,
        cursor: first.upkeep.cursor.clone(),
        look_at: first.upkeep.look_at,
        status: "active".to_owned(),
        definition_version: app.version.clone(),
    }
}

async fn sharers(context: &Context, name: &Name) -> Result<Vec<Trigger>, StoreError> {
    let mut sharers = context.store.sharers(&name.owner, &name.key).await?;
    let lives = |status: &str| matches!(status, "active" | "paused" | "needs_reconnect");
    sharers.retain(|trigger| lives(&trigger.status));
    Ok(sharers)
}

fn owner(app: &App, account: &Opened) -> String {
    let provider_app = account.row.provider_app_id.as_ref().filter(|_| app.has_shared_url());
    provider_app.unwrap_or(&account.row.id).clone()
}

fn lease_name(name: &Name) -> String {
    format!("subscription:{}:{}", name.owner, name.key)
}
