//! The provider's API where every account has a host of its own: `base_url` of `app.yaml` names a
//! public fact of the account, such as `https://{shop}`.

use serde_json::Value;

use super::App;
use crate::definition::Definition;

impl App {
    /// The provider's API for an account with these public facts, without a slash at its end: the
    /// one the operator chose, or the definition's with the facts put in.
    ///
    /// A fact that is missing, or more than a part of a host, stays as it was written, and no
    /// request can be sent there.
    pub fn base_url(&self, chosen: Option<&str>, facts: &Value) -> String {
        let url = chosen.or(self.definition.base_url.as_deref()).unwrap_or_default();
        let filled = names(url).into_iter().fold(url.to_owned(), |url, name| {
            let fact = facts.get(name).and_then(Value::as_str).filter(|fact| is_host(fact));
            fact.map_or_else(|| url.clone(), |fact| url.replace(&format!("{{{name}}}"), fact))
        });
        filled.trim_end_matches('/').to_owned()
    }
}

/// The facts that a URL names.
fn names(url: &str) -> Vec<&str> {
    let parts = url.split('{').skip(1);
    parts.filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
}

fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    !text.is_empty() && text.bytes().all(allowed)
}

/// The facts in `base_url` that some way of linking an account does not demand, or lets be
/// anything: they decide where credentials are sent.
pub(super) fn loose(definition: &Definition) -> Vec<String> {
    let named = names(definition.base_url.as_deref().unwrap_or_default());
    let is_bound = |name: &str| {
        definition.auth.iter().all(|auth| {
            let schema = auth.metadata.clone().unwrap_or_default();
            let demanded =
                schema["required"].as_array().is_some_and(|all| all.contains(&name.into()));
            demanded && schema["properties"][name]["pattern"].is_string()
        })
    };
    named.into_iter().filter(|name| !is_bound(name)).map(str::to_owned).collect()
}
