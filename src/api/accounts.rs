//! Linked accounts: credentials for an app, sealed at rest and never shown again.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hearken_engine::{
    App, Catalogue,
    definition::{Auth, AuthKind, IngressScope},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::error;
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
    accounts::{
        credentials::{account_place, of_account, plain, seal},
        linking::{Identified, identify},
        opened::{self, open_provider_app},
        ready,
    },
    clock,
    context::{Context, Shared},
    ids,
    store::{
        AccountPatch, Page, TriggerFilter,
        model::{LinkedAccount, ProviderApp},
    },
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(link_account, list_accounts)).routes(routes!(
        get_account,
        change_account,
        delete_account
    ))
}

/// A linked account, without its credentials.
#[derive(Debug, Serialize, ToSchema)]
struct AccountView {
    /// `acc_…`
    id: String,
    /// App slug.
    app: String,
    /// Human name.
    name: String,
    /// `token`, `api_key`, `basic` or `oauth2`.
    kind: String,
    /// Names of the credentials it holds; what they are is never shown.
    credential_fields: Vec<String>,
    /// Public facts, such as a shop's domain.
    metadata: Value,
    /// The provider app it is linked through.
    provider_app_id: Option<String>,
    /// The provider's id of it.
    external_id: Option<String>,
    /// `active` or `needs_reconnect`.
    status: String,
    /// Why it is in that status.
    status_reason: Option<String>,
    /// When its access token expires, which is renewed before (RFC 3339).
    expires_at: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

impl AccountView {
    fn new(context: &Context, account: LinkedAccount) -> Self {
        Self {
            credential_fields: credential_fields(context, &account),
            id: account.id,
            app: account.app,
            name: account.name,
            kind: account.kind,
            metadata: account.metadata,
            provider_app_id: account.provider_app_id,
            external_id: account.external_id,
            status: account.status,
            status_reason: account.status_reason,
            expires_at: account.expires_at.map(clock::rfc3339),
            created_at: clock::rfc3339(account.created_at),
            updated_at: clock::rfc3339(account.updated_at),
        }
    }
}

/// What a new linked account is told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "app": "acme",
    "name": "The team's account",
    "kind": "token",
    "credentials": { "token": "…" },
}))]
struct NewAccount {
    /// App slug.
    app: String,
    /// Human name.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// One of the app's kinds; for `oauth2` see `POST /v1/linked-accounts/oauth2/start`.
    kind: String,
    /// The provider app to link through, for apps that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_app_id: Option<String>,
    /// Credentials, as the app's JSON Schema for this kind asks.
    #[schema(value_type = Object)]
    credentials: Map<String, Value>,
    /// Public facts, as the app's JSON Schema asks.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// Link an account. Where the app knows how, the provider is asked whose the credentials are.
#[utoipa::path(post, path = "/v1/linked-accounts", tag = "Linked accounts", request_body = NewAccount,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless.", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 201, body = AccountView)))]
async fn link_account(
    State(context): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewAccount>,
) -> Result<Response, Problem> {
    check_name(&new.name)?;
    let catalogue = context.catalogue.snapshot();
    let app = app_field(&catalogue, &new.app)?.clone();
    let auth = auth_kind(&app, &new.kind)?;
    check_credentials(auth.credentials.as_ref(), &new.credentials)?;
    check_metadata(auth.metadata.as_ref(), &new.metadata)?;
    let provider_app = linking_provider_app(&context, &app, new.provider_app_id.as_deref()).await?;
    let now = clock::now();
    let id = ids::new(ids::ACCOUNT);
    let account = LinkedAccount {
        credentials: seal(&context.vault, account_place(&id, &caller.project_id), &new.credentials),
        id,
        project_id: caller.project_id.clone(),
        app: new.app.clone(),
        name: new.name.clone(),
        kind: new.kind.clone(),
        metadata: Value::Object(new.metadata.clone()),
        status: "active".to_owned(),
        status_reason: None,
        provider_app_id: new.provider_app_id.clone(),
        external_id: None,
        expires_at: None,
        renew_at: None,
        created_at: now,
        updated_at: now,
    };
    let (auth, asked) = (auth.clone(), plain(&new.credentials));
    let metadata = new.metadata.clone();
    let work = |context: Shared| async move {
        let provider_app = provider_app.map(|row| open_provider_app(&context, &row)).transpose()?;
        let told = identify(&context, &app, &auth, asked, metadata, provider_app.as_ref()).await;
        let told = told.map_err(|problem| problem.because("No account was linked."))?;
        let account = LinkedAccount {
            external_id: told.external_id,
            metadata: Value::Object(told.metadata),
            ..account
        };
        context.store.create_account(&account).await?;
        Ok(AccountView::new(&context, account))
    };
    idempotency::once(context, &caller, &headers, "linked-account", &new, work).await
}

/// Which accounts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only accounts of this app.
    app: Option<String>,
    /// Items on a page, 1 to 100; 50 unless told.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{40}$")]
    cursor: Option<String>,
}

