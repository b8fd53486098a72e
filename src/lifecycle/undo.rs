//! Undoing what a registration left behind, at once or when its server has died.

use std::time::Duration;

use hearken_engine::{LifecycleError, Micros};
use tracing::{error, warn};

use super::{call::Call, refusal::may_have_worked};
use crate::{
    context::Shared,
    store::{StoreError, model::Trigger},
};

const SWEPT_AT_ONCE: u32 = 50;
/// How long a client waits for a subscription to be looked for; the search goes on without it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Removes what registrations left behind when their server died that began before `before`;
/// returns how many there were.
pub(crate) async fn sweep_abandoned(context: &Shared, before: Micros) -> Result<usize, StoreError> {
    let triggers = context.store.abandoned_registrations(before, SWEPT_AT_ONCE).await?;
    for trigger in &triggers {
        sweep(context, trigger).await;
    }
    Ok(triggers.len())
}

async fn sweep(context: &Shared, trigger: &Trigger) {
    let catalogue = context.catalogue.snapshot();
    let Some(app) = catalogue.app(&trigger.app).cloned() else {
        warn!(trigger = %trigger.id, app = %trigger.app, "an abandoned registration stays until its app is loaded");
        return;
    };
    let Ok(call) = Call::existing(context, app, trigger).await else { return };
    match call.remove_ours().await {
        Ok(()) => {}
        // Waiting would change nothing: this app can never be asked.
        Err(LifecycleError::MissingFunction(_)) => warn!(trigger = %trigger.id,
            "a registration was abandoned; a subscription for {} may remain", trigger.webhook_url),
        Err(error) => {
            warn!(trigger = %trigger.id, %error, "an abandoned registration stays until the provider answers");
            return;
        }
    }
    forget(context, trigger).await;
}

/// Undoes a failed registration.
pub(super) async fn undo(context: &Shared, call: &Call, trigger: &Trigger, error: &LifecycleError) {
    remove_doubtful(call, trigger, error).await;
    forget(context, trigger).await;
}

/// Removes the subscription that the provider may have made all the same, where its answer to
/// the registration was lost.
pub(super) async fn remove_doubtful(call: &Call, trigger: &Trigger, error: &LifecycleError) {
    if !may_have_worked(error) {
        return;
    }
    let (call, id, url) = (call.clone(), trigger.id.clone(), trigger.webhook_url.clone());
    let search = tokio::spawn(async move {
        if let Err(error) = call.remove_ours().await {
            warn!(trigger = %id, %error,
                "whether the provider made the subscription is unknown; one for {url} may remain");
        }
    });
    // The search tells of its own failure; its slowness is no concern of the client's.
    let _ = tokio::time::timeout(PATIENCE, search).await;
}

pub(super) async fn forget(context: &Shared, trigger: &Trigger) {
    if let Err(error) = context.store.delete_trigger(&trigger.project_id, &trigger.id).await {
        error!(trigger = %trigger.id, %error, "its row stays until the next sweep");
    }
    context.subscribers.forget(&trigger.id).await;
}
