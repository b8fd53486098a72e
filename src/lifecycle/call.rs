//! One trigger's calls to its provider: the app's script, run on a thread that may block.

use std::sync::Arc;

use hearken_engine::{
    App, Expanded, LifecycleContext, LifecycleError, Recipient, Registration, ScriptError,
    SubscriptionStatus, TriggerContext, document::Document,
};
use secrecy::SecretString;
use serde_json::Value;
use tracing::{error, warn};

use super::secret_place;
use crate::{
    accounts::{self, Opened, asking::in_script, opened::verifying_secrets},
    api::problem::Problem,
    context::Shared,
    egress::Rerouted,
    store::model::{LinkedAccount, Trigger},
};

/// A trigger's app, and everything its script may know of it.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) app: Arc<App>,
    server: Shared,
    /// The account as it was opened for these calls.
    account: Option<LinkedAccount>,
    context: LifecycleContext,
}

impl Call {
    pub(super) fn new(
        context: &Shared,
        app: Arc<App>,
        trigger: &Trigger,
        secret: Option<SecretString>,
        opened: Option<Opened>,
    ) -> Self {
        let account = opened.as_ref().map(|opened| opened.account.clone());
        let facts = account.as_ref().map_or(&Value::Null, |account| &account.metadata);
        let base_url = context.base_url(&app, facts);
        Self {
            server: context.clone(),
            context: LifecycleContext {
                trigger: TriggerContext {
                    id: trigger.id.clone(),
                    name: trigger.name.clone(),
                    config: trigger.config.clone(),
                    account_id: account.as_ref().and_then(|account| account.id.clone()),
                    account_metadata: account
                        .as_ref()
                        .map_or(Value::Null, |it| it.metadata.clone()),
                    recipient: Recipient {
                        url: trigger.webhook_url.clone(),
                        secrets: verifying_secrets(&app, secret, opened.as_ref()),
                        facts: opened.as_ref().map_or(Value::Null, Opened::facts),
                    },
                },
                external_id: trigger.external_id.clone(),
                account,
                provider_app: opened
                    .as_ref()
                    .and_then(|opened| Some(opened.provider_app.as_ref()?.context.clone())),
                hosts: app.allowed_hosts(&base_url),
                base_url,
                state: trigger.state.clone(),
                cursor: cursor(trigger),
            },
            account: opened.map(|opened| opened.row),
            app,
        }
    }

    /// The calls of a trigger that is stored.
    pub(super) async fn existing(
        context: &Shared,
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
            Some(id) => match context.store.account(&trigger.project_id, id).await? {
                Some(row) => Some(Box::pin(accounts::ready(context, &app, row)).await?),
                None => None,
            },
        };
        Ok(Self::new(context, app, trigger, secret, account))
    }

    /// The same calls for the subscription that was made just now.
    pub(super) fn registered_as(&self, external_id: Option<String>, state: Value) -> Self {
        let context = LifecycleContext { external_id, state, ..self.context.clone() };
        Self { context, ..self.clone() }
    }

    /// The key of the subscription that the trigger shares, if it shares one.
    pub(super) fn subscription_key(&self) -> Result<Option<String>, ScriptError> {
        self.app.script().subscription_key(&self.context.trigger)
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

    /// Runs `work`, and once more with a renewed access token where the provider refused the one
    /// it was given.
    async fn run<T, W>(&self, work: W) -> Result<T, LifecycleError>
    where
        T: Send + 'static,
        W: FnOnce(&App, &Rerouted, &LifecycleContext) -> Result<T, LifecycleError>,
        W: Clone + Send + 'static,
    {
        let run = |context: LifecycleContext| {
            let (app, work) = (self.app.clone(), work.clone());
            let way_out = self.server.way_out(&app);
            in_script(move || work(&app, &way_out, &context))
        };
        match (run(self.context.clone()).await, &self.account) {
            (
                Err(LifecycleError::Provider { status: 401, message, hint, retry_after }),
                Some(account),
            ) => match Box::pin(accounts::renewed(&self.server, &self.app, account)).await {
                Ok(Some(opened)) => {
                    let account = Some(opened.account);
                    run(LifecycleContext { account, ..self.context.clone() }).await
                }
                Ok(None) => {
                    Err(LifecycleError::Provider { status: 401, message, hint, retry_after })
                }
                Err(error) => {
                    warn!(account = %account.id, %error, "no other access token can be had");
                    let hint = Some(error.to_string());
                    Err(LifecycleError::Provider { status: 401, message, hint, retry_after })
                }
            },
            (ended, _) => ended,
        }
    }
}

/// What was written as JSON reads back.
fn cursor(trigger: &Trigger) -> Value {
    let text = trigger.upkeep.cursor.as_deref();
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn unreadable(id: &str, error: &impl std::fmt::Display) -> Problem {
    error!(%id, %error, "a sealed secret does not open; was the master key changed?");
    Problem::internal()
}
