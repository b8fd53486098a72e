//! Renewing access tokens. A provider may give each refresh token once only, and take a second
//! use for theft that ends the whole account: so of all tasks and replicas that find a token due,
//! one renews it, and what it was given is on disk before anybody uses it.
//!
//! First those of this process queue up, then one takes the lease of the account. Whoever gets
//! there reads again, and adopts what others have renewed meanwhile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hearken_engine::{App, Micros, definition::AuthKind};
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use super::{
    AccountError,
    credentials::{Credentials, account_place, of_account, seal},
    opened::open_provider_app,
    token::{Client, Grant, TokenError, Tokens, fill_in},
};
use crate::{
    clock,
    context::{Context, Shared},
    ids,
    store::{Lifetime, model::LinkedAccount},
};

const SECOND: Micros = 1_000_000;
/// A token that expires sooner is not relied on.
const MARGIN: Micros = 10 * SECOND;
/// A token is renewed at the latest this long before it expires, unless it lasts hardly longer.
const LATEST: Micros = 60 * SECOND;
/// Seconds a lease lasts beyond the longest a provider may take.
const LEASE_SPARE: u64 = 30;
/// How often another replica's renewal is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// Seconds after a failure in which no other attempt is made, unless the provider says.
const PAUSE: u64 = 2;
const LONGEST_PAUSE: u64 = 60;
/// How long an account that nobody renews is remembered.
const IDLE: Duration = Duration::from_mins(10);

/// The renewals of this process.
pub struct Renewals {
    turns: Cache<String, Arc<Mutex<()>>>,
    failures: Cache<String, Failure>,
}

#[derive(Clone)]
struct Failure {
    reason: String,
    until: Instant,
}

impl Default for Renewals {
    fn default() -> Self {
        Self {
            turns: Cache::builder().time_to_idle(IDLE).build(),
            failures: Cache::builder().time_to_live(IDLE).max_capacity(10_000).build(),
        }
    }
}

impl Renewals {
    async fn turn(&self, account: &str) -> Arc<Mutex<()>> {
        self.turns.get_with(account.to_owned(), async { Arc::default() }).await
    }

    async fn note(&self, account: &str, reason: &str, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        let failure = Failure { reason: reason.to_owned(), until };
        self.failures.insert(account.to_owned(), failure).await;
    }

    /// A failure that is too fresh to try again.
    async fn failed(&self, account: &str) -> Option<AccountError> {
        let Failure { reason, until } = self.failures.get(account).await?;
        let left = until.checked_duration_since(Instant::now())?;
        let id = account.to_owned();
        Some(AccountError::Unavailable { id, reason, retry_after: left.as_secs() + 1 })
    }
}

/// The account with a token to rely on: as it is, or renewed.
///
/// # Errors
/// When it must be connected again, or has no token to rely on and none can be had now.
pub async fn fresh(
    context: &Shared,
    app: &Arc<App>,
    account: LinkedAccount,
) -> Result<LinkedAccount, AccountError> {
    if account.kind != AuthKind::OAuth2.name() {
        return Ok(account);
    }
    refuse_if_broken(&account)?;
    let now = clock::now();
    if account.renew_at.is_none_or(|due| now < due) {
        return Ok(account);
    }
    match renew(context, app, account.clone()).await {
        Err(error @ AccountError::Unavailable { .. })
            if account.expires_at.is_some_and(|until| now + MARGIN < until) =>
        {
            warn!(account = %account.id, %error, "its present token goes on serving");
            Ok(account)
        }
        renewed => renewed,
    }
}

/// Renews the token of an account, unless it is another one already than the one in `used`. It is
/// done to its end even if the caller goes away: what a provider gave must not get lost.
pub async fn renew(
    context: &Shared,
    app: &Arc<App>,
    used: LinkedAccount,
) -> Result<LinkedAccount, AccountError> {
    let id = used.id.clone();
    let renewal = Renewal { context: context.clone(), app: app.clone(), used };
    tokio::spawn(async move { renewal.run().await }).await.unwrap_or_else(|failure| {
        error!(account = %id, %failure, "a renewal broke off; please report this");
        Err(AccountError::Unavailable { id, reason: "it broke off".to_owned(), retry_after: PAUSE })
    })
}

