//! The secret of a trigger that does not come from the answer to its registration: handed over by
//! the provider in a handshake, or made here and entered at the provider by hand.

use axum::http::StatusCode;
use hearken_engine::{App, definition::SecretScope};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tracing::error;

use crate::{
    accounts::vault::Place,
    api::problem::Problem,
    clock,
    context::Context,
    store::{StoreError, model::Trigger},
};

/// Where a trigger's secret is sealed to.
pub(crate) fn secret_place(trigger: &Trigger) -> Place<'_> {
    Place { table: "triggers", column: "secret", row: &trigger.id, project: &trigger.project_id }
}

/// Keeps a secret that the provider handed over; returns whether it is the trigger's now. One that
/// the trigger has already is kept again: a provider that did not hear our answer asks once more.
pub(crate) async fn keep_handed_over(
    context: &Context,
    trigger: &Trigger,
    secret: &SecretString,
    first_only: bool,
) -> Result<bool, StoreError> {
    let (project, id) = (&trigger.project_id, &trigger.id);
    let sealed = context.vault.seal(secret_place(trigger), secret);
    let kept = context.store.keep_secret(project, id, &sealed, first_only, clock::now()).await?;
    context.subscribers.forget(id).await;
    if kept {
        return Ok(true);
    }
    let stored = context.store.trigger(project, id).await?.and_then(|trigger| trigger.secret);
    let opened = stored.and_then(|sealed| context.vault.open(secret_place(trigger), &sealed).ok());
    Ok(opened.is_some_and(|opened| {
        opened.expose_secret().as_bytes().ct_eq(secret.expose_secret().as_bytes()).into()
    }))
}

/// The secret to enter at the provider, until it has verified a delivery.
pub fn shown_secret(
    context: &Context,
    app: Option<&App>,
    trigger: &Trigger,
) -> Result<SecretString, Problem> {
    let by_hand = app.is_some_and(|app| {
        let secret = &app.definition.secret;
        let made = secret.generate.is_some() && !app.script().has("register");
        secret.scope == SecretScope::Trigger && (made || app.captures_secret())
    });
    if !by_hand {
        let detail = "the secret of this trigger is not one to enter at the provider";
        return Err(Problem::not_found(detail));
    }
    let Some(sealed) = &trigger.secret else {
        let detail = "the provider has not handed over a secret yet";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_secret", detail));
    };
    if trigger.last_proof_at.is_some() {
        let detail = "the secret has verified a request already, so it is not shown any more";
        return Err(Problem::new(StatusCode::GONE, "secret_in_use", detail));
    }
    context.vault.open(secret_place(trigger), sealed).map_err(|error| {
        error!(trigger = %trigger.id, %error, "a sealed secret does not open; was the master key changed?");
        Problem::internal()
    })
}
