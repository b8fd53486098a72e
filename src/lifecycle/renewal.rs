//! Renewing subscriptions that expire, or making them anew where the provider lost them.

use std::sync::Arc;

use hearken_engine::{App, LifecycleError, Micros, Registration, SubscriptionStatus};
use tracing::{info, warn};

use super::{Failure, call::Call, change::forget_handed_over, refusal::gone, secret_place};
use crate::{
    clock,
    context::{Context, Shared},
    store::{Renewal, StoreError, model::Trigger},
};

/// A subscription that lives on at the provider, not yet stored.
pub(crate) struct Renewed {
    app: Arc<App>,
    registration: Registration,
    /// For undoing it, if nobody is left to note it for.
    call: Call,
    /// Made anew, beside the old one if that is still there.
    anew: bool,
}

/// When a subscription is to be renewed: when the script says, or at half its lifetime; the script
/// may ask for it oftener.
pub(super) fn due(registration: &Registration, now: Micros) -> Option<Micros> {
    let half = |expires_at: Micros| now + (expires_at - now).max(0) / 2;
    let wanted = registration.renew_after.map(|seconds| now + i64::from(seconds) * 1_000_000);
    let soonest = [wanted, registration.expires_at.map(half)].into_iter().flatten().min();
    registration.renew_at.or(soonest)
}

/// Renews a trigger's subscription at the provider; nothing is stored. Where there is no `renew`,
/// or the provider does not know the subscription any more, it is registered anew.
pub(crate) async fn renew(context: &Shared, trigger: &Trigger) -> Result<Renewed, Failure> {
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.app(&trigger.app).cloned().ok_or_else(|| gone(trigger))?;
    let call = Call::existing(context, app.clone(), trigger).await?;
    if app.script().has("renew") {
        match call.renew().await {
            Ok(registration) => return Ok(Renewed { app, registration, call, anew: false }),
            Err(error) if !lost(&call, &error).await => return Err(error.into()),
            Err(error) => {
                info!(trigger = %trigger.id, %error, "the provider lost a subscription; registering it anew");
            }
        }
    }
    forget_handed_over(context, &call, trigger).await?;
    let registration = call.register().await?;
    Ok(Renewed { app, registration, call, anew: true })
}

/// Whether the provider does not know the subscription any more: what its `status` says decides
/// where the script can ask for it.
async fn lost(call: &Call, error: &LifecycleError) -> bool {
    if !unknown(error) {
        return false;
    }
    match call.status().await {
        Ok(status) => status == SubscriptionStatus::Missing,
        Err(LifecycleError::MissingFunction(_)) => true,
        Err(error) => unknown(&error),
    }
}

fn unknown(error: &LifecycleError) -> bool {
    matches!(error, LifecycleError::Provider { status: 404 | 410, .. })
}

/// Notes a renewal for every trigger that shares the subscription; what the script left out stays
/// as it was. One that was deleted meanwhile, or whose lease was lost, is not noted; if no other
/// is left and the subscription is a new one, it is removed.
pub(crate) async fn store_renewal(
    context: &Context,
    triggers: &[Trigger],
    renewed: Renewed,
    lease: (&str, i64),
) -> Result<bool, StoreError> {
    let Renewed { app, registration, call, anew } = renewed;
    let now = clock::now();
    let mut noted = false;
    for (index, trigger) in triggers.iter().enumerate() {
        let place = secret_place(trigger);
        let sealed = registration.secret.as_ref().map(|secret| context.vault.seal(place, secret));
        let kept = |state: &serde_json::Value| !anew && state.is_null();
        let state = if kept(&registration.state) { &trigger.state } else { &registration.state };
        let renewal = Renewal {
            external_id: registration.external_id.clone().or_else(|| trigger.external_id.clone()),
            secret: sealed,
            state: state.clone(),
            expires_at: registration.expires_at,
            renew_at: due(&registration, now),
            // How far the others have read is theirs to know.
            cursor: registration.cursor.as_ref().filter(|_| index == 0).map(ToString::to_string),
            definition_version: app.version.clone(),
        };
        noted |= context.store.set_renewed(&trigger.id, &renewal, lease, now).await?;
        context.subscribers.forget(&trigger.id).await;
    }
    let old = triggers.first().and_then(|trigger| trigger.external_id.clone());
    let new = registration.external_id.clone();
    if anew && new != old {
        let stale = if noted {
            old.map(|_| call)
        } else {
            Some(call.registered_as(new, registration.state))
        };
        if let Some(stale) = stale {
            remove(&stale, triggers).await;
        }
    }
    Ok(noted)
}

/// Removes a subscription that nobody needs any more. That it is gone already is no failure, and
/// one that stays ends by itself.
async fn remove(stale: &Call, triggers: &[Trigger]) {
    if !stale.app.script().has("unregister") {
        return;
    }
    if let Err(error) = stale.unregister().await {
        let trigger = triggers.first().map(|trigger| trigger.id.as_str());
        warn!(trigger, %error, "a subscription that was replaced remains until it expires");
    }
}
