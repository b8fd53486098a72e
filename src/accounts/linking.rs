//! Linking: whose credentials are these? Asked of the provider where the app's script knows how,
//! so that wrong credentials are told at once.

use std::sync::Arc;

use hearken_engine::{AccountContext, App, Identity, IdentityContext, definition::Auth};
use serde_json::{Map, Value};

use super::{
    OpenedApp,
    asking::{in_script, provider_problem},
    credentials::Credentials,
};
use crate::{api::problem::Problem, context::Context};

/// An account as its provider knows it.
pub struct Identified {
    /// The provider's id of it.
    pub external_id: Option<String>,
    /// What the provider calls it.
    pub name: Option<String>,
    /// What was told of it, and what the provider told.
    pub metadata: Map<String, Value>,
}

/// Asks whose `credentials` are, or reads it from the public facts where the definition says so.
///
/// # Errors
/// The provider's refusal in its own words, or what kept it from being asked.
pub async fn identify(
    context: &Context,
    app: &Arc<App>,
    auth: &Auth,
    credentials: Credentials,
    mut metadata: Map<String, Value>,
    provider_app: Option<&OpenedApp>,
) -> Result<Identified, Problem> {
    if !app.script().has("identify") {
        let external_id = auth.identified_by.as_ref().and_then(|name| metadata.get(name));
        let external_id = external_id.and_then(|id| match id {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        return Ok(Identified { external_id, name: None, metadata });
    }
    let facts = Value::Object(metadata.clone());
    let base_url = context.base_url(app, &facts);
    let asked = IdentityContext {
        account: AccountContext {
            kind: auth.kind.name().to_owned(),
            id: None,
            credentials,
            metadata: facts,
        },
        provider_app: provider_app.map(|app| app.context.clone()),
        hosts: app.allowed_hosts(&base_url),
        base_url,
    };
    let (way_out, asks) = (context.way_out(app), app.clone());
    let told = in_script(move || asks.script().identify(&way_out, &asked)).await;
    let Identity { id, name, metadata: facts } =
        told.map_err(|error| provider_problem(app, &error))?;
    metadata.extend(facts);
    Ok(Identified { external_id: id, name, metadata })
}
