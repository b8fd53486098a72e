//! The life of a subscription at its provider: registered with the trigger, removed with it, and
//! never left half-made.
//!
//! A trigger's row comes first, in status `registering`, because a provider may deliver its first
//! request before it answers the registration. If the registration fails, the row goes; if its
//! outcome is unknown, what may have been made at the provider is looked for and removed.

mod call;
mod change;
mod expansion;
mod failure;
mod refusal;
mod renewal;
mod secret;
pub(crate) mod sharing;
mod undo;

use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use hearken_engine::{
    App, Registration, TriggerType,
    definition::{AuthKind, Generate, SecretEncoding},
};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::{info, warn};

use self::{
    call::Call,
    refusal::{gone, problem},
    undo::{forget, undo},
};
pub use self::{change::reconfigure, secret::shown_secret};
pub(crate) use self::{
    expansion::expand,
    failure::Failure,
    renewal::{renew, store_renewal},
    secret::{keep_handed_over, secret_place},
    undo::sweep_abandoned,
};
use crate::{
    accounts::{self, Opened},
    api::problem::Problem,
    clock,
    context::{Context, Shared},
    ids,
    store::{
        Registered,
        model::{Trigger, Upkeep},
    },
};

/// A trigger somebody wants, checked against its type.
pub struct Wanted {
    /// Owner.
    pub project: String,
    /// Trigger type, full name.
    pub name: String,
    /// Linked account.
    pub account: Option<String>,
    /// Configuration.
    pub config: Value,
    /// Filter.
    pub filter: Value,
    /// The user's own words.
    pub description: String,
    /// Days its events are kept.
    pub retention_days: Option<i64>,
}

/// A trigger that was made.
pub struct Created {
    /// Its row.
    pub trigger: Trigger,
    /// The secret a user has to enter at the provider, where nothing registers by itself.
    pub secret_to_enter: Option<String>,
}

/// Creates a trigger and registers it.
pub async fn create(context: &Shared, wanted: Wanted) -> Result<Created, Problem> {
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.apps().find(|app| app.trigger(&wanted.name).is_some());
    let (Some(app), project) = (app.cloned(), wanted.project.clone()) else {
        return Err(Problem::field("/trigger", "there is no such trigger type"));
    };
    let account = linked_account(context, &app, &project, wanted.account.as_deref()).await?;
    let (mut trigger, secret) = new_row(context, &app, account.as_ref(), wanted)?;
    let call = Call::new(context, app.clone(), &trigger, secret.clone(), account.clone());
    let shared = sharing::Name::of(&call, account.as_ref())?;
    trigger.subscription_owner = shared.as_ref().map(|name| name.owner.clone());
    trigger.subscription_key = shared.as_ref().map(|name| name.key.clone());
    context.store.insert_trigger(&trigger).await?;
    if !app.script().has("register") {
        let reason = Some("set it up at the provider; waiting for the first request");
        let now = clock::now();
        let set = context.store.set_status(&project, &trigger.id, "active", reason, now).await?;
        let trigger = set.ok_or_else(Problem::internal)?;
        let secret_to_enter = secret.map(|secret| secret.expose_secret().to_owned());
        return Ok(Created { trigger, secret_to_enter });
    }
    let made = match shared {
        None => register(context, &call, &trigger).await,
        Some(name) => match name.hold(context, &trigger.id).await {
            Ok(held) => {
                let made = join(context, &call, &trigger, &held).await;
                held.release(context).await;
                made
            }
            Err(problem) => {
                forget(context, &trigger).await;
                Err(problem)
            }
        },
    };
    let trigger = made.map_err(|problem| problem.because("No trigger was created."))?;
    info!(trigger = %trigger.id, name = %trigger.name, "trigger registered");
    Ok(Created { trigger, secret_to_enter: None })
}

/// Registers a new trigger; if that fails, its row goes.
async fn register(context: &Shared, call: &Call, trigger: &Trigger) -> Result<Trigger, Problem> {
    match call.register().await {
        Ok(registration) => registered(context, call, trigger, registration).await,
        Err(error) => {
            undo(context, call, trigger, &error).await;
            Err(problem(call, &error))
        }
    }
}

/// Takes a trigger into the subscription that others have, or registers it as the first.
async fn join(
    context: &Shared,
    call: &Call,
    trigger: &Trigger,
    held: &sharing::Held,
) -> Result<Trigger, Problem> {
    let others = held.others(context, &trigger.id).await?;
    let Some(first) = others.first() else { return register(context, call, trigger).await };
    let (taken, now) = (sharing::joined(first, &call.app), clock::now());
    let joined =
        context.store.set_registration(&trigger.project_id, &trigger.id, &taken, now).await?;
    context.subscribers.forget(&trigger.id).await;
    joined.ok_or_else(|| Problem::conflict("the trigger was deleted while it was registered"))
}

/// Removes a trigger's subscription, then the trigger. With `force`, the trigger goes even if the
/// provider cannot be told.
pub async fn delete(context: &Shared, trigger: Trigger, force: bool) -> Result<(), Problem> {
    let held = match sharing::Name::stored(&trigger) {
        Some(name) => Some(name.hold(context, &trigger.id).await?),
        None => None,
    };
    let deleted = delete_held(context, &trigger, force, held.as_ref()).await;
    if let Some(held) = held {
        held.release(context).await;
    }
    deleted
}

