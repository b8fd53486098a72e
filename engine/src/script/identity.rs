//! `identify`: whose the credentials of an account are, asked when it is linked, so that wrong ones
//! are told at once.

use rhai::Dynamic;
use serde_json::{Map, Value};

use super::{
    AccountContext, HttpClient, LifecycleError, ProviderAppContext, Script,
    convert::Output,
    lifecycle::{Reach, call_with, describe_account, describe_provider_app},
    record::Record,
    secret::Known,
};

/// A linked account as its provider calls it.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The provider's id of it.
    pub id: Option<String>,
    /// What to call it.
    pub name: Option<String>,
    /// Public facts, added to those that are known.
    pub metadata: Map<String, Value>,
}

/// What `identify` knows of an account that is about to be linked.
#[derive(Debug, Clone)]
pub struct IdentityContext {
    /// The account; its id is what is asked for.
    pub account: AccountContext,
    /// The app registered at the provider through which it is linked.
    pub provider_app: Option<ProviderAppContext>,
    /// The provider's API, as in [`LifecycleContext::base_url`](super::LifecycleContext::base_url).
    pub base_url: String,
    /// Hosts that may be reached.
    pub hosts: Vec<String>,
}

/// Asks the provider whose the credentials of an account are.
pub(super) fn identify(
    script: &Script,
    client: &dyn HttpClient,
    context: &IdentityContext,
) -> Result<Identity, LifecycleError> {
    let reach = Reach { client, base_url: &context.base_url, hosts: &context.hosts };
    let describe = |known: &Known| {
        let mut map = describe_account(&context.account, known);
        map.remove("id");
        let provider_app = context.provider_app.as_ref();
        let provider_app = provider_app.map(|app| describe_provider_app(app, known));
        map.extend([
            ("base_url".into(), context.base_url.trim_end_matches('/').into()),
            ("provider_app".into(), provider_app.map_or(Dynamic::UNIT, Dynamic::from)),
        ]);
        map
    };
    call_with(script, "identify", reach, describe, None, identity)
}

/// What `identify` returns.
fn identity(what: &str, value: Dynamic) -> Result<Identity, String> {
    let mut record = Record::new(what, value, &["id", "name", "metadata"])?;
    let metadata = match record.json("metadata", &mut Output::default())? {
        Value::Null => Map::new(),
        Value::Object(facts) => facts,
        _ => return Err(format!("`metadata` of {what} must be a map")),
    };
    Ok(Identity { id: record.text("id")?, name: record.text("name")?, metadata })
}
