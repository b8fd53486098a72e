//! Accounts and provider apps with their credentials opened, and the secrets among them that
//! verify deliveries.

use hearken_engine::{AccountContext, App, ProviderAppContext, definition::SecretScope};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{
    AccountError,
    credentials::{Credentials, formerly_of_provider_app, of_account, of_provider_app},
};
use crate::{
    clock,
    context::Context,
    store::model::{LinkedAccount, ProviderApp},
};

/// Names of the credential that verifies deliveries, where the definition does not say.
const SECRET_FIELDS: [&str; 3] = ["webhook_secret", "signing_secret", "secret"];

/// An account, opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Its row.
    pub row: LinkedAccount,
    /// What its app's script may know of it.
    pub account: AccountContext,
    /// The provider app it is linked through.
    pub provider_app: Option<OpenedApp>,
}

/// A provider app, opened.
#[derive(Debug, Clone)]
pub struct OpenedApp {
    /// What its app's script may know of it.
    pub context: ProviderAppContext,
    /// The credentials before the last change, as long as they verify deliveries.
    former: Option<Credentials>,
}

/// Opens an account as it is, and the provider app it is linked through.
pub async fn open(context: &Context, row: LinkedAccount) -> Result<Opened, AccountError> {
    let provider_app = match &row.provider_app_id {
        None => None,
        Some(id) => match context.store.provider_app(id).await? {
            None => None,
            Some(app) => Some(open_provider_app(context, &app)?),
        },
    };
    let account = AccountContext {
        kind: row.kind.clone(),
        id: row.external_id.clone(),
        credentials: of_account(&context.vault, &row)?,
        metadata: row.metadata.clone(),
    };
    Ok(Opened { row, account, provider_app })
}

/// Opens a provider app.
pub fn open_provider_app(context: &Context, row: &ProviderApp) -> Result<OpenedApp, AccountError> {
    Ok(OpenedApp {
        context: ProviderAppContext {
            id: row.id.clone(),
            credentials: of_provider_app(&context.vault, row)?,
            metadata: row.metadata.clone(),
        },
        former: formerly_of_provider_app(&context.vault, row, clock::now())?,
    })
}

impl Opened {
    /// Public facts of the provider app and of the account, as one object; the account's win.
    pub fn facts(&self) -> Value {
        let app = self.provider_app.as_ref().map(|app| &app.context.metadata);
        let all = app.into_iter().chain([&self.account.metadata]);
        let all = all.filter_map(Value::as_object).flatten();
        Value::Object(all.map(|(name, fact)| (name.clone(), fact.clone())).collect::<Map<_, _>>())
    }
}

impl OpenedApp {
    /// The secrets that verify deliveries for all accounts of this provider app: the present one,
    /// and the former one as long as the provider may still sign with it.
    pub fn secrets(&self, app: &App) -> Vec<SecretString> {
        let all = [Some(&self.context.credentials), self.former.as_ref()];
        let found = all.into_iter().flatten();
        found.filter_map(|credentials| verifying(app, credentials)).collect()
    }
}

/// The secrets that verify a trigger's deliveries, by the scope its app defines: `own` is what is
/// kept with the trigger itself.
pub fn verifying_secrets(
    app: &App,
    own: Option<SecretString>,
    account: Option<&Opened>,
) -> Vec<SecretString> {
    let of_account = || account.and_then(|opened| verifying(app, &opened.account.credentials));
    let of_app = || account.and_then(|opened| opened.provider_app.as_ref());
    let shared: Vec<SecretString> = match app.definition.secret.scope {
        SecretScope::Trigger => Vec::new(),
        SecretScope::Account => of_account().into_iter().collect(),
        SecretScope::App => match of_app() {
            Some(provider_app) => provider_app.secrets(app),
            None => of_account().into_iter().collect(),
        },
    };
    if shared.is_empty() { own.into_iter().collect() } else { shared }
}

fn verifying(app: &App, credentials: &Credentials) -> Option<SecretString> {
    let field = app.definition.secret.field.as_deref();
    match field {
        Some(field) => credentials.get(field),
        None => SECRET_FIELDS.iter().find_map(|field| credentials.get(*field)),
    }
    .cloned()
}
