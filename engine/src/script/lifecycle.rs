//! The functions that talk to a provider: make a subscription, look after it, end it.

use std::{collections::BTreeMap, sync::mpsc, thread};

use rhai::{Dynamic, Map};
use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;
use url::Url;

use super::{
    HttpClient, Script, ScriptError,
    convert::Output,
    engine,
    failure::Ending,
    json::Json,
    mapping, meter,
    record::Record,
    secret::Known,
    web::{Exchange, Http},
};
use crate::{Micros, TriggerContext};

/// Stack of the thread a lifecycle function runs on, with room for debug builds.
const STACK: usize = 4 << 20;

/// What a lifecycle function knows.
#[derive(Debug, Clone)]
pub struct LifecycleContext {
    /// The trigger.
    pub trigger: TriggerContext,
    /// The subscription's id at the provider.
    pub external_id: Option<String>,
    /// The linked account.
    pub account: Option<AccountContext>,
    /// The app registered at the provider through which it is linked.
    pub provider_app: Option<ProviderAppContext>,
    /// The provider's API. Its host may be reached beside [`Self::hosts`], and without encryption
    /// if this is an `http` URL.
    pub base_url: String,
    /// Hosts that may be reached (`host` or `host:port`).
    pub hosts: Vec<String>,
    /// What an earlier call asked to keep.
    pub state: Value,
    /// How far the provider's history was read; null at first.
    pub cursor: Value,
}

/// A linked account's credentials.
#[derive(Debug, Clone)]
pub struct AccountContext {
    /// Kind.
    pub kind: String,
    /// The provider's id of it, where it is known.
    pub id: Option<String>,
    /// Credentials by field.
    pub credentials: BTreeMap<String, SecretString>,
    /// Metadata.
    pub metadata: Value,
}

/// The credentials of an app that is registered at the provider.
#[derive(Debug, Clone)]
pub struct ProviderAppContext {
    /// Our id of it (`pap_…`).
    pub id: String,
    /// Credentials by field.
    pub credentials: BTreeMap<String, SecretString>,
    /// Metadata.
    pub metadata: Value,
}

/// A subscription made or renewed.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its id at the provider.
    pub external_id: Option<String>,
    /// The secret, where the provider chose it.
    pub secret: Option<SecretString>,
    /// When it expires.
    pub expires_at: Option<Micros>,
    /// When to renew it; at half its lifetime where the script does not say.
    pub renew_at: Option<Micros>,
    /// Or after how many seconds, where the provider asks for it oftener than at half the lifetime.
    pub renew_after: Option<u32>,
    /// From where on the provider's history is to be read.
    pub cursor: Option<Value>,
    /// What to keep for later calls.
    pub state: Value,
}

/// A subscription at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSubscription {
    /// Its id.
    pub external_id: String,
    /// Where it delivers.
    pub url: String,
    /// Whether it is on.
    pub active: bool,
}

/// The provider's view of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// It is there and on.
    Active,
    /// It is there but off, with the reason.
    Inactive(String),
    /// It is gone.
    Missing,
}

