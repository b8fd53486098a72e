//! Provider apps: what an operator registered at a provider, for accounts of every project. Its
//! credentials are sealed at rest and never shown again.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hearken_engine::{
    App, Micros,
    definition::{IngressScope, ProviderApp as Asked},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::{error, info};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    apps,
    auth::Caller,
    credentials::{check_credentials, check_metadata},
    extract::{Body, Id, Params},
    idempotency,
    page::{Listing, listing, page},
    problem::Problem,
    projects::check_name,
};
use crate::{
    accounts::credentials::{of_provider_app, provider_app_place, seal},
    clock,
    context::{Context, Shared},
    ids,
    store::{ProviderAppPatch, model::ProviderApp},
};

/// How long former credentials go on verifying deliveries: a provider may take a while to sign
/// with the new ones.
const ROTATION: Micros = 24 * 60 * 60 * 1_000_000;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(create_provider_app, list_provider_apps)).routes(routes!(
        get_provider_app,
        change_provider_app,
        delete_provider_app
    ))
}

/// A provider app, without its credentials.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderAppView {
    /// `pap_…`
    id: String,
    /// App slug.
    app: String,
    /// Human name.
    name: String,
    /// Names of the credentials it holds; what they are is never shown.
    credential_fields: Vec<String>,
    /// Public facts.
    metadata: Value,
    /// Where the provider delivers for all accounts, where it has one URL for them; enter it
    /// there.
    webhook_url: Option<String>,
    /// The redirect URL of authorisation flows, where accounts are linked by OAuth2; enter it at
    /// the provider.
    redirect_url: Option<String>,
    /// Until when the credentials before the last change go on verifying deliveries (RFC 3339).
    previous_until: Option<String>,
    /// When a verified request last arrived at its URL (RFC 3339).
    last_proof_at: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

impl ProviderAppView {
    fn new(context: &Context, row: ProviderApp) -> Self {
        let credential_fields = match of_provider_app(&context.vault, &row) {
            Ok(credentials) => credentials.into_keys().collect(),
            Err(error) => {
                error!(provider_app = %row.id, %error, "its credentials do not open");
                Vec::new()
            }
        };
        let catalogue = context.catalogue.snapshot();
        let app = catalogue.app(&row.app);
        let public_url = context.config.public_url();
        let shared = app.is_some_and(|app| app.definition.ingress.scope == IngressScope::App);
        let flows =
            app.is_some_and(|app| app.definition.auth.iter().any(|auth| auth.oauth2.is_some()));
        let until = row.previous_until.filter(|until| *until > clock::now());
        Self {
            credential_fields,
            webhook_url: shared.then(|| context.config.webhook_url(&row.app, &row.id)),
            redirect_url: flows.then(|| format!("{public_url}/v1/oauth2/callback")),
            id: row.id,
            app: row.app,
            name: row.name,
            metadata: row.metadata,
            previous_until: until.map(clock::rfc3339),
            last_proof_at: row.last_proof_at.map(clock::rfc3339),
            created_at: clock::rfc3339(row.created_at),
            updated_at: clock::rfc3339(row.updated_at),
        }
    }
}

/// What a new provider app is told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "app": "acme",
    "name": "Our app at Acme",
    "credentials": { "client_id": "…", "client_secret": "…" },
}))]
struct NewProviderApp {
    /// App slug.
    app: String,
    /// Human name.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// Credentials, as the app's JSON Schema asks.
    #[serde(default)]
    #[schema(value_type = Object)]
    credentials: Map<String, Value>,
    /// Public facts, as the app's JSON Schema asks.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// Register a provider app. Takes an admin key.
#[utoipa::path(post, path = "/v1/provider-apps", tag = "Provider apps", request_body = NewProviderApp,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless.", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 201, body = ProviderAppView)))]
async fn create_provider_app(
    State(context): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewProviderApp>,
) -> Result<Response, Problem> {
    caller.must_be_admin()?;
    check_name(&new.name)?;
    let catalogue = context.catalogue.snapshot();
    let app = apps::find(&catalogue, &new.app)
        .map_err(|_| Problem::field("/app", format!("there is no app `{}`", new.app)))?;
    let asked = asked(app)?;
    check_credentials(asked.credentials.as_ref(), &new.credentials)?;
    check_metadata(asked.metadata.as_ref(), &new.metadata)?;
    let now = clock::now();
    let id = ids::new(ids::PROVIDER_APP);
    let row = ProviderApp {
        credentials: seal(&context.vault, provider_app_place(&id), &new.credentials),
        id,
        app: new.app.clone(),
        name: new.name.clone(),
        previous_credentials: None,
        previous_until: None,
        metadata: Value::Object(new.metadata.clone()),
        last_proof_at: None,
        created_at: now,
        updated_at: now,
    };
    let work = |context: Shared| async move {
        context.store.create_provider_app(&row).await?;
        info!(provider_app = %row.id, app = %row.app, "provider app registered");
        Ok(ProviderAppView::new(&context, row))
    };
    idempotency::once(context, &caller, &headers, "provider-app", &new, work).await
}

/// Which provider apps to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only provider apps of this app.
    app: Option<String>,
    /// Items on a page, 1 to 100; 50 unless told.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{40}$")]
    cursor: Option<String>,
}

