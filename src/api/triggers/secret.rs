//! The secret of a trigger that a user has to enter at the provider.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::find;
use crate::{
    api::{auth::Caller, extract::Id, problem::Problem},
    context::Shared,
    lifecycle,
};

/// The secret that verifies a trigger's deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct SecretView {
    /// The secret itself.
    secret: String,
}

/// Show the secret to enter at the provider: one that was made for the trigger, or that the
/// provider handed over in its first request. Shown until it has verified a request.
#[utoipa::path(get, path = "/v1/triggers/{id}/secret", tag = "Triggers",
    params(("id" = String, Path, description = "`trg_…`")),
    responses((status = 200, body = SecretView),
        (status = 404, description = "There is none to enter, or none yet (`no_secret`)."),
        (status = 410, description = "It has verified a request already (`secret_in_use`).")))]
pub(super) async fn get_trigger_secret(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<([(HeaderName, &'static str); 1], Json<SecretView>), Problem> {
    let trigger = find(&context, &caller, &id).await?;
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.app(&trigger.app).map(AsRef::as_ref);
    let secret = lifecycle::shown_secret(&context, app, &trigger)?;
    let view = SecretView { secret: secret.expose_secret().to_owned() };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)))
}
