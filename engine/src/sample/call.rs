//! Samples of calls to the provider: the script's function, made against recorded answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{case::Case, http::Recorded};
use crate::{
    AccountContext, App, IdentityContext, LifecycleContext, LifecycleError, ProviderAppContext,
    script::SubscriptionStatus,
};

impl Case {
    /// Makes the call and puts its result in the form samples are written in.
    pub(super) fn call(&self, app: &App, recorded: &Recorded) -> Result<Value, LifecycleError> {
        let context = self.lifecycle(app);
        if self.call.as_deref() == Some("identify") {
            return identify(app, recorded, context);
        }
        let script = app.script();
        match self.call.as_deref().unwrap_or_default() {
            "register" => script.register(recorded, &context).map(|made| registration(&made)),
            "renew" => script.renew(recorded, &context).map(|made| registration(&made)),
            "unregister" => script.unregister(recorded, &context).map(|()| json!({})),
            "status" => script.status(recorded, &context).map(|status| match status {
                SubscriptionStatus::Active => json!({ "state": "active" }),
                SubscriptionStatus::Inactive(reason) => {
                    json!({ "state": "inactive", "reason": reason })
                }
                SubscriptionStatus::Missing => json!({ "state": "missing" }),
            }),
            _ => script.list(recorded, &context).map(|listed| {
                let items = listed.into_iter().map(|one| {
                    json!({ "external_id": one.external_id, "url": one.url, "active": one.active })
                });
                Value::Array(items.collect())
            }),
        }
    }

    /// What a call of the sample's trigger knows.
    pub(super) fn lifecycle(&self, app: &App) -> LifecycleContext {
        let facts = self.account.as_ref().map_or(&Value::Null, |account| &account.metadata);
        let base_url = app.base_url(None, facts);
        LifecycleContext {
            trigger: self.context(app),
            external_id: self.external_id.clone(),
            account: self.account.as_ref().map(|account| AccountContext {
                kind: account.kind.clone(),
                id: account.id.clone(),
                credentials: account.credentials.clone(),
                metadata: account.metadata.clone(),
            }),
            provider_app: self.provider_app.as_ref().map(|app| ProviderAppContext {
                id: "pap_sample".to_owned(),
                credentials: app.credentials.clone(),
                metadata: app.metadata.clone(),
            }),
            hosts: app.allowed_hosts(&base_url),
            base_url,
            state: self.state.clone(),
            cursor: self.cursor.clone(),
        }
    }
}

fn identify(
    app: &App,
    recorded: &Recorded,
    context: LifecycleContext,
) -> Result<Value, LifecycleError> {
    let LifecycleContext { account, provider_app, base_url, hosts, .. } = context;
    let account = account.unwrap_or(AccountContext {
        kind: "none".to_owned(),
        id: None,
        credentials: BTreeMap::new(),
        metadata: Value::Null,
    });
    let context = IdentityContext { account, provider_app, base_url, hosts };
    let identity = app.script().identify(recorded, &context)?;
    Ok(json!({ "id": identity.id, "name": identity.name, "metadata": identity.metadata }))
}

fn registration(made: &crate::Registration) -> Value {
    json!({
        "external_id": made.external_id,
        "expires_at": made.expires_at,
        "renew_at": made.renew_at,
        "renew_after": made.renew_after,
        "cursor": made.cursor,
        "state": made.state,
        "has_secret": made.secret.is_some(),
    })
}