/// List provider apps; every project may link accounts through them.
#[utoipa::path(get, path = "/v1/provider-apps", tag = "Provider apps", params(ListParams),
    responses((status = 200, body = Listing<ProviderAppView>)))]
async fn list_provider_apps(
    State(context): State<Shared>,
    _caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<ProviderAppView>>, Problem> {
    let page = page(ids::PROVIDER_APP, params.limit, params.cursor.as_deref())?;
    let rows = context.store.list_provider_apps(params.app.as_deref(), &page).await?;
    Ok(Json(listing(rows, &page, |row| &row.id, |row| ProviderAppView::new(&context, row))))
}

/// Get a provider app.
#[utoipa::path(get, path = "/v1/provider-apps/{id}", tag = "Provider apps", params(("id" = String, Path, description = "`pap_…`")),
    responses((status = 200, body = ProviderAppView)))]
async fn get_provider_app(
    State(context): State<Shared>,
    _caller: Caller,
    Id(id): Id,
) -> Result<Json<ProviderAppView>, Problem> {
    let row = context.store.provider_app(&id).await?.ok_or_else(unknown)?;
    Ok(Json(ProviderAppView::new(&context, row)))
}

/// What to change of a provider app.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProviderAppChange {
    /// Human name.
    name: Option<String>,
    /// New credentials, all of them. The former ones go on verifying deliveries for a day.
    #[schema(value_type = Option<Object>)]
    credentials: Option<Map<String, Value>>,
    /// New public facts, all of them.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// Change a provider app, or rotate its credentials. Takes an admin key.
#[utoipa::path(patch, path = "/v1/provider-apps/{id}", tag = "Provider apps", request_body = ProviderAppChange,
    params(("id" = String, Path, description = "`pap_…`")),
    responses((status = 200, body = ProviderAppView)))]
async fn change_provider_app(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Body(change): Body<ProviderAppChange>,
) -> Result<Json<ProviderAppView>, Problem> {
    caller.must_be_admin()?;
    let row = context.store.provider_app(&id).await?.ok_or_else(unknown)?;
    let catalogue = context.catalogue.snapshot();
    let asked = asked(apps::find(&catalogue, &row.app)?)?;
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    if let Some(credentials) = &change.credentials {
        check_credentials(asked.credentials.as_ref(), credentials)?;
    }
    if let Some(metadata) = &change.metadata {
        check_metadata(asked.metadata.as_ref(), metadata)?;
    }
    let now = clock::now();
    let sealed = |new| (seal(&context.vault, provider_app_place(&id), &new), now + ROTATION);
    let patch = ProviderAppPatch {
        name: change.name,
        credentials: change.credentials.map(sealed),
        metadata: change.metadata.map(Value::Object),
    };
    let changed = context.store.update_provider_app(&id, &patch, now).await?;
    context.subscribers.forget_provider_app(&id).await;
    changed.map(|row| Json(ProviderAppView::new(&context, row))).ok_or_else(unknown)
}

/// Delete a provider app. Refused while accounts of any project are linked through it. Takes an
/// admin key.
#[utoipa::path(delete, path = "/v1/provider-apps/{id}", tag = "Provider apps", params(("id" = String, Path, description = "`pap_…`")),
    responses((status = 204)))]
async fn delete_provider_app(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    caller.must_be_admin()?;
    if context.store.delete_provider_app(&id).await? {
        context.subscribers.forget_provider_app(&id).await;
        info!(provider_app = %id, "provider app deleted");
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown())
    }
}

/// What the app says of what to register at its provider.
fn asked(app: &App) -> Result<&Asked, Problem> {
    app.definition.provider_app.as_ref().ok_or_else(|| {
        let title = &app.definition.title;
        Problem::field("/app", format!("{title} needs nothing registered; link accounts directly"))
    })
}

fn unknown() -> Problem {
    Problem::not_found("there is no provider app with this id")
}
