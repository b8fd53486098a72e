//! Projects and their API keys.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    auth::{self, Caller},
    extract::{Body, Id, Params},
    idempotency,
    page::Listing,
    problem::Problem,
};
use crate::{
    clock,
    context::Shared,
    ids,
    store::{
        RETENTION_DAYS,
        model::{ApiKey, Project},
    },
};

const NAME_CHARACTERS: usize = 200;

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(create_project, list_projects))
        .routes(routes!(get_project))
        .routes(routes!(create_key, list_keys))
        .routes(routes!(revoke_key))
}

/// A tenant: it owns keys, accounts, triggers and events, and sees nobody else's.
#[derive(Debug, Serialize, ToSchema)]
struct ProjectView {
    /// `prj_…`
    id: String,
    /// Human name, unique.
    name: String,
    /// Days events are kept.
    retention_days: i64,
    /// RFC 3339.
    created_at: String,
}

impl From<Project> for ProjectView {
    fn from(project: Project) -> Self {
        Self {
            id: project.id,
            name: project.name,
            retention_days: project.retention_days,
            created_at: clock::rfc3339(project.created_at),
        }
    }
}

/// What a new project is told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "staging", "retention_days": 14 }))]
struct NewProject {
    /// Human name, unique.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// Days events are kept; 30 unless told.
    #[schema(minimum = 1, maximum = 3650)]
    retention_days: Option<i64>,
}

/// Create a project. Takes an admin key.
#[utoipa::path(post, path = "/v1/projects", tag = "Projects", request_body = NewProject,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless.", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 201, body = ProjectView)))]
async fn create_project(
    State(context): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewProject>,
) -> Result<Response, Problem> {
    caller.must_be_admin()?;
    check_name(&new.name)?;
    let retention_days = new.retention_days.unwrap_or(RETENTION_DAYS);
    check_retention(retention_days)?;
    let project = Project {
        id: ids::new(ids::PROJECT),
        name: new.name.clone(),
        retention_days,
        created_at: clock::now(),
    };
    let work = |context: Shared| async move {
        context.store.create_project(&project).await?;
        Ok(ProjectView::from(project))
    };
    idempotency::once(context, &caller, &headers, "project", &new, work).await
}

/// List projects: all of them with an admin key, otherwise the caller's own.
#[utoipa::path(get, path = "/v1/projects", tag = "Projects",
    responses((status = 200, body = Listing<ProjectView>)))]
async fn list_projects(
    State(context): State<Shared>,
    caller: Caller,
) -> Result<Json<Listing<ProjectView>>, Problem> {
    let projects = if caller.admin {
        context.store.list_projects().await?
    } else {
        context.store.project(&caller.project_id).await?.into_iter().collect()
    };
    Ok(Json(Listing { data: projects.into_iter().map(ProjectView::from).collect(), next: None }))
}

/// Get a project: any with an admin key, otherwise the caller's own.
#[utoipa::path(get, path = "/v1/projects/{id}", tag = "Projects", params(("id" = String, Path, description = "`prj_…`")),
    responses((status = 200, body = ProjectView)))]
async fn get_project(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<ProjectView>, Problem> {
    let project = if caller.admin || id == caller.project_id {
        context.store.project(&id).await?
    } else {
        None
    };
    let unknown = || Problem::not_found("there is no project with this id");
    project.map(|project| Json(project.into())).ok_or_else(unknown)
}

/// An API key, without the key itself.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    /// `key_…`
    id: String,
    /// Project it acts for.
    project_id: String,
    /// Human name.
    name: String,
    /// Whether it may manage projects and keys.
    admin: bool,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    last_used_at: Option<String>,
    /// RFC 3339.
    revoked_at: Option<String>,
    /// The key itself; given once, on creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            project_id: key.project_id,
            name: key.name,
            admin: key.admin,
            created_at: clock::rfc3339(key.created_at),
            last_used_at: key.last_used_at.map(clock::rfc3339),
            revoked_at: key.revoked_at.map(clock::rfc3339),
            key: None,
        }
    }
}

