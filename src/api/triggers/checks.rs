//! What is checked of a trigger before anything is stored or asked of a provider.

use axum::http::StatusCode;
use hearken_engine::{Catalogue, Filter, TriggerType};
use serde_json::Value;

use super::TriggerChange;
use crate::{
    api::problem::{FieldError, Problem},
    store::model::Trigger,
};

const DESCRIPTION_CHARACTERS: usize = 2000;

pub(super) fn trigger_type<'c>(
    catalogue: &'c Catalogue,
    name: &str,
) -> Result<&'c TriggerType, Problem> {
    let known = || catalogue.apps().flat_map(|app| app.triggers());
    known().find(|kind| kind.name == name).ok_or_else(|| {
        let near = hearken_engine::nearest(name, known().map(|kind| kind.name.as_str()));
        let hint = near.map_or_else(
            || "; see GET /v1/apps for what there is".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        Problem::field("/trigger", format!("there is no trigger type `{name}`{hint}"))
    })
}

pub(super) fn check_config(kind: &TriggerType, config: &Value) -> Result<(), Problem> {
    let violations = kind.check_config(config);
    if violations.is_empty() { Ok(()) } else { Err(Problem::violations("/config", violations)) }
}

/// Refuses a configuration that does not tell how deliveries are signed, where it has to.
pub(super) fn check_scheme(
    catalogue: &Catalogue,
    kind: &TriggerType,
    config: &Value,
) -> Result<(), Problem> {
    let app = catalogue.apps().find(|app| app.trigger(&kind.name).is_some());
    let told = app.map_or(Ok(()), |app| app.scheme_of(&kind.name, config).map(drop));
    told.map_err(|error| {
        // Scripts call the fields of a description as their configuration does.
        let field = error.field.split('.').next().unwrap_or_default();
        let known = !field.is_empty() && config.get(field).is_some();
        let field = if known { format!("/config/{field}") } else { "/config".to_owned() };
        let hint = error.hint.map(|hint| format!(" {hint}")).unwrap_or_default();
        Problem::field(&field, format!("{}.{hint}", error.message.trim_end_matches('.')))
    })
}

pub(super) fn check_filter(filter: &Value) -> Result<(), Problem> {
    Filter::compile(filter).map(drop).map_err(|error| {
        let hint = error.hint.map(|hint| format!(" {hint}")).unwrap_or_default();
        let field = format!("/filter{}", error.pointer);
        let message = format!("{}.{hint}", error.message.trim_end_matches('.'));
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_field",
            format!("{field}: {message}"),
        )
        .with_errors(vec![FieldError { field, message }])
    })
}

/// Refuses changes that the trigger's status does not allow: only a registration makes one active
/// that has no sound subscription.
pub(super) fn check_status(trigger: &Trigger, change: &TriggerChange) -> Result<(), Problem> {
    match (trigger.status.as_str(), change.status.is_some(), change.config.is_some()) {
        ("active" | "paused", ..) | (_, false, false) => Ok(()),
        ("registering", ..) => {
            Err(Problem::conflict("the trigger is still being registered; try again soon"))
        }
        ("needs_reconnect", ..) => {
            Err(Problem::conflict("the trigger waits for its linked account to be connected again"))
        }
        (status, true, false) => Err(Problem::conflict(format!(
            "the trigger is in status `{status}`; send a configuration to register it anew"
        ))),
        (_, _, true) => Ok(()),
    }
}

pub(super) fn check_description(description: &str) -> Result<(), Problem> {
    if description.chars().count() <= DESCRIPTION_CHARACTERS {
        return Ok(());
    }
    Err(Problem::field("/description", format!("give at most {DESCRIPTION_CHARACTERS} characters")))
}
