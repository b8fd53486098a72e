//! Linked accounts: credentials for an app, sealed at rest and never shown again.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hearken_engine::{
    App,
    definition::{Auth, AuthKind},
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
    accounts::credentials::{account_place, of_account, seal},
    clock,
    context::{Context, Shared},
    ids,
    store::{AccountPatch, Page, TriggerFilter, model::LinkedAccount},
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
    /// `active` or `needs_reconnect`.
    status: String,
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
            status: account.status,
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
    /// One of the app's kinds.
    kind: String,
    /// Credentials, as the app's JSON Schema for this kind asks.
    #[schema(value_type = Object)]
    credentials: Map<String, Value>,
    /// Public facts, as the app's JSON Schema asks.
    #[serde(default)]
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// Link an account.
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
    let app = apps::find(&catalogue, &new.app)
        .map_err(|_| Problem::field("/app", format!("there is no app `{}`", new.app)))?;
    let auth = auth_kind(app, &new.kind)?;
    check_credentials(auth.credentials.as_ref(), &new.credentials)?;
    check_metadata(auth.metadata.as_ref(), &new.metadata)?;
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
        provider_app_id: None,
        external_id: None,
        expires_at: None,
        created_at: now,
        updated_at: now,
    };
    let work = |context: Shared| async move {
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

/// Change a linked account. New credentials make it active again.
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
    let auth = auth_kind(apps::find(&catalogue, &account.app)?, &account.kind)?;
    if let Some(name) = &change.name {
        check_name(name)?;
    }
    if let Some(credentials) = &change.credentials {
        check_credentials(auth.credentials.as_ref(), credentials)?;
    }
    if let Some(metadata) = &change.metadata {
        check_metadata(auth.metadata.as_ref(), metadata)?;
    }
    let patch = AccountPatch {
        credentials: change
            .credentials
            .map(|new| seal(&context.vault, account_place(&id, &caller.project_id), &new)),
        name: change.name,
        metadata: change.metadata.map(Value::Object),
        ..AccountPatch::default()
    };
    let changed =
        context.store.update_account(&caller.project_id, &id, &patch, clock::now()).await?;
    changed.map(|account| Json(AccountView::new(&context, account))).ok_or_else(unknown)
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

fn auth_kind<'a>(app: &'a App, kind: &str) -> Result<&'a Auth, Problem> {
    let kinds = &app.definition.auth;
    let auth = kinds.iter().find(|auth| auth.kind.name() == kind).ok_or_else(|| {
        let known: Vec<&str> = kinds.iter().map(|auth| auth.kind.name()).collect();
        Problem::field("/kind", format!("{} knows {}", app.definition.title, known.join(", ")))
    })?;
    if auth.kind == AuthKind::OAuth2 {
        return Err(Problem::field("/kind", "accounts cannot be linked by OAuth2 yet"));
    }
    Ok(auth)
}