async fn delete_held(
    context: &Shared,
    trigger: &Trigger,
    force: bool,
    held: Option<&sharing::Held>,
) -> Result<(), Problem> {
    let others = match held {
        Some(held) => held.others(context, &trigger.id).await?,
        None => Vec::new(),
    };
    // The last one takes the subscription with it.
    let unsubscribed = if others.is_empty() { unsubscribe(context, trigger).await } else { Ok(()) };
    if let Err(problem) = unsubscribed {
        if !force {
            return Err(problem.because(
                "The trigger is kept, because its subscription still is; `force=true` deletes it all the same.",
            ));
        }
        warn!(trigger = %trigger.id, "deleted by force; its subscription may remain at the provider");
    }
    context.store.delete_trigger(&trigger.project_id, &trigger.id).await?;
    context.subscribers.forget(&trigger.id).await;
    info!(trigger = %trigger.id, name = %trigger.name, "trigger deleted");
    Ok(())
}

async fn unsubscribe(context: &Shared, trigger: &Trigger) -> Result<(), Problem> {
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.app(&trigger.app).cloned().ok_or_else(|| gone(trigger))?;
    if !app.script().has("unregister") {
        return Ok(());
    }
    if trigger.status == "registering" {
        return Err(Problem::conflict("the trigger is still being registered; try again soon"));
    }
    let call = Call::existing(context, app, trigger).await?;
    call.unregister().await.map_err(|error| problem(&call, &error))
}

/// Stores what the provider answered.
async fn registered(
    context: &Context,
    call: &Call,
    trigger: &Trigger,
    registration: Registration,
) -> Result<Trigger, Problem> {
    // One that arrived in a handshake meanwhile is on the row, and stays there.
    let sealed = registration.secret.as_ref();
    let sealed = sealed.map(|secret| context.vault.seal(secret_place(trigger), secret));
    let now = clock::now();
    let look = context.config.jobs.look_seconds.micros();
    let registered = Registered {
        external_id: registration.external_id.clone(),
        secret: sealed,
        state: registration.state.clone(),
        expires_at: registration.expires_at,
        renew_at: renewal::due(&registration, now),
        cursor: registration.cursor.as_ref().map(ToString::to_string),
        look_at: call.app.is_thin().then_some(now + look),
        // A new configuration does not resume a paused trigger.
        status: if trigger.status == "paused" { "paused" } else { "active" }.to_owned(),
        definition_version: call.app.version.clone(),
    };
    let stored =
        context.store.set_registration(&trigger.project_id, &trigger.id, &registered, now).await?;
    context.subscribers.forget(&trigger.id).await;
    if let Some(trigger) = stored {
        return Ok(trigger);
    }
    let call = call.registered_as(registration.external_id, registration.state);
    if let Err(error) = call.unregister().await {
        warn!(trigger = %trigger.id, %error,
            "deleted while it was registered; a subscription for {} may remain", trigger.webhook_url);
    }
    Err(Problem::conflict("the trigger was deleted while it was registered"))
}

/// The account a trigger is registered with, if its app asks for one.
async fn linked_account(
    context: &Shared,
    app: &Arc<App>,
    project: &str,
    id: Option<&str>,
) -> Result<Option<Opened>, Problem> {
    let Some(id) = id else {
        if app.definition.auth.iter().any(|auth| auth.kind == AuthKind::None) {
            return Ok(None);
        }
        let message = format!(
            "{} needs a linked account; see POST /v1/linked-accounts",
            app.definition.title
        );
        return Err(Problem::field("/linked_account_id", message));
    };
    let account = context.store.account(project, id).await?;
    let account = account.filter(|account| account.app == app.slug).ok_or_else(|| {
        let message =
            format!("there is no linked account of {} with this id", app.definition.title);
        Problem::field("/linked_account_id", message)
    })?;
    Ok(Some(accounts::ready(context, app, account).await?))
}

/// The row of a new trigger, with the secret that was made for it in clear beside it.
fn new_row(
    context: &Context,
    app: &App,
    account: Option<&Opened>,
    wanted: Wanted,
) -> Result<(Trigger, Option<SecretString>), Problem> {
    let kind: &TriggerType = app.trigger(&wanted.name).ok_or_else(Problem::internal)?;
    let id = ids::new(ids::TRIGGER);
    let now = clock::now();
    let addressed = if app.has_shared_url() {
        let provider_app = account.and_then(|account| account.row.provider_app_id.clone());
        provider_app.ok_or_else(|| {
            let title = &app.definition.title;
            let message = format!("{title} needs an account that is linked through a provider app");
            Problem::field("/linked_account_id", message)
        })?
    } else {
        id.clone()
    };
    let mut trigger = Trigger {
        webhook_url: context.config.webhook_url(&app.slug, &addressed),
        id,
        project_id: wanted.project,
        app: app.slug.clone(),
        linked_account_id: wanted.account,
        name: kind.name.clone(),
        event_type: kind.event_type.clone(),
        description: wanted.description,
        external_id: None,
        secret: None,
        config: wanted.config,
        filter: wanted.filter,
        state: Value::Null,
        status: "registering".to_owned(),
        status_reason: None,
        definition_version: app.version.clone(),
        retention_days: wanted.retention_days,
        last_proof_at: None,
        last_triggered_at: None,
        expires_at: None,
        created_at: now,
        updated_at: now,
        subscription_owner: None,
        subscription_key: None,
        upkeep: Upkeep::default(),
    };
    let made = app.definition.secret.generate.as_ref().map(make_secret);
    let sealed = made.as_ref().map(|secret| context.vault.seal(secret_place(&trigger), secret));
    trigger.secret = sealed;
    Ok((trigger, made))
}

fn make_secret(form: &Generate) -> SecretString {
    let mut bytes = vec![0; form.bytes];
    rand::rng().fill_bytes(&mut bytes);
    SecretString::from(match form.encoding {
        SecretEncoding::Hex => HEXLOWER.encode(&bytes),
        SecretEncoding::Base64 => BASE64.encode(&bytes),
        SecretEncoding::Base64Url => BASE64URL_NOPAD.encode(&bytes),
    })
}
