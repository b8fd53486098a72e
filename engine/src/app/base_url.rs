//! The provider's API where every account has a host of its own: `base_url` of `app.yaml` names a
//! public fact of the account, such as `https://{shop}`.

use serde_json::Value;

use super::App;

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
