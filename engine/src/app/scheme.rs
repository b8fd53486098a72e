//! How deliveries are signed: alike for all triggers of an app, or for each as its configuration
//! says.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use serde_json::Value;

use super::App;
use crate::{Scheme, definition::Definition, signature::SchemeError};

/// Schemes of single triggers that are kept compiled.
const KEPT: usize = 10_000;

/// Schemes of single triggers, by type and configuration.
#[derive(Debug, Default)]
pub(crate) struct OwnSchemes(RwLock<HashMap<String, Arc<Scheme>>>);

impl OwnSchemes {
    fn get(&self, key: &str) -> Option<Arc<Scheme>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: String, scheme: Arc<Scheme>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, scheme);
    }
}

impl App {
    /// How deliveries to a trigger of this type, with this configuration, are signed; or what is
    /// wrong with the configuration, with the field of the description in question.
    pub fn scheme_of(&self, name: &str, config: &Value) -> Result<Arc<Scheme>, SchemeError> {
        if !self.script.has("signature_of") {
            return Ok(self.scheme.clone());
        }
        let key = format!("{name} {config}");
        if let Some(known) = self.own_schemes.get(&key) {
            return Ok(known);
        }
        let described = self.script.signature_of(name, config);
        let described = described.map_err(|error| SchemeError::new("", error.message))?;
        let scheme = Arc::new(parse(&described, &self.definition)?);
        self.own_schemes.keep(key, scheme.clone());
        Ok(scheme)
    }
}

/// Reads a description. Public keys are fetched from listed hosts only, as by every other call.
pub(super) fn parse(described: &Value, definition: &Definition) -> Result<Scheme, SchemeError> {
    let scheme = Scheme::parse(described)?;
    let elsewhere = scheme.key_sets().find(|url| !definition.lists_host_of(url));
    elsewhere.map_or(Ok(()), |url| Err(key_set_elsewhere(url)))?;
    Ok(scheme)
}

/// Keys decide whom the server believes, so they come from where the definition says.
fn key_set_elsewhere(url: &str) -> SchemeError {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    SchemeError {
        field: "public_key".to_owned(),
        message: format!("the host `{}` is not listed in app.yaml", host.unwrap_or_default()),
        hint: Some("Add it under `hosts`.".to_owned()),
    }
}
