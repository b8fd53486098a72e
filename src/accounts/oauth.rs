//! Linking by OAuth2: the authorisation-code flow (RFC 6749, section 4.1) with PKCE (RFC 7636).
//!
//! A flow is named by its state: 256 random bits that are kept as their hash, end with the first
//! answer, and decide everything else, so that an answer cannot choose project, account, provider
//! app or redirect URL.

use std::sync::Arc;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hearken_engine::{
    App, Micros,
    definition::{Auth, AuthKind, OAuth2},
};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tracing::{info, warn};
use url::Url;

use super::{
    OpenedApp,
    credentials::{Credentials, account_place, seal},
    linking::{self, Identified},
    opened::open_provider_app,
    renewal::{lifetime, with_tokens},
    token::{Client, Grant, TokenError, Tokens, fill_in},
    vault::Place,
};
use crate::{
    api::problem::Problem,
    clock,
    context::{Context, Shared},
    ids,
    store::{
        AccountPatch,
        model::{LinkedAccount, OAuthFlow, ProviderApp},
    },
};

/// How long a user may take to consent.
const PATIENCE: Micros = 10 * 60 * 1_000_000;
/// Characters of a state: 32 bytes in base64url.
const STATE: usize = 43;

/// A flow somebody wants, checked against its app.
pub struct Wanted {
    /// Project the account is linked in.
    pub project: String,
    /// Its provider app.
    pub provider_app: ProviderApp,
    /// The account to reconnect; a new one where none.
    pub account_id: Option<String>,
    /// Name of the new account.
    pub name: String,
    /// Public facts of the account.
    pub metadata: Map<String, Value>,
    /// Where to send the user afterwards.
    pub return_url: Option<Url>,
}

/// A flow that was begun.
pub struct Started {
    /// Where to send the user.
    pub authorize_url: Url,
    /// When it is too late.
    pub expires_at: Micros,
}

/// What the provider sends the user back with.
#[derive(Default)]
pub struct Answer {
    /// Names the flow.
    pub state: String,
    /// The code, where the user consented.
    pub code: Option<SecretString>,
    /// The code of what went wrong otherwise.
    pub error: Option<String>,
}

/// How a flow ended.
pub struct Ended {
    /// Where to send the user.
    pub return_url: Option<Url>,
    /// The linked account's id, or why there is none.
    pub linked: Result<String, Failed>,
}

/// Why a flow ended without an account.
#[derive(Debug, Clone, Error)]
#[error("{detail}")]
pub struct Failed {
    /// A code for programs.
    pub code: String,
    /// One sentence.
    pub detail: String,
}

impl Failed {
    fn new(code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), detail: detail.into() }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::new(problem.code(), problem.detail())
    }
}

/// Where the provider sends the user back to; the same for every flow.
pub fn redirect_url(context: &Context) -> String {
    format!("{}/v1/oauth2/callback", context.config.public_url())
}

/// How accounts of an app are linked by OAuth2, if they are.
pub fn of_app(app: &App) -> Option<(&Auth, &OAuth2)> {
    let auths = app.definition.auth.iter().filter(|auth| auth.kind == AuthKind::OAuth2);
    auths.into_iter().find_map(|auth| Some((auth, auth.oauth2.as_ref()?)))
}

/// Begins a flow.
pub async fn start(context: &Context, app: &App, wanted: Wanted) -> Result<Started, Problem> {
    let (_, oauth2) = of_app(app).ok_or_else(Problem::internal)?;
    let facts = Value::Object(wanted.metadata.clone());
    let url = fill_in(&oauth2.authorize_url, &context.base_url(app, &facts), &facts)
        .map_err(|why| Problem::field("/metadata", why))?;
    let opened = open_provider_app(context, &wanted.provider_app)?;
    let (state, verifier) = (random(), random());
    let authorize_url = authorize_url(context, app, &url, &opened, &state, &verifier)?;
    let hash = hash(state.expose_secret());
    let now = clock::now();
    let flow = OAuthFlow {
        verifier: context.vault.seal(verifier_place(&hash, &wanted.project), &verifier),
        state_hash: hash,
        project_id: wanted.project,
        app: app.slug.clone(),
        provider_app_id: wanted.provider_app.id,
        account_id: wanted.account_id,
        name: wanted.name,
        metadata: facts,
        return_url: wanted.return_url.map(String::from),
        expires_at: now + PATIENCE,
    };
    context.store.begin_oauth_flow(&flow, now).await?;
    Ok(Started { authorize_url, expires_at: flow.expires_at })
}

