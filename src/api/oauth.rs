//! Linking accounts by OAuth2: where a flow begins, and where the provider sends the user back.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    accounts::{app_field, linking_provider_app},
    auth::Caller,
    credentials::check_metadata,
    extract::Body,
    problem::Problem,
    projects::check_name,
    task::to_the_end,
};
use crate::{
    accounts::oauth::{self, Answer, Ended, Wanted},
    clock,
    config::Origin,
    context::{Context, Shared},
    store::model::LinkedAccount,
};

pub(super) fn router() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(start_oauth2)).routes(routes!(oauth2_callback))
}

/// What a flow is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "app": "acme",
    "provider_app_id": "pap_06f9v2k8c1o7d3h5j9m2q4s6u0",
    "name": "The team's account",
    "return_url": "https://app.example.com/linked",
}))]
struct NewFlow {
    /// App slug.
    app: String,
    /// The provider app to link through; needed for a new account.
    provider_app_id: Option<String>,
    /// Human name of the new account; needed for one.
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: Option<String>,
    /// Public facts, as the app's JSON Schema asks; those of the account when it is connected
    /// again, unless given.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Where to send the user afterwards, with `linked_account_id` or `error` added to its query;
    /// on the origin of the public URL, or on one that the server's settings list. A page with
    /// plain text otherwise.
    return_url: Option<String>,
    /// The account to connect again; a new one is linked otherwise.
    linked_account_id: Option<String>,
}

/// A flow that was begun.
#[derive(Debug, Serialize, ToSchema)]
struct FlowView {
    /// Where to send the user's browser; nobody else's, because whoever consents there links their
    /// account to this project.
    authorize_url: String,
    /// When it is too late (RFC 3339).
    expires_at: String,
}

/// Begin to link an account by OAuth2, or to connect one again.
#[utoipa::path(post, path = "/v1/linked-accounts/oauth2/start", tag = "Linked accounts", request_body = NewFlow,
    responses((status = 201, body = FlowView)))]
async fn start_oauth2(
    State(context): State<Shared>,
    caller: Caller,
    Body(new): Body<NewFlow>,
) -> Result<Response, Problem> {
    let catalogue = context.catalogue.snapshot();
    let app = app_field(&catalogue, &new.app)?;
    let (auth, _) = oauth::of_app(app).ok_or_else(|| {
        let title = &app.definition.title;
        Problem::field(
            "/app",
            format!("{title} is not linked by OAuth2; see GET /v1/apps/{}", app.slug),
        )
    })?;
    let former = former(&context, &caller, &new).await?;
    let id = new.provider_app_id.or(former.as_ref().and_then(|it| it.provider_app_id.clone()));
    let provider_app = linking_provider_app(&context, app, id.as_deref()).await?;
    let provider_app = provider_app
        .ok_or_else(|| Problem::field("/provider_app_id", "name one; see GET /v1/provider-apps"))?;
    let name = match (&former, new.name) {
        (_, Some(name)) => name,
        (Some(account), None) => account.name.clone(),
        (None, None) => return Err(Problem::field("/name", "a new account needs a name")),
    };
    check_name(&name)?;
    let known = former.as_ref().and_then(|account| account.metadata.as_object().cloned());
    let metadata = match new.metadata {
        Some(metadata) => {
            check_metadata(auth.metadata.as_ref(), &metadata)?;
            known.unwrap_or_default().into_iter().chain(metadata).collect()
        }
        None => known.unwrap_or_default(),
    };
    if former.is_none() {
        check_metadata(auth.metadata.as_ref(), &metadata)?;
    }
    let wanted = Wanted {
        project: caller.project_id.clone(),
        provider_app,
        account_id: former.map(|account| account.id),
        name,
        metadata,
        return_url: new.return_url.map(|url| check_return_url(&context, &url)).transpose()?,
    };
    let started = oauth::start(&context, app, wanted).await?;
    let view = FlowView {
        authorize_url: started.authorize_url.into(),
        expires_at: clock::rfc3339(started.expires_at),
    };
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// The account to connect again.
async fn former(
    context: &Context,
    caller: &Caller,
    new: &NewFlow,
) -> Result<Option<LinkedAccount>, Problem> {
    let Some(id) = &new.linked_account_id else {
        return Ok(None);
    };
    let account = context.store.account(&caller.project_id, id).await?;
    let account = account.filter(|account| account.app == new.app && account.kind == "oauth2");
    let account = account.ok_or_else(|| {
        let message = "there is no account with this id that was linked to this app by OAuth2";
        Problem::field("/linked_account_id", message)
    })?;
    if new.provider_app_id.is_some() && new.provider_app_id != account.provider_app_id {
        let message = "the account is linked through another provider app; leave this out";
        return Err(Problem::field("/provider_app_id", message));
    }
    Ok(Some(account))
}

fn check_return_url(context: &Context, text: &str) -> Result<Url, Problem> {
    let refused = |message: &str| Problem::field("/return_url", message);
    let url = Url::parse(text).map_err(|_| refused("give an absolute URL"))?;
    if !matches!(url.scheme(), "http" | "https")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(refused("give an http or https URL without a user name"));
    }
    let origin = Origin::of(&url);
    let own = Url::parse(&context.config.public_url()).map(|url| Origin::of(&url));
    if own.is_ok_and(|own| own == origin) || context.config.return_origins.contains(&origin) {
        return Ok(url);
    }
    Err(refused("users are not sent there; an operator can list its origin in `return_origins`"))
}

/// Where the provider sends the user back to. No API key is asked for: the state names the flow,
/// once.
#[utoipa::path(get, path = "/v1/oauth2/callback", tag = "Linked accounts", security(()),
    params(("state" = String, Query, description = "Names the flow."),
        ("code" = Option<String>, Query, description = "Given where the user consented."),
        ("error" = Option<String>, Query, description = "Given where not.")),
    responses(
        (status = 200, description = "Linked; a page with plain text.", body = String, content_type = "text/plain"),
        (status = 303, description = "Back to the flow's `return_url`, with `linked_account_id` or `error`.")))]
async fn oauth2_callback(
    State(context): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let answer = read(&query.unwrap_or_default())?;
    let ended = to_the_end(async move { oauth::finish(&context, answer).await }).await?;
    let Some(ended) = ended else {
        let detail = "this link is unknown, was used, or is older than ten minutes; begin again";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "unknown_flow", detail));
    };
    let mut response = show(ended);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Reads an answer; providers may add parameters, but none of ours may come twice.
fn read(query: &str) -> Result<Answer, Problem> {
    let mut answer = Answer::default();
    let mut state = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let again = match &*name {
            "state" => state.replace(value.into_owned()).is_some(),
            "code" => answer.code.replace(value.into_owned().into()).is_some(),
            "error" => answer.error.replace(value.into_owned()).is_some(),
            _ => false,
        };
        if again {
            return Err(Problem::query(&name, "it came twice"));
        }
    }
    answer.state = state.ok_or_else(|| Problem::query("state", "it is missing"))?;
    Ok(answer)
}

fn show(Ended { return_url, linked }: Ended) -> Response {
    let Some(mut url) = return_url else {
        return match linked {
            Ok(id) => {
                format!("The account is linked as {id}. You can close this page.\n").into_response()
            }
            Err(failed) => {
                let text = format!("The account was not linked: {failed}.\n");
                (StatusCode::BAD_REQUEST, text).into_response()
            }
        };
    };
    match &linked {
        Ok(id) => url.query_pairs_mut().append_pair("linked_account_id", id),
        Err(failed) => url.query_pairs_mut().append_pair("error", &failed.code),
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, String::from(url))]).into_response()
}