/// List linked accounts.
#[utoipa::path(get, path = "/v1/linked-accounts", tag = "Linked accounts", params(ListParams),
    responses((status = 200, body = Listing<AccountView>)))]
async fn list_accounts(
    State(context): State<Shared>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<Json<Listing<AccountView>>, Problem> {
    let page = page(ids::ACCOUNT, params.limit, params.cursor.as_deref())?;
    let app = params.app.as_deref();
    let rows = context.store.list_accounts(&caller.project_id, app, &page).await?;
    Ok(Json(listing(rows, &page, |row| &row.id, |row| AccountView::new(&context, row))))
}

/// Get a linked account.
#[utoipa::path(get, path = "/v1/linked-accounts/{id}", tag = "Linked accounts", params(("id" = String, Path, description = "`acc_…`")),
    responses((status = 200, body = AccountView)))]
async fn get_account(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<AccountView>, Problem> {
    let account = context.store.account(&caller.project_id, &id).await?;
    account.map(|account| Json(AccountView::new(&context, account))).ok_or_else(unknown)
}

/// What to change of a linked account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    /// Human name.
    name: Option<String>,
    /// New credentials, all of them.
    #[schema(value_type = Option<Object>)]
    credentials: Option<Map<String, Value>>,
    /// New public facts, all of them.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// Change a linked account. New credentials make it and its triggers active again.
#[utoipa::path(patch, path = "/v1/linked-accounts/{id}", tag = "Linked accounts", request_body = AccountChange,
    params(("id" = String, Path, description = "`acc_…`")),
    responses((status = 200, body = AccountView)))]
async fn change_account(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Body(change): Body<AccountChange>,
) -> Result<Json<AccountView>, Problem> {
    let account = context.store.account(&caller.project_id, &id).await?.ok_or_else(unknown)?;
    let catalogue = context.catalogue.snapshot();
    let app = apps::find(&catalogue, &account.app)?;
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    let auth = app.definition.auth.iter().find(|auth| auth.kind.name() == account.kind);
    let auth = auth.ok_or_else(|| Problem::conflict("the app no longer knows this kind"))?;
    if let Some(credentials) = &change.credentials {
        check_credentials(auth_kind(app, &account.kind)?.credentials.as_ref(), credentials)?;
    }
    if let Some(metadata) = &change.metadata {
        check_metadata(auth.metadata.as_ref(), metadata)?;
    }
    let mut patch = AccountPatch { name: change.name, ..AccountPatch::default() };
    if change.credentials.is_some() || change.metadata.is_some() {
        let (credentials, metadata) = (change.credentials.as_ref(), change.metadata);
        let told = identify_again(&context, app, auth, account, credentials, metadata).await?;
        patch.external_id = told.external_id;
        patch.metadata = Some(Value::Object(told.metadata));
    }
    let place = account_place(&id, &caller.project_id);
    patch.credentials = change.credentials.map(|new| seal(&context.vault, place, &new));
    let changed =
        context.store.update_account(&caller.project_id, &id, &patch, clock::now()).await?;
    changed.map(|account| Json(AccountView::new(&context, account))).ok_or_else(unknown)
}