/// Why a lifecycle call failed. No text in it contains a secret of the call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LifecycleError {
    /// The provider refused.
    #[error("the provider answered {status}: {message}")]
    Provider {
        /// HTTP status.
        status: u16,
        /// The provider's own words, at most 500 characters.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// Seconds after which the provider wants to be asked again, where it says so.
        retry_after: Option<u64>,
    },
    /// No connection.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the provider did not answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The egress guard refused.
    #[error("the request was not sent: {0}")]
    Denied(String),
    /// The definition does not list the host.
    #[error("the app may not reach `{host}`: add it to `hosts` in app.yaml")]
    HostNotListed {
        /// Host.
        host: String,
    },
    /// The script has no such function.
    #[error("the app's script has no function `{0}`")]
    MissingFunction(&'static str),
    /// The script failed.
    #[error("the app's script failed: {0}")]
    Script(#[from] ScriptError),
}

impl LifecycleError {
    fn scrubbed(self, known: &Known) -> Self {
        let scrub = |text: String| known.scrub(&text);
        match self {
            Self::Provider { status, message, hint, retry_after } => {
                let (message, hint) = (scrub(message), hint.map(scrub));
                Self::Provider { status, message, hint, retry_after }
            }
            Self::Unreachable(reason) => Self::Unreachable(scrub(reason)),
            Self::Denied(reason) => Self::Denied(scrub(reason)),
            Self::HostNotListed { host } => Self::HostNotListed { host: scrub(host) },
            Self::Script(error) => {
                Self::Script(ScriptError { message: scrub(error.message), ..error })
            }
            other @ (Self::Timeout { .. } | Self::MissingFunction(_)) => other,
        }
    }
}

/// Calls a function that takes the trigger.
pub(super) fn call<T: Send>(
    script: &Script,
    function: &'static str,
    client: &dyn HttpClient,
    context: &LifecycleContext,
    read: fn(&str, Dynamic) -> Result<T, String>,
) -> Result<T, LifecycleError> {
    let reach = Reach { client, base_url: &context.base_url, hosts: &context.hosts };
    call_with(script, function, reach, |known| describe(context, known), None, read)
}

/// Whom a call may reach, and how.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) client: &'a dyn HttpClient,
    pub(super) base_url: &'a str,
    pub(super) hosts: &'a [String],
}

/// Calls `function` on a thread of its own with what `describe` makes its second argument, and a
/// third one where it takes one; sends its requests from this thread, and reads what it returned
/// with `read`.
pub(super) fn call_with<T: Send>(
    script: &Script,
    function: &'static str,
    reach: Reach<'_>,
    describe: impl FnOnce(&Known) -> Map + Send,
    third: Option<Dynamic>,
    read: fn(&str, Dynamic) -> Result<T, String>,
) -> Result<T, LifecycleError> {
    if !script.has(function) {
        return Err(LifecycleError::MissingFunction(function));
    }
    let base_url = Url::parse(reach.base_url)
        .map_err(|error| LifecycleError::Denied(format!("the app's base URL is wrong: {error}")))?;
    let known = Known::default();
    let (sender, requests) = mpsc::channel::<Exchange>();
    let http = Http::new(sender, reach.hosts, base_url);
    let client = reach.client;
    let result = thread::scope(|scope| {
        let known = known.clone();
        let run = move || run(script, function, http, describe(&known), third, &known, read);
        let worker = thread::Builder::new()
            .name(function.to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, run)
            .map_err(|error| script.error(function, format!("no thread to run it: {error}")))?;
        // Ends when the script, and with it the last sender, is gone.
        for exchange in requests {
            // Where the script no longer waits, nobody needs the answer.
            let _ = exchange.answer.send(client.send(exchange.request));
        }
        worker.join().unwrap_or_else(|_| Err(script.error(function, "the call broke off").into()))
    });
    result.map_err(|error: LifecycleError| error.scrubbed(&known))
}

fn run<T>(
    script: &Script,
    function: &'static str,
    http: Http,
    described: Map,
    third: Option<Dynamic>,
    known: &Known,
    read: fn(&str, Dynamic) -> Result<T, String>,
) -> Result<T, LifecycleError> {
    let (result, printed) = meter::metered(|| {
        let (ast, constants) = (&script.ast, &script.constants);
        let returned = match third {
            None => engine::call(ast, constants, function, (http, described)),
            Some(third) => engine::call(ast, constants, function, (http, described, third)),
        };
        returned.map(|value| read(&format!("{function}()"), value))
    });
    let printed: Vec<String> = printed.iter().map(|line| known.scrub(line)).collect();
    script.log(function, &printed);
    match result {
        Ok(read) => read.map_err(|message| script.error(function, message).into()),
        Err(error) => match script.explain(function, *error)? {
            Ending::Lifecycle(error) => Err(error),
            Ending::Skipped(_) => {
                Err(script.error(function, "only events() may call skip()").into())
            }
        },
    }
}