/// How long a token that was given now lasts, and when to renew it: at four fifths of its life,
/// give or take a tenth, so that accounts linked together are not renewed together.
pub fn lifetime(tokens: &Tokens, now: Micros) -> Lifetime {
    let Some(seconds) = tokens.lasts else {
        return Lifetime::default();
    };
    let life = seconds * SECOND;
    let due = life / 1000 * rand::random_range(720..=880);
    let latest = (life - LATEST).max(life / 2);
    Lifetime { expires_at: Some(now + life), renew_at: Some(now + due.min(latest)) }
}

/// The account's credentials with new tokens in them.
pub fn with_tokens(old: &Credentials, tokens: &Tokens) -> Map<String, Value> {
    let text = |secret: &SecretString| Value::from(secret.expose_secret());
    let mut all: Map<String, Value> =
        old.iter().map(|(name, secret)| (name.clone(), text(secret))).collect();
    all.insert("access_token".to_owned(), text(&tokens.access));
    if let Some(refresh) = &tokens.refresh {
        all.insert("refresh_token".to_owned(), text(refresh));
    }
    all
}

fn refuse_if_broken(account: &LinkedAccount) -> Result<(), AccountError> {
    if account.status != "needs_reconnect" {
        return Ok(());
    }
    let reason = account.status_reason.clone().unwrap_or_else(|| "it was refused".to_owned());
    Err(AccountError::NeedsReconnect { id: account.id.clone(), reason })
}

/// One account's renewal.
struct Renewal {
    context: Shared,
    app: Arc<App>,
    /// The account with the token that was found due, or refused.
    used: LinkedAccount,
}

impl Renewal {
    async fn run(&self) -> Result<LinkedAccount, AccountError> {
        let id = &self.used.id;
        let turn = self.context.renewals.turn(id).await;
        let _turn = turn.lock().await;
        if let Some(newer) = self.newer().await? {
            return Ok(newer);
        }
        if let Some(failure) = self.context.renewals.failed(id).await {
            return Err(failure);
        }
        let name = format!("account:{id}");
        let fence = match self.take_lease(&name).await? {
            Ok(fence) => fence,
            Err(newer) => return Ok(newer),
        };
        let renewed = self.under_lease().await;
        if let Err(error) = self.context.store.release_lease(&name, fence).await {
            warn!(account = %id, %error, "its lease is kept until it ends");
        }
        if let Err(AccountError::Unavailable { reason, retry_after, .. }) = &renewed {
            self.context.renewals.note(id, reason, *retry_after).await;
        }
        let outcome = match &renewed {
            Ok(_) => "renewed",
            Err(AccountError::NeedsReconnect { .. }) => "refused",
            Err(_) => "failed",
        };
        metrics::counter!("hearken_token_renewals_total",
            "app" => self.app.slug.clone(), "outcome" => outcome)
        .increment(1);
        renewed
    }

    /// The account as it is now, if its credentials are others than those that were used.
    async fn newer(&self) -> Result<Option<LinkedAccount>, AccountError> {
        let LinkedAccount { id, project_id, .. } = &self.used;
        let now = self.context.store.account(project_id, id).await?;
        let now = now.ok_or_else(|| AccountError::Gone(id.clone()))?;
        refuse_if_broken(&now)?;
        Ok(Some(now).filter(|now| now.credentials != self.used.credentials))
    }

