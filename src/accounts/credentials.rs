//! Credentials as they are kept: a JSON object, sealed to the row it belongs to.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;

use super::vault::{Place, Vault, VaultError};
use crate::store::model::{LinkedAccount, ProviderApp};

/// Credentials by name.
pub type Credentials = BTreeMap<String, SecretString>;

/// Sealed credentials cannot be read.
#[derive(Debug, Clone, Error)]
pub enum Unreadable {
    /// They do not open; most likely the master key was changed.
    #[error("{0}; was the master key changed?")]
    Sealed(#[from] VaultError),
    /// They are no object. The text is not told, because it is secret.
    #[error("a sealed value does not hold credentials")]
    Malformed,
}

/// Where an account's credentials are sealed to.
pub fn account_place<'a>(id: &'a str, project: &'a str) -> Place<'a> {
    Place { table: "linked_accounts", column: "credentials", row: id, project }
}

/// Where a provider app's credentials are sealed to, the former ones as well: they are moved as
/// they are.
pub fn provider_app_place(id: &str) -> Place<'_> {
    Place { table: "provider_apps", column: "credentials", row: id, project: "" }
}

/// Seals credentials to their place.
pub fn seal(vault: &Vault, place: Place<'_>, credentials: &Map<String, Value>) -> String {
    let text = SecretString::from(Value::Object(credentials.clone()).to_string());
    vault.seal(place, &text)
}

/// Credentials as they came; what is no text counts as its JSON.
pub fn plain(fields: &Map<String, Value>) -> Credentials {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.iter().map(|(name, value)| (name.clone(), SecretString::from(text(value)))).collect()
}

/// Opens sealed credentials.
pub fn open(vault: &Vault, place: Place<'_>, sealed: &str) -> Result<Credentials, Unreadable> {
    let text = vault.open(place, sealed)?;
    let fields: Map<String, Value> =
        serde_json::from_str(text.expose_secret()).map_err(|_| Unreadable::Malformed)?;
    Ok(plain(&fields))
}

/// An account's credentials.
pub fn of_account(vault: &Vault, account: &LinkedAccount) -> Result<Credentials, Unreadable> {
    open(vault, account_place(&account.id, &account.project_id), &account.credentials)
}

/// A provider app's credentials.
pub fn of_provider_app(vault: &Vault, app: &ProviderApp) -> Result<Credentials, Unreadable> {
    open(vault, provider_app_place(&app.id), &app.credentials)
}

/// A provider app's former credentials, as long as they count.
pub fn formerly_of_provider_app(
    vault: &Vault,
    app: &ProviderApp,
    now: hearken_engine::Micros,
) -> Result<Option<Credentials>, Unreadable> {
    let sealed = app.previous_credentials.as_ref();
    let sealed = sealed.filter(|_| app.previous_until.is_some_and(|until| until > now));
    sealed.map(|sealed| open(vault, provider_app_place(&app.id), sealed)).transpose()
}