fn authorize_url(
    context: &Context,
    app: &App,
    url: &str,
    provider_app: &OpenedApp,
    state: &SecretString,
    verifier: &SecretString,
) -> Result<Url, Problem> {
    let (_, oauth2) = of_app(app).ok_or_else(Problem::internal)?;
    let client_id = provider_app.context.credentials.get("client_id").ok_or_else(|| {
        Problem::conflict("the provider app has no `client_id`; an administrator can change it")
    })?;
    let mut url: Url = context.way_out(app).destination(url).parse().map_err(|error| {
        Problem::field("/metadata", format!("the authorisation URL is not valid: {error}"))
    })?;
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id.expose_secret())
        .append_pair("redirect_uri", &redirect_url(context))
        .append_pair("state", state.expose_secret());
    if !oauth2.scopes.is_empty() {
        query.append_pair("scope", &oauth2.scopes.join(&oauth2.scope_separator));
    }
    if oauth2.pkce {
        let digest = Sha256::digest(verifier.expose_secret().as_bytes());
        query
            .append_pair("code_challenge", &BASE64URL_NOPAD.encode(&digest))
            .append_pair("code_challenge_method", "S256");
    }
    query.extend_pairs(&oauth2.authorize_parameters);
    drop(query);
    Ok(url)
}

/// Ends the flow an answer belongs to; none where there is no such flow, or no longer.
pub async fn finish(context: &Shared, answer: Answer) -> Result<Option<Ended>, Problem> {
    if answer.state.len() != STATE {
        return Ok(None);
    }
    let flow = context.store.take_oauth_flow(&hash(&answer.state), clock::now()).await?;
    let Some(flow) = flow else {
        return Ok(None);
    };
    let linked = link(context, &flow, answer).await;
    if let Err(failed) = &linked {
        warn!(app = %flow.app, project = %flow.project_id, code = %failed.code,
            "an authorisation flow ended without an account: {failed}");
    }
    let return_url = flow.return_url.as_deref().and_then(|url| url.parse().ok());
    Ok(Some(Ended { return_url, linked }))
}

async fn link(context: &Shared, flow: &OAuthFlow, answer: Answer) -> Result<String, Failed> {
    if let Some(error) = answer.error {
        let code: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
        let detail = format!("the provider answered {code}");
        return Err(Failed { code, detail });
    }
    let none = || Failed::new("invalid_request", "the provider sent neither a code nor an error");
    let code = answer.code.ok_or_else(none)?;
    let gone = |what: &str| Failed::new("gone", format!("{what} is gone since the flow began"));
    let catalogue = context.catalogue.snapshot();
    let app = catalogue.app(&flow.app).cloned().ok_or_else(|| gone("the app"))?;
    let (auth, oauth2) = of_app(&app).ok_or_else(|| gone("the app's OAuth2"))?;
    let store = &context.store;
    let row = store.provider_app(&flow.provider_app_id).await.map_err(Problem::from)?;
    let row = row.ok_or_else(|| gone("the provider app"))?;
    let provider_app = open_provider_app(context, &row).map_err(Problem::from)?;
    let former = match &flow.account_id {
        None => None,
        Some(id) => {
            let account = store.account(&flow.project_id, id).await.map_err(Problem::from)?;
            Some(account.ok_or_else(|| gone("the linked account"))?)
        }
    };
    let tokens = exchange(context, &app, oauth2, flow, &provider_app, &code).await?;
    let metadata = flow.metadata.as_object().cloned().unwrap_or_default();
    let mut credentials = Credentials::from([("access_token".to_owned(), tokens.access.clone())]);
    credentials.extend(tokens.refresh.clone().map(|token| ("refresh_token".to_owned(), token)));
    let told =
        linking::identify(context, &app, auth, credentials, metadata, Some(&provider_app)).await?;
    match former {
        Some(account) => reconnect(context, &account, told, &tokens).await,
        None => create(context, flow, told, &tokens).await,
    }
}

