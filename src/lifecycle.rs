//! The life of a subscription at its provider: registered with the trigger, removed with it, and
//! never left half-made.
//!
//! A trigger's row comes first, in status `registering`, because a provider may deliver its first
//! request before it answers the registration. If the registration fails, the row goes; if its
//! outcome is unknown, what may have been made at the provider is looked for and removed.

mod call;
mod expansion;
mod failure;
mod refusal;
mod renewal;
mod secret;
mod undo;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use hearken_engine::{
    AccountContext, App, LifecycleError, Registration, TriggerType,
    definition::{AuthKind, Generate, SecretEncoding, SecretScope},
};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::{error, info, warn};

pub use self::secret::shown_secret;
use self::{
    call::Call,
    refusal::{gone, may_have_worked, problem},
    undo::{remove_doubtful, undo},
};
pub(crate) use self::{
    call::destination,
    expansion::expand,
    failure::Failure,
    renewal::{renew, store_renewal},
    secret::{keep_handed_over, secret_place},
    undo::sweep_abandoned,
};
use crate::{
    api::problem::Problem,
    clock,
    context::{Context, Shared},
    ids,
    store::{
        Registered, TriggerPatch,
        model::{Trigger, Upkeep},
    },
};

/// Names of the credential that verifies deliveries, where the account carries it.
const SECRET_FIELDS: [&str; 3] = ["webhook_secret", "signing_secret", "secret"];

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
    let (trigger, secret) = new_row(context, &app, account.as_ref(), wanted)?;
    context.store.insert_trigger(&trigger).await?;
    if !app.script().has("register") {
        let reason = Some("set it up at the provider; waiting for the first request");
        let now = clock::now();
        let set = context.store.set_status(&project, &trigger.id, "active", reason, now).await?;
        let trigger = set.ok_or_else(Problem::internal)?;
        let secret_to_enter = secret.map(|secret| secret.expose_secret().to_owned());
        return Ok(Created { trigger, secret_to_enter });
    }
    let call = Call::new(context, app, &trigger, secret, account);
    match call.register().await {
        Ok(registration) => {
            let trigger = registered(context, &call, &trigger, registration).await?;
            info!(trigger = %trigger.id, name = %trigger.name, "trigger registered");
            Ok(Created { trigger, secret_to_enter: None })
        }
        Err(error) => {
            undo(context, &call, &trigger, &error).await;
            Err(problem(&call, &error).because("No trigger was created."))
        }
    }
}

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

/// Where the provider hands over a new secret with every subscription, the old one must make room
/// for it: nothing unsigned may replace a secret that is in use.
async fn forget_handed_over(
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

/// Removes a trigger's subscription, then the trigger. With `force`, the trigger goes even if the
/// provider cannot be told.
pub async fn delete(context: &Shared, trigger: Trigger, force: bool) -> Result<(), Problem> {
    if let Err(problem) = unsubscribe(context, &trigger).await {
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
    context: &Context,
    app: &App,
    project: &str,
    id: Option<&str>,
) -> Result<Option<AccountContext>, Problem> {
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
    call::open_account(context, &account).map(Some)
}

/// The row of a new trigger, with the secret that was made for it in clear beside it.
fn new_row(
    context: &Context,
    app: &App,
    account: Option<&AccountContext>,
    wanted: Wanted,
) -> Result<(Trigger, Option<SecretString>), Problem> {
    let kind: &TriggerType = app.trigger(&wanted.name).ok_or_else(Problem::internal)?;
    let id = ids::new(ids::TRIGGER);
    let now = clock::now();
    let mut trigger = Trigger {
        webhook_url: format!("{}/v1/webhooks/{}/{id}", context.config.public_url(), app.slug),
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
    let verifies = made.clone().or_else(|| account_secret(app, account?));
    trigger.secret = verifies.map(|secret| context.vault.seal(secret_place(&trigger), &secret));
    Ok((trigger, made))
}

/// The secret among an account's credentials that verifies its deliveries.
fn account_secret(app: &App, account: &AccountContext) -> Option<SecretString> {
    if app.definition.secret.scope == SecretScope::Trigger {
        return None;
    }
    SECRET_FIELDS.iter().find_map(|field| account.credentials.get(*field)).cloned()
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
