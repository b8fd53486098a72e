//! Triggers as the ingress sees them: ready to verify, map and filter without a database trip.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock, clock::DefaultClock};
use hearken_engine::{App, Filter, Recipient, TriggerContext};
use moka::future::Cache;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;

use super::{breaker::Breaker, shared::Door};
use crate::{
    accounts::{
        AccountError, Opened,
        opened::{self, verifying_secrets},
    },
    context::Context,
    ids,
    lifecycle::secret_place,
    store::{StoreError, model::Trigger},
};

/// How long a replica may go on with what it read before another changed it.
const FRESH: Duration = Duration::from_secs(1);
const CACHED: u64 = 100_000;
/// Receipts of requests that nothing vouched for kept per trigger and second, so that a stranger who knows a URL
/// cannot fill the disk; further ones are counted only.
const REJECTIONS_PER_SECOND: u32 = 20;
const REJECTIONS_BURST: u32 = 200;

/// A trigger, ready to receive.
pub struct Subscriber {
    /// Its row.
    pub trigger: Trigger,
    /// What the engine needs of it, secrets opened.
    pub context: TriggerContext,
    /// Its filter, compiled.
    pub filter: Filter,
    /// Days its events are kept.
    pub retention_days: i64,
}

/// All triggers as the ingress sees them, cached, with their rate limits.
pub struct Subscribers {
    cache: Cache<String, Arc<Subscriber>>,
    /// How often something was forgotten.
    changes: AtomicU64,
    doors: Cache<String, Arc<Door>>,
    /// The triggers behind a shared URL, by provider app and the provider's id of the account.
    behind: Cache<(String, String), Arc<[Arc<Subscriber>]>>,
    requests: DefaultKeyedRateLimiter<String>,
    rejections: DefaultKeyedRateLimiter<String>,
    turns: Arc<Semaphore>,
    pub(super) breaker: Breaker,
}

impl Subscribers {
    /// An empty cache that admits `per_second` requests a second to each trigger, and twice that
    /// in a burst.
    pub fn new(per_second: u32) -> Self {
        let quota = |rate: u32, burst: u32| {
            let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
            Quota::per_second(at_least_one(rate)).allow_burst(at_least_one(burst))
        };
        Self {
            cache: Cache::builder().time_to_live(FRESH).max_capacity(CACHED).build(),
            changes: AtomicU64::new(0),
            doors: Cache::builder().time_to_live(FRESH).max_capacity(CACHED).build(),
            behind: Cache::builder().time_to_live(FRESH).max_capacity(CACHED).build(),
            requests: RateLimiter::keyed(quota(per_second, per_second.saturating_mul(2))),
            rejections: RateLimiter::keyed(quota(REJECTIONS_PER_SECOND, REJECTIONS_BURST)),
            turns: Arc::new(Semaphore::new(
                available_parallelism().map_or(2, |cores| cores.get().max(2)),
            )),
            breaker: Breaker::default(),
        }
    }

    /// The trigger with this id, from the cache or the database.
    pub async fn find(
        &self,
        context: &Context,
        trigger_id: &str,
    ) -> Result<Option<Arc<Subscriber>>, StoreError> {
        if !ids::valid(ids::TRIGGER, trigger_id) {
            return Ok(None);
        }
        if let Some(known) = self.cache.get(trigger_id).await {
            return Ok(Some(known));
        }
        let changes = self.changes.load(Ordering::SeqCst);
        let Some(trigger) = context.store.trigger_for_ingress(trigger_id).await? else {
            return Ok(None);
        };
        let subscriber = Arc::new(Subscriber::prepare(context, trigger).await?);
        self.cache.insert(trigger_id.to_owned(), subscriber.clone()).await;
        if self.changes.load(Ordering::SeqCst) != changes {
            // It may have been read before the change and put back after it was forgotten.
            self.cache.invalidate(trigger_id).await;
        }
        Ok(Some(subscriber))
    }

    /// The shared URL of a provider app, from the cache or the database.
    pub async fn door(
        &self,
        context: &Context,
        app: &App,
        provider_app_id: &str,
    ) -> Result<Option<Arc<Door>>, StoreError> {
        if let Some(known) = self.doors.get(provider_app_id).await {
            return Ok(Some(known));
        }
        let row = context.store.provider_app(provider_app_id).await?;
        let Some(provider_app) = row.filter(|row| row.app == app.slug) else {
            return Ok(None);
        };
        let door = Arc::new(Door::prepare(context, app, provider_app));
        self.doors.insert(provider_app_id.to_owned(), door.clone()).await;
        Ok(Some(door))
    }