async fn exchange(
    context: &Context,
    app: &Arc<App>,
    oauth2: &OAuth2,
    flow: &OAuthFlow,
    provider_app: &OpenedApp,
    code: &SecretString,
) -> Result<Tokens, Failed> {
    let base_url = context.base_url(app, &flow.metadata);
    let url = fill_in(&oauth2.token_url, &base_url, &flow.metadata)
        .map_err(|why| Failed::new("invalid_request", why))?;
    let place = verifier_place(&flow.state_hash, &flow.project_id);
    let verifier = context.vault.open(place, &flow.verifier);
    let verifier = verifier.map_err(|error| Failed::new("server_error", error.to_string()))?;
    let client = Client {
        oauth2,
        url,
        credentials: &provider_app.context.credentials,
        way_out: context.way_out(app),
    };
    let grant = Grant::Code {
        code,
        redirect_url: &redirect_url(context),
        verifier: oauth2.pkce.then_some(&verifier),
    };
    client.exchange(&grant).await.map_err(|error| {
        let code = match &error {
            TokenError::Grant(_) => "invalid_grant",
            TokenError::Refused(_) => "invalid_client",
            TokenError::Unavailable { .. } => "temporarily_unavailable",
        };
        Failed::new(code, error.to_string())
    })
}

async fn create(
    context: &Context,
    flow: &OAuthFlow,
    told: Identified,
    tokens: &Tokens,
) -> Result<String, Failed> {
    let (id, now) = (ids::new(ids::ACCOUNT), clock::now());
    let place = account_place(&id, &flow.project_id);
    let lifetime = lifetime(tokens, now);
    let account = LinkedAccount {
        credentials: seal(&context.vault, place, &with_tokens(&Credentials::new(), tokens)),
        id,
        project_id: flow.project_id.clone(),
        app: flow.app.clone(),
        name: flow.name.clone(),
        kind: AuthKind::OAuth2.name().to_owned(),
        metadata: Value::Object(told.metadata),
        status: "active".to_owned(),
        status_reason: None,
        provider_app_id: Some(flow.provider_app_id.clone()),
        external_id: told.external_id,
        expires_at: lifetime.expires_at,
        renew_at: lifetime.renew_at,
        created_at: now,
        updated_at: now,
    };
    context.store.create_account(&account).await.map_err(Problem::from)?;
    info!(account = %account.id, app = %account.app, "account linked by OAuth2");
    Ok(account.id)
}

/// Gives an account new tokens, if they are its own.
async fn reconnect(
    context: &Context,
    account: &LinkedAccount,
    told: Identified,
    tokens: &Tokens,
) -> Result<String, Failed> {
    if let (Some(known), Some(told)) = (&account.external_id, &told.external_id)
        && known != told
    {
        let detail = "the user consented with another account than the one to connect again";
        return Err(Failed::new("other_account", detail));
    }
    let LinkedAccount { id, project_id, .. } = account;
    let now = clock::now();
    let place = account_place(id, project_id);
    let patch = AccountPatch {
        credentials: Some(seal(&context.vault, place, &with_tokens(&Credentials::new(), tokens))),
        metadata: Some(Value::Object(told.metadata)),
        external_id: told.external_id,
        lifetime: Some(lifetime(tokens, now)),
        ..AccountPatch::default()
    };
    let changed = context.store.update_account(project_id, id, &patch, now).await;
    if changed.map_err(Problem::from)?.is_none() {
        return Err(Failed::new("gone", "the linked account was deleted meanwhile"));
    }
    info!(account = %id, app = %account.app, "account connected again");
    Ok(id.clone())
}

fn random() -> SecretString {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    SecretString::from(BASE64URL_NOPAD.encode(&bytes))
}

fn hash(state: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(state.as_bytes()))
}

fn verifier_place<'a>(hash: &'a str, project: &'a str) -> Place<'a> {
    Place { table: "oauth_flows", column: "verifier", row: hash, project }
}
