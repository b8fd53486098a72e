//! Renewing subscriptions: again and again until it succeeds, or until the subscription expires.

use hearken_engine::Micros;
use tracing::{info, warn};

use super::{backoff, crew::Worked, lease::Lease};
use crate::{
    clock,
    context::Shared,
    lifecycle::{self, Failure},
    store::{StoreError, model::Trigger},
};

/// Renews a trigger's subscription, if it is still to be renewed.
pub(super) async fn work(context: &Shared, trigger: &str) -> Result<Worked, StoreError> {
    let Some(lease) = Lease::take(context, format!("renew:{trigger}")).await? else {
        return Ok(Worked::Taken);
    };
    lease.during(Box::pin(renew(context, trigger, &lease))).await
}

async fn renew(context: &Shared, id: &str, lease: &Lease<'_>) -> Result<Worked, StoreError> {
    let now = clock::now();
    let Some(trigger) = context.store.trigger_for_ingress(id).await? else {
        return Ok(Worked::Done);
    };
    if trigger.upkeep.renew_at.is_none_or(|at| at > now) {
        return Ok(Worked::Done);
    }
    // One that nobody tried to renew, because no server ran, has one chance yet.
    let expired = trigger.expires_at.is_some_and(|at| at <= now);
    if let Some(error) = trigger.upkeep.renew_error.as_ref().filter(|_| expired) {
        let reason = format!("the subscription expired and could not be renewed: {error}");
        return give_up(context, &trigger, &reason, now).await;
    }
    let renewed = match lifecycle::renew(context, &trigger).await {
        Ok(renewed) => renewed,
        Err(failure) if expired => {
            let reason =
                format!("the subscription expired and could not be renewed: {}", failure.reason);
            return give_up(context, &trigger, &reason, now).await;
        }
        Err(failure) => return put_off(context, &trigger, &failure).await,
    };
    let triggers = lifecycle::sharing::sharers_of(context, &trigger).await?;
    let noted =
        lifecycle::store_renewal(context, &triggers, renewed, (&lease.name, lease.fence)).await?;
    count(&triggers[0], if noted { "ok" } else { "lost" });
    info!(trigger = id, "subscription renewed");
    Ok(Worked::Done)
}

/// When a renewal that failed is tried again: later each time, at least twice more before the
/// subscription expires, and when the provider says so. What is due after the expiry is due at it.
fn again(context: &Shared, trigger: &Trigger, failure: &Failure, now: Micros) -> Micros {
    let settings = &context.config.jobs;
    let mut pause = backoff::micros(backoff::pause(settings, trigger.upkeep.renew_failures + 1));
    if let Some(expires_at) = trigger.expires_at {
        pause = pause.min(((expires_at - now) / 3).max(settings.backoff_seconds.micros() / 2));
    }
    let wanted = failure.retry_after.map_or(0, backoff::micros);
    let at = now.saturating_add(pause.max(wanted));
    trigger.expires_at.map_or(at, |expires_at| at.min(expires_at))
}

async fn put_off(
    context: &Shared,
    trigger: &Trigger,
    failure: &Failure,
) -> Result<Worked, StoreError> {
    count(trigger, "failed");
    let now = clock::now();
    warn!(trigger = %trigger.id, failures = trigger.upkeep.renew_failures + 1,
        reason = failure.reason, "a subscription could not be renewed; it is tried again");
    if failure.unauthorised {
        context.store.set_needs_reconnect(&trigger.id, &failure.reason, now).await?;
    }
    let again = again(context, trigger, failure, now);
    context.store.set_renewal_failed(&trigger.id, &failure.reason, Some(again), now).await?;
    Ok(Worked::Failed)
}

async fn give_up(
    context: &Shared,
    trigger: &Trigger,
    reason: &str,
    now: Micros,
) -> Result<Worked, StoreError> {
    count(trigger, "expired");
    warn!(trigger = %trigger.id, reason, "a subscription has expired");
    context.store.set_renewal_failed(&trigger.id, reason, None, now).await?;
    context.subscribers.forget(&trigger.id).await;
    Ok(Worked::Failed)
}

fn count(trigger: &Trigger, result: &'static str) {
    metrics::counter!("hearken_renewals_total", "app" => trigger.app.clone(), "result" => result)
        .increment(1);
}