    /// The triggers of the accounts with this id at the provider that are linked through a
    /// provider app.
    pub(super) async fn behind(
        &self,
        context: &Context,
        provider_app: &str,
        account: &str,
    ) -> Result<Arc<[Arc<Subscriber>]>, StoreError> {
        let key = (provider_app.to_owned(), account.to_owned());
        if let Some(known) = self.behind.get(&key).await {
            return Ok(known);
        }
        let changes = self.changes.load(Ordering::SeqCst);
        let mut found = Vec::new();
        for trigger in context.store.triggers_behind(provider_app, account).await? {
            found.push(Arc::new(Subscriber::prepare(context, trigger).await?));
        }
        let found: Arc<[Arc<Subscriber>]> = found.into();
        // What was read while a trigger was made or changed would hide it from the next notice.
        if self.changes.load(Ordering::SeqCst) == changes {
            self.behind.insert(key, found.clone()).await;
        }
        Ok(found)
    }

    /// Forgets a trigger after it changed, so that the next request reads it afresh.
    pub async fn forget(&self, trigger_id: &str) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.cache.invalidate(trigger_id).await;
        self.behind.invalidate_all();
    }

    /// Forgets a provider app after it changed.
    pub async fn forget_provider_app(&self, id: &str) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.doors.invalidate(id).await;
        self.cache.invalidate_all();
        self.behind.invalidate_all();
    }

    /// Takes one request from the trigger's allowance, or says in how many seconds there is one.
    pub(super) fn admit(&self, trigger_id: &str) -> Result<(), u64> {
        self.requests.check_key(&trigger_id.to_owned()).map_err(|not_until| {
            not_until.wait_time_from(DefaultClock::default().now()).as_secs() + 1
        })
    }

    /// Whether one more request of this trigger that nothing vouched for is worth a receipt.
    pub(super) fn may_note_unverified(&self, trigger_id: &str) -> bool {
        self.rejections.check_key(&trigger_id.to_owned()).is_ok()
    }

    /// Waits for a turn to run a script.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// Forgets the allowances of triggers that have been quiet; called now and then.
    pub fn tidy(&self) {
        self.requests.retain_recent();
        self.rejections.retain_recent();
    }
}

impl Subscriber {
    async fn prepare(context: &Context, trigger: Trigger) -> Result<Self, StoreError> {
        let project = context.store.project(&trigger.project_id).await?;
        let retention_days = trigger
            .retention_days
            .or(project.map(|project| project.retention_days))
            .unwrap_or(crate::store::RETENTION_DAYS);
        let place = secret_place(&trigger);
        let own = trigger.secret.as_ref().and_then(|sealed| {
            let opened = context.vault.open(place, sealed);
            opened
                .inspect_err(
                    |error| error!(trigger = %trigger.id, %error, "a secret does not open"),
                )
                .ok()
        });
        let opened = match &trigger.linked_account_id {
            Some(id) => open_account(context, &trigger.project_id, id).await?,
            None => None,
        };
        let catalogue = context.catalogue.snapshot();
        let secrets = match catalogue.app(&trigger.app) {
            Some(app) => verifying_secrets(app, own, opened.as_ref()),
            None => Vec::new(),
        };
        let account = opened.as_ref().map(|opened| &opened.account);
        let context = TriggerContext {
            id: trigger.id.clone(),
            name: trigger.name.clone(),
            config: trigger.config.clone(),
            account_id: account.and_then(|account| account.id.clone()),
            account_metadata: account.map_or(Value::Null, |account| account.metadata.clone()),
            recipient: Recipient {
                url: trigger.webhook_url.clone(),
                secrets,
                facts: opened.as_ref().map_or(Value::Null, Opened::facts),
            },
        };
        // Filters are checked before they are stored, so this one compiles.
        let filter = Filter::compile(&trigger.filter).unwrap_or_else(|error| {
            error!(trigger = %trigger.id, %error, "a stored filter does not compile; it is left out");
            Filter::everything()
        });
        Ok(Self { trigger, context, filter, retention_days })
    }
}

/// A trigger's account, opened. What does not open is told and left out, so that requests are
/// refused for want of a secret.
async fn open_account(
    context: &Context,
    project: &str,
    id: &str,
) -> Result<Option<Opened>, StoreError> {
    let Some(row) = context.store.account(project, id).await? else {
        return Ok(None);
    };
    match opened::open(context, row).await {
        Ok(opened) => Ok(Some(opened)),
        Err(AccountError::Store(error)) => Err(error),
        Err(error) => {
            error!(account = %id, %error, "its credentials cannot be used");
            Ok(None)
        }
    }
}