/// The argument `trigger`.
pub(super) fn describe(context: &LifecycleContext, known: &Known) -> Map {
    let mut map = mapping::describe(&context.trigger);
    let secrets = context.trigger.recipient.secrets.iter();
    let mut secrets: Vec<Dynamic> =
        secrets.map(|secret| Dynamic::from(known.secret(secret))).collect();
    secrets.truncate(1);
    let account = context.account.as_ref().map(|account| describe_account(account, known));
    let provider_app = context.provider_app.as_ref();
    let provider_app = provider_app.map(|app| describe_provider_app(app, known));
    let external_id = context.external_id.as_ref();
    map.extend([
        ("secret".into(), secrets.pop().unwrap_or(Dynamic::UNIT)),
        ("account".into(), account.map_or(Dynamic::UNIT, Dynamic::from)),
        ("provider_app".into(), provider_app.map_or(Dynamic::UNIT, Dynamic::from)),
        ("external_id".into(), external_id.map_or(Dynamic::UNIT, |id| id.to_owned().into())),
        ("base_url".into(), context.base_url.trim_end_matches('/').into()),
        ("state".into(), Json::present(context.state.clone().into())),
        ("cursor".into(), Json::present(context.cursor.clone().into())),
    ]);
    map
}

pub(super) fn describe_account(account: &AccountContext, known: &Known) -> Map {
    let mut map = describe_credentials(&account.credentials, &account.metadata, known);
    map.insert("kind".into(), account.kind.as_str().into());
    let id = account.id.clone();
    map.insert("id".into(), id.map_or(Dynamic::UNIT, Dynamic::from));
    map
}

pub(super) fn describe_provider_app(app: &ProviderAppContext, known: &Known) -> Map {
    let mut map = describe_credentials(&app.credentials, &app.metadata, known);
    map.insert("id".into(), app.id.as_str().into());
    map
}

fn describe_credentials(
    credentials: &BTreeMap<String, SecretString>,
    metadata: &Value,
    known: &Known,
) -> Map {
    let secret =
        |(field, value): (&String, _)| (field.as_str().into(), Dynamic::from(known.secret(value)));
    let mut map: Map = credentials.iter().map(secret).collect();
    map.insert("metadata".into(), Json::present(metadata.clone().into()));
    map
}

/// What `register` and `renew` return; nothing at all counts as a subscription without an id.
pub(super) fn registration(what: &str, value: Dynamic) -> Result<Registration, String> {
    let value = if value.is_unit() { Dynamic::from(Map::new()) } else { value };
    let keys =
        ["external_id", "secret", "expires_at", "renew_at", "renew_after", "state", "cursor"];
    let mut record = Record::new(what, value, &keys)?;
    Ok(Registration {
        external_id: record.text("external_id")?,
        secret: record.secret("secret")?,
        expires_at: record.moment("expires_at")?,
        renew_at: record.moment("renew_at")?,
        renew_after: record.seconds("renew_after")?,
        cursor: Some(record.json("cursor", &mut Output::default())?)
            .filter(|cursor| !cursor.is_null()),
        state: record.json("state", &mut Output::default())?,
    })
}

/// What `status` returns.
pub(super) fn status(what: &str, value: Dynamic) -> Result<SubscriptionStatus, String> {
    let mut record = Record::new(what, value, &["state", "reason"])?;
    let state = record.required_text("state")?;
    let reason = record.text("reason")?;
    match state.as_str() {
        "active" => Ok(SubscriptionStatus::Active),
        "inactive" => Ok(SubscriptionStatus::Inactive(
            reason.unwrap_or_else(|| "the provider says it is off".to_owned()),
        )),
        "missing" => Ok(SubscriptionStatus::Missing),
        other => Err(format!(
            "`state` of {what} must be \"active\", \"inactive\" or \"missing\", not {other:?}"
        )),
    }
}

/// What `list` returns.
pub(super) fn listed(what: &str, value: Dynamic) -> Result<Vec<ListedSubscription>, String> {
    let items =
        value.into_array().map_err(|_| format!("{what} must return an array of subscriptions"))?;
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            let what = format!("subscription {} of {what}", index + 1);
            let mut record = Record::new(&what, item, &["external_id", "url", "active"])?;
            Ok(ListedSubscription {
                external_id: record.required_text("external_id")?,
                url: record.required_text("url")?,
                active: record.flag("active", true)?,
            })
        })
        .collect()
}
