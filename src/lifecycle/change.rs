//! Changing a trigger's configuration, which means another subscription at the provider.

use hearken_engine::LifecycleError;
use serde_json::Value;
use tracing::{error, warn};

use super::{
    call::Call,
    refusal::{gone, may_have_worked, problem},
    registered,
    sharing::{self, Held, Name},
    undo::remove_doubtful,
};
use crate::{
    api::problem::Problem,
    clock,
    context::{Context, Shared},
    store::{TriggerPatch, model::Trigger},
};

/// Registers a trigger with another configuration, under the same id and URL.
///
/// The old subscription goes first, because providers refuse two with one URL. If the new one
/// cannot be had, the old one is put back.
pub async fn reconfigure(
    context: &Shared,
    trigger: Trigger,
    config: Value,
) -> Result<Trigger, Problem> {
    let next = Trigger { config: config.clone(), ..trigger.clone() };
    let patch = TriggerPatch { config: Some(config), ..TriggerPatch::default() };
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.app(&trigger.app).cloned().ok_or_else(|| gone(&trigger))?;
    if !app.script().has("register") {
        let now = clock::now();
        let changed =
            context.store.update_trigger(&trigger.project_id, &trigger.id, &patch, now).await?;
        return changed.ok_or_else(Problem::internal);
    }
    let old = Call::existing(context, app.clone(), &trigger).await?;
    let new = Call::existing(context, app, &next).await?;
    if let Some(name) = Name::stored(&trigger) {
        return move_over(context, name, (&old, trigger), (&new, next), &patch).await;
    }
    if let Err(error) = old.unregister().await {
        let told = problem(&old, &error);
        if !may_have_worked(&error) {
            return Err(told.because("Nothing was changed."));
        }
        return Err(put_back(context, &old, &old, &trigger, &error).await);
    }
    forget_handed_over(context, &new, &trigger).await?;
    match new.register().await {
        Ok(registration) => {
            let (project, now) = (&trigger.project_id, clock::now());
            context.store.update_trigger(project, &trigger.id, &patch, now).await?;
            registered(context, &new, &next, registration).await
        }
        Err(error) => Err(put_back(context, &old, &new, &trigger, &error).await),
    }
}

/// Gives a trigger that shares a subscription another configuration. Where that means another
/// subscription, the new one is joined first: subscriptions with different keys do not collide.
async fn move_over(
    context: &Shared,
    from: Name,
    (old, trigger): (&Call, Trigger),
    (new, next): (&Call, Trigger),
    patch: &TriggerPatch,
) -> Result<Trigger, Problem> {
    let key = new.subscription_key().map_err(|error| {
        Problem::field("/config", format!("the app's script failed on it: {error}"))
    })?;
    let to = key.map(|key| Name { key, ..from.clone() }).filter(|to| *to != from);
    if let Some(to) = to {
        let held = to.hold(context, &trigger.id).await?;
        let entered = enter(context, new, &next, &held).await;
        held.release(context).await;
        entered.map_err(|problem| problem.because("Nothing was changed."))?;
        let held = from.hold(context, &trigger.id).await?;
        let left = leave(context, old, &trigger, &held).await;
        held.release(context).await;
        left?;
    }
    let (project, now) = (&trigger.project_id, clock::now());
    let changed = context.store.update_trigger(project, &trigger.id, patch, now).await?;
    context.subscribers.forget(&trigger.id).await;
    changed.ok_or_else(Problem::internal)
}

/// Takes a trigger into another subscription: the one that others have, or its own.
async fn enter(
    context: &Shared,
    new: &Call,
    next: &Trigger,
    held: &Held,
) -> Result<Trigger, Problem> {
    let (project, now) = (&next.project_id, clock::now());
    let entered = match held.others(context, &next.id).await?.first() {
        Some(first) => {
            let taken = sharing::joined(first, &new.app);
            let stored = context.store.set_registration(project, &next.id, &taken, now).await?;
            stored.ok_or_else(|| Problem::conflict("the trigger was deleted meanwhile"))?
        }
        None => match new.register().await {
            Ok(registration) => registered(context, new, next, registration).await?,
            Err(error) => {
                remove_doubtful(new, next, &error).await;
                return Err(problem(new, &error));
            }
        },
    };
    context.store.set_subscription_key(project, &next.id, held.key(), now).await?;
    Ok(entered)
}

/// Removes the subscription that a trigger has left, if nobody else lives by it.
async fn leave(
    context: &Shared,
    old: &Call,
    trigger: &Trigger,
    held: &Held,
) -> Result<(), Problem> {
    let alone = held.others(context, &trigger.id).await?.is_empty();
    if alone
        && old.app.script().has("unregister")
        && let Err(error) = old.unregister().await
    {
        warn!(trigger = %trigger.id, %error, "a subscription that nobody needs may remain");
    }
    Ok(())
}

/// Where the provider hands over a new secret with every subscription, the old one must make room
/// for it: nothing unsigned may replace a secret that is in use.
pub(super) async fn forget_handed_over(
    context: &Context,
    call: &Call,
    trigger: &Trigger,
) -> Result<(), Problem> {
    if call.app.hands_over_secret() {
        context.store.clear_secret(&trigger.project_id, &trigger.id, clock::now()).await?;
        context.subscribers.forget(&trigger.id).await;
    }
    Ok(())
}

/// Restores the old subscription after a call of `failed` did not succeed, or marks the trigger as
/// broken, and says which.
async fn put_back(
    context: &Shared,
    old: &Call,
    failed: &Call,
    trigger: &Trigger,
    error: &LifecycleError,
) -> Problem {
    let problem = problem(failed, error);
    remove_doubtful(failed, trigger, error).await;
    if let Err(error) = forget_handed_over(context, old, trigger).await {
        error!(trigger = %trigger.id, ?error, "its secret could not be forgotten");
    }
    let restored = match old.register().await {
        Ok(registration) => registered(context, old, trigger, registration).await.is_ok(),
        Err(error) => {
            error!(trigger = %trigger.id, %error, "the old subscription could not be put back");
            false
        }
    };
    if restored {
        return problem.because("The old configuration goes on serving.");
    }
    let reason = Some("a change of the configuration failed, and it may have no subscription now");
    let now = clock::now();
    let set = context.store.set_status(&trigger.project_id, &trigger.id, "error", reason, now);
    if let Err(error) = set.await {
        error!(trigger = %trigger.id, %error, "its status could not be set");
    }
    context.subscribers.forget(&trigger.id).await;
    problem.because(
        "The old subscription could not be put back either: send a configuration again, or delete the trigger.",
    )
}