/// What a new key is told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "my-agent" }))]
struct NewKey {
    /// Human name.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// Project it acts for; the caller's own unless told. Another one takes an admin key.
    project_id: Option<String>,
    /// Whether it may manage projects and keys. Takes an admin key.
    #[serde(default)]
    admin: bool,
}

/// Create an API key. The answer is the only place where the key itself is shown.
#[utoipa::path(post, path = "/v1/api-keys", tag = "API keys", request_body = NewKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request harmless.", min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses((status = 201, body = KeyView)))]
async fn create_key(
    State(context): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<NewKey>,
) -> Result<Response, Problem> {
    check_name(&new.name)?;
    let project = project_of_keys(&caller, new.project_id.clone())?;
    if new.admin {
        caller.must_be_admin()?;
    }
    if context.store.project(&project).await?.is_none() {
        return Err(Problem::field("/project_id", "there is no such project"));
    }
    let key = auth::generate_key();
    let row = auth::key_row(&key, &project, &new.name, new.admin);
    let work = |context: Shared| async move {
        context.store.create_key(&row).await?;
        Ok(KeyView { key: Some(key.expose_secret().to_owned()), ..KeyView::from(row) })
    };
    idempotency::once(context, &caller, &headers, "api-key", &new, work).await
}

/// Whose keys are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct KeyParams {
    /// The caller's own project unless told. Another one takes an admin key.
    project_id: Option<String>,
}

/// List a project's API keys, revoked ones included.
#[utoipa::path(get, path = "/v1/api-keys", tag = "API keys", params(KeyParams),
    responses((status = 200, body = Listing<KeyView>)))]
async fn list_keys(
    State(context): State<Shared>,
    caller: Caller,
    Params(params): Params<KeyParams>,
) -> Result<Json<Listing<KeyView>>, Problem> {
    let project = project_of_keys(&caller, params.project_id)?;
    let keys = context.store.list_keys(&project).await?;
    Ok(Json(Listing { data: keys.into_iter().map(KeyView::from).collect(), next: None }))
}

/// Revoke an API key. It stops working at once on this server, and within two seconds on others.
/// An admin key is revoked with an admin key only.
#[utoipa::path(delete, path = "/v1/api-keys/{id}", tag = "API keys",
    params(("id" = String, Path, description = "`key_…`"), KeyParams),
    responses((status = 204)))]
async fn revoke_key(
    State(context): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Params(params): Params<KeyParams>,
) -> Result<StatusCode, Problem> {
    let project = project_of_keys(&caller, params.project_id)?;
    let unknown = || Problem::not_found("there is no API key with this id");
    let keys = context.store.list_keys(&project).await?;
    let key = keys.into_iter().find(|key| key.id == id).ok_or_else(unknown)?;
    if key.admin {
        caller.must_be_admin()?;
    }
    context.store.revoke_key(&project, &id, clock::now()).await?;
    context.keys.forget(&key.public_id).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The project whose keys a caller may touch: its own, or with an admin key any.
fn project_of_keys(caller: &Caller, asked: Option<String>) -> Result<String, Problem> {
    match asked {
        Some(project) if project != caller.project_id => {
            caller.must_be_admin()?;
            Ok(project)
        }
        _ => Ok(caller.project_id.clone()),
    }
}

/// Refuses names that are empty or too long to show.
pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    let length = name.trim().chars().count();
    if (1..=NAME_CHARACTERS).contains(&length) {
        return Ok(());
    }
    Err(Problem::field("/name", format!("give 1 to {NAME_CHARACTERS} characters")))
}

/// Refuses retention that is not a sensible number of days.
pub(super) fn check_retention(days: i64) -> Result<(), Problem> {
    if (1..=3650).contains(&days) {
        Ok(())
    } else {
        Err(Problem::field("/retention_days", "give 1 to 3650 days"))
    }
}