/// Asks whose the credentials are that an account is to have, which must remain its own.
async fn identify_again(
    context: &Shared,
    app: &Arc<App>,
    auth: &Auth,
    account: LinkedAccount,
    credentials: Option<&Map<String, Value>>,
    metadata: Option<Map<String, Value>>,
) -> Result<Identified, Problem> {
    let known = account.external_id.clone();
    let opened = match credentials {
        // What it has will not be used, so that it need not be fresh.
        Some(_) => opened::open(context, account).await?,
        None => ready(context, app, account).await?,
    };
    let asked = credentials.map_or_else(|| opened.account.credentials.clone(), plain);
    let metadata = metadata.or_else(|| opened.row.metadata.as_object().cloned());
    let provider_app = opened.provider_app.as_ref();
    let told = identify(context, app, auth, asked, metadata.unwrap_or_default(), provider_app);
    let told = told.await.map_err(|problem| problem.because("Nothing was changed."))?;
    let other = known.is_some() && told.external_id.is_some() && known != told.external_id;
    if other && app.script().has("identify") {
        let message = "they belong to another account; link it as a new one";
        return Err(Problem::field("/credentials", message));
    }
    Ok(told)
}

/// Delete a linked account. Refused while triggers use it.
#[utoipa::path(delete, path = "/v1/linked-accounts/{id}", tag = "Linked accounts", params(("id" = String, Path, description = "`acc_…`")),
    responses((status = 204)))]
async fn delete_account(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let filter = TriggerFilter { account: Some(id.clone()), ..TriggerFilter::default() };
    let page = Page { after: None, limit: 10 };
    let users = context.store.list_triggers(&caller.project_id, &filter, &page).await?;
    if !users.is_empty() {
        let names: Vec<&str> = users.iter().map(|trigger| trigger.id.as_str()).collect();
        let detail =
            format!("triggers still use this account; delete them first: {}", names.join(", "));
        return Err(Problem::conflict(detail));
    }
    if context.store.delete_account(&caller.project_id, &id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unknown())
    }
}

/// The names of the credentials an account holds.
fn credential_fields(context: &Context, account: &LinkedAccount) -> Vec<String> {
    match of_account(&context.vault, account) {
        Ok(credentials) => credentials.into_keys().collect(),
        Err(error) => {
            error!(account = %account.id, %error, "its credentials do not open");
            Vec::new()
        }
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no linked account with this id")
}

/// The app a field of a body names.
pub(super) fn app_field<'c>(catalogue: &'c Catalogue, slug: &str) -> Result<&'c Arc<App>, Problem> {
    let app = catalogue.app(slug);
    app.ok_or_else(|| Problem::field("/app", format!("there is no app `{slug}`")))
}

/// The provider app an account is to be linked through, if any is named; some apps need one.
pub(super) async fn linking_provider_app(
    context: &Context,
    app: &App,
    id: Option<&str>,
) -> Result<Option<ProviderApp>, Problem> {
    let refused = |message: String| Err(Problem::field("/provider_app_id", message));
    let title = &app.definition.title;
    let Some(id) = id else {
        if app.definition.ingress.scope == IngressScope::App {
            return refused(format!(
                "{title} delivers to one URL for all accounts; name a provider app, see GET /v1/provider-apps"
            ));
        }
        return Ok(None);
    };
    match context.store.provider_app(id).await? {
        Some(found) if found.app == app.slug => Ok(Some(found)),
        _ => refused(format!("there is no provider app of {title} with this id")),
    }
}

fn auth_kind<'a>(app: &'a App, kind: &str) -> Result<&'a Auth, Problem> {
    let kinds = &app.definition.auth;
    let auth = kinds.iter().find(|auth| auth.kind.name() == kind).ok_or_else(|| {
        let known: Vec<&str> = kinds.iter().map(|auth| auth.kind.name()).collect();
        Problem::field("/kind", format!("{} knows {}", app.definition.title, known.join(", ")))
    })?;
    if auth.kind == AuthKind::OAuth2 {
        let message = "the user has to consent; see POST /v1/linked-accounts/oauth2/start";
        return Err(Problem::field("/kind", message));
    }
    Ok(auth)
}