    /// The fence of the lease, or the account as another replica has renewed it meanwhile.
    async fn take_lease(&self, name: &str) -> Result<Result<i64, LinkedAccount>, AccountError> {
        let holder = ids::new("hld");
        let seconds = self.context.config.limits.provider_seconds + LEASE_SPARE;
        let given_up = Instant::now() + Duration::from_secs(seconds);
        let lease = u32::try_from(seconds).unwrap_or(u32::MAX);
        loop {
            if let Some(fence) = self.context.store.acquire_lease(name, &holder, lease).await? {
                return Ok(Ok(fence));
            }
            if let Some(newer) = self.newer().await? {
                return Ok(Err(newer));
            }
            if Instant::now() > given_up {
                return Err(self.unavailable("another server is at it and does not end", None));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn under_lease(&self) -> Result<LinkedAccount, AccountError> {
        if let Some(newer) = self.newer().await? {
            return Ok(newer);
        }
        let credentials = of_account(&self.context.vault, &self.used)?;
        let Some(refresh) = credentials.get("refresh_token") else {
            let reason = "its access token is no longer good, and the provider gave none to renew \
                it with";
            return self.give_up(reason).await;
        };
        match self.exchange(refresh).await? {
            Ok(tokens) => self.keep(&credentials, &tokens).await,
            Err(TokenError::Grant(reason)) => self.give_up(&reason).await,
            Err(TokenError::Refused(reason)) => Err(self.unavailable(&reason, None)),
            Err(TokenError::Unavailable { reason, retry_after }) => {
                Err(self.unavailable(&reason, retry_after))
            }
        }
    }

    async fn exchange(
        &self,
        refresh: &SecretString,
    ) -> Result<Result<Tokens, TokenError>, AccountError> {
        let refused = |why: &str| Ok(Err(TokenError::Refused(why.to_owned())));
        let oauth2 = self.app.definition.auth.iter().find_map(|auth| auth.oauth2.as_ref());
        let Some(oauth2) = oauth2 else {
            return refused("the app no longer knows OAuth2");
        };
        let provider_app = match &self.used.provider_app_id {
            Some(id) => self.context.store.provider_app(id).await?,
            None => None,
        };
        let Some(provider_app) = provider_app else {
            return refused("it is not linked through a provider app");
        };
        let provider_app = open_provider_app(&self.context, &provider_app)?;
        let base_url = self.context.base_url(&self.app, &self.used.metadata);
        let url = match fill_in(&oauth2.token_url, &base_url, &self.used.metadata) {
            Ok(url) => url,
            Err(why) => return refused(&why),
        };
        let client = Client {
            oauth2,
            url,
            credentials: &provider_app.context.credentials,
            way_out: self.context.way_out(&self.app),
        };
        Ok(client.exchange(&Grant::Refresh(refresh)).await)
    }

    /// Makes new tokens durable, and only then lets them be used.
    async fn keep(
        &self,
        old: &Credentials,
        tokens: &Tokens,
    ) -> Result<LinkedAccount, AccountError> {
        let LinkedAccount { id, project_id, .. } = &self.used;
        let (store, now) = (&self.context.store, clock::now());
        let place = account_place(id, project_id);
        let sealed = seal(&self.context.vault, place, &with_tokens(old, tokens));
        let lifetime = lifetime(tokens, now);
        if !store.replace_tokens(&self.used, &sealed, lifetime, now).await? {
            // Somebody connected it anew, or deleted it, while the provider was asked.
            let newer = self.newer().await?;
            return newer.ok_or_else(|| self.unavailable("its row did not change", None));
        }
        info!(account = %id, app = %self.app.slug, "access token renewed");
        let Lifetime { expires_at, renew_at } = lifetime;
        Ok(LinkedAccount {
            credentials: sealed,
            expires_at,
            renew_at,
            updated_at: now,
            ..self.used.clone()
        })
    }

    /// Marks the account, unless another token was refused than it has now.
    async fn give_up(&self, reason: &str) -> Result<LinkedAccount, AccountError> {
        if let Some(newer) = self.newer().await? {
            return Ok(newer);
        }
        needs_reconnect(&self.context, &self.used, reason).await?;
        Err(AccountError::NeedsReconnect { id: self.used.id.clone(), reason: reason.to_owned() })
    }

    fn unavailable(&self, reason: &str, retry_after: Option<u64>) -> AccountError {
        AccountError::Unavailable {
            id: self.used.id.clone(),
            reason: reason.to_owned(),
            retry_after: retry_after.unwrap_or(PAUSE).clamp(1, LONGEST_PAUSE),
        }
    }
}

/// Marks an account whose credentials the provider refused for good, with its triggers, until it
/// is connected again; does nothing if it has got other credentials meanwhile.
pub async fn needs_reconnect(
    context: &Context,
    account: &LinkedAccount,
    reason: &str,
) -> Result<(), AccountError> {
    if context.store.account_needs_reconnect(account, reason, clock::now()).await? {
        warn!(account = %account.id, app = %account.app, reason,
            "a linked account must be connected again; its triggers wait for it");
        metrics::counter!("hearken_accounts_lost_total", "app" => account.app.clone()).increment(1);
    }
    Ok(())
}
