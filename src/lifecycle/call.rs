//! One trigger's calls to its provider: the app's script, run on a thread that may block.

use std::{collections::BTreeMap, sync::Arc};

use hearken_engine::{
    AccountContext, App, Expanded, LifecycleContext, LifecycleError, Recipient, Registration,
    ScriptError, SubscriptionStatus, TriggerContext, document::Document,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tracing::error;

use super::{account_secret, secret_place};
use crate::{
    accounts::vault::Place,
    api::problem::Problem,
    context::Context,
    egress::Egress,
    store::model::{LinkedAccount, Trigger},
};

/// A trigger's app, and everything its script may know of it.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) app: Arc<App>,
    egress: Egress,
    context: LifecycleContext,
}

impl Call {
    pub(super) fn new(
        context: &Context,
        app: Arc<App>,
        trigger: &Trigger,
        secret: Option<SecretString>,
        account: Option<AccountContext>,
    ) -> Self {
        let facts = account.as_ref().map_or(&Value::Null, |account| &account.metadata);
        let base_url = base_url(context, &app, facts);
        let shared = account.as_ref().and_then(|account| account_secret(&app, account));
        Self {
            egress: context.egress.clone(),
            context: LifecycleContext {
                trigger: TriggerContext {
                    id: trigger.id.clone(),
                    name: trigger.name.clone(),
                    config: trigger.config.clone(),
                    account_id: None,
                    account_metadata: Value::Null,
                    recipient: Recipient {
                        url: trigger.webhook_url.clone(),
                        secrets: secret.or(shared).into_iter().collect(),
                        facts: Value::Null,
                    },
                },
                external_id: trigger.external_id.clone(),
                account,
                provider_app: None,
                hosts: app.allowed_hosts(&base_url),
                base_url,
                state: trigger.state.clone(),
                cursor: cursor(trigger),
            },
            app,
        }
    }

    /// The calls of a trigger that is stored.
    pub(super) async fn existing(
        context: &Context,
        app: Arc<App>,
        trigger: &Trigger,
    ) -> Result<Self, Problem> {
        let open = |sealed: &String| {
            let opened = context.vault.open(secret_place(trigger), sealed);
            opened.map_err(|error| unreadable(&trigger.id, &error))
        };
        let secret = trigger.secret.as_ref().map(open).transpose()?;
        let account = match &trigger.linked_account_id {
            None => None,
            Some(id) => {
                let row = context.store.account(&trigger.project_id, id).await?;
                row.map(|row| open_account(context, &row)).transpose()?
            }
        };
        Ok(Self::new(context, app, trigger, secret, account))
    }

    /// The same calls for the subscription that was made just now.
    pub(super) fn registered_as(&self, external_id: Option<String>, state: Value) -> Self {
        let context = LifecycleContext { external_id, state, ..self.context.clone() };
        Self { app: self.app.clone(), egress: self.egress.clone(), context }
    }

    pub(super) async fn register(&self) -> Result<Registration, LifecycleError> {
        self.run(|app, egress, context| app.script().register(egress, context)).await
    }

    pub(super) async fn renew(&self) -> Result<Registration, LifecycleError> {
        self.run(|app, egress, context| app.script().renew(egress, context)).await
    }

    pub(super) async fn status(&self) -> Result<SubscriptionStatus, LifecycleError> {
        self.run(|app, egress, context| app.script().status(egress, context)).await
    }

    pub(super) async fn expand(
        &self,
        notice: Option<Document>,
    ) -> Result<Expanded, LifecycleError> {
        self.run(move |app, egress, context| app.expand(egress, context, notice.as_ref())).await
    }

    pub(super) async fn unregister(&self) -> Result<(), LifecycleError> {
        self.run(|app, egress, context| app.script().unregister(egress, context)).await
    }

    /// Removes every subscription at the provider that delivers to this trigger's URL.
    pub(super) async fn remove_ours(&self) -> Result<(), LifecycleError> {
        if !self.app.script().has("list") || !self.app.script().has("unregister") {
            return Err(LifecycleError::MissingFunction("list"));
        }
        self.run(|app, egress, context| {
            let listed = app.script().list(egress, context)?;
            for ours in
                listed.into_iter().filter(|listed| listed.url == context.trigger.recipient.url)
            {
                let context =
                    LifecycleContext { external_id: Some(ours.external_id), ..context.clone() };
                app.script().unregister(egress, &context)?;
            }
            Ok(())
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App, &Egress, &LifecycleContext) -> Result<T, LifecycleError>
        + Send
        + 'static,
    ) -> Result<T, LifecycleError> {
        let (app, egress, context) = (self.app.clone(), self.egress.clone(), self.context.clone());
        let ran = tokio::task::spawn_blocking(move || work(&app, &egress, &context)).await;
        ran.unwrap_or_else(|panic| {
            error!(%panic, "a lifecycle call panicked; please report this");
            Err(LifecycleError::Script(ScriptError {
                function: "lifecycle".to_owned(),
                exhausted: false,
                message: "the engine failed".to_owned(),
                line: None,
                column: None,
            }))
        })
    }
}

/// What was written as JSON reads back.
fn cursor(trigger: &Trigger) -> Value {
    let text = trigger.upkeep.cursor.as_deref();
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Opens a linked account for a script.
pub(super) fn open_account(
    context: &Context,
    account: &LinkedAccount,
) -> Result<AccountContext, Problem> {
    let place = Place {
        table: "linked_accounts",
        column: "credentials",
        row: &account.id,
        project: &account.project_id,
    };
    let opened = context.vault.open(place, &account.credentials);
    let text = opened.map_err(|error| unreadable(&account.id, &error))?;
    let fields: Map<String, Value> = serde_json::from_str(text.expose_secret())
        .map_err(|error| unreadable(&account.id, &error))?;
    let credentials: BTreeMap<String, SecretString> = fields
        .into_iter()
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name, SecretString::from(text))
        })
        .collect();
    Ok(AccountContext {
        kind: account.kind.clone(),
        id: account.external_id.clone(),
        credentials,
        metadata: account.metadata.clone(),
    })
}

fn unreadable(id: &str, error: &impl std::fmt::Display) -> Problem {
    error!(%id, %error, "a sealed secret does not open; was the master key changed?");
    Problem::internal()
}

/// The provider's API for an account with these public facts: the operator's choice, or the
/// definition's.
fn base_url(context: &Context, app: &App, facts: &Value) -> String {
    let chosen = context.config.apps.get(&app.slug).and_then(|settings| settings.base_url.as_ref());
    app.base_url(chosen.map(url::Url::as_str), facts)
}

/// Where a URL that a provider names is really called: an operator who says where the provider's
/// API is says it for that, too.
pub(crate) fn destination(context: &Context, app: &App, url: &str) -> String {
    let chosen = context.config.apps.get(&app.slug).and_then(|settings| settings.base_url.as_ref());
    let own = app.definition.base_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let rest = url.strip_prefix(own).filter(|rest| rest.starts_with(['/', '?']));
    match (chosen, rest) {
        (Some(chosen), Some(rest)) if !own.is_empty() => {
            format!("{}{rest}", chosen.as_str().trim_end_matches('/'))
        }
        _ => url.to_owned(),
    }
}
