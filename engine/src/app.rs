//! An app, compiled: definition, script, signature scheme, schemas and filters, ready to serve.

mod base_url;
mod check;
mod folder;
mod scheme;

use std::{path::Path, sync::Arc};

use serde_json::Value;

pub(crate) use self::{
    check::dotted,
    folder::{DEFINITION, Folder, GUIDE, SCRIPT, read_text},
    scheme::OwnSchemes,
};
use crate::{
    Filter, Problem, Scheme, Script,
    definition::{Definition, IngressScope},
    route::Routes,
    schema::{Schema, Violation},
};

/// A loaded app: immutable, and complete or not there at all.
#[derive(Debug)]
pub struct App {
    /// Name of its folder.
    pub slug: String,
    /// Content hash of what decides its behaviour (`app.yaml`, the script, its schemas): the
    /// first 16 hex digits of a SHA-256. Stamped on every event.
    pub version: String,
    /// What `app.yaml` says.
    pub definition: Definition,
    /// The set-up guide for users (`README.md`), in Markdown.
    pub guide: Option<String>,
    /// Changes when any file of the folder that is read changes.
    pub(crate) fingerprint: String,
    pub(crate) scheme: Arc<Scheme>,
    pub(crate) own_schemes: OwnSchemes,
    pub(crate) routes: Routes,
    pub(crate) script: Script,
    pub(crate) triggers: Vec<TriggerType>,
}

/// A trigger type, compiled.
#[derive(Debug)]
pub struct TriggerType {
    /// Full name (`ACME__PUSH`).
    pub name: String,
    /// Full event type (`acme.push`).
    pub event_type: String,
    /// Human name.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// JSON Schema of its configuration. Shared with the triggers that have the same.
    pub config_schema: Arc<Value>,
    /// JSON Schema of its events' data. Shared with the triggers that have the same.
    pub payload_schema: Arc<Value>,
    /// Which request documents it is about.
    pub matches: Filter,
}

impl App {
    /// Loads the folder `slug` of the apps folder `root`, or says everything that is wrong with
    /// it.
    pub fn load(root: &Path, slug: &str) -> Result<Self, Vec<Problem>> {
        Self::from_folder(Folder::read(root, slug).map_err(|problem| vec![problem])?)
    }

    /// Compiles a folder that was read.
    pub(crate) fn from_folder(folder: Folder) -> Result<Self, Vec<Problem>> {
        check::compile(folder)
    }

    /// A trigger type by its full name.
    pub fn trigger(&self, name: &str) -> Option<&TriggerType> {
        self.triggers.iter().find(|trigger| trigger.name == name)
    }

    /// All trigger types, in the order of the definition.
    pub fn triggers(&self) -> &[TriggerType] {
        &self.triggers
    }

    /// Whether the app registered at the provider has one URL for all accounts.
    pub fn has_shared_url(&self) -> bool {
        self.definition.ingress.scope == IngressScope::App
    }

    /// How deliveries are signed; of an app whose triggers each say so, only that they are.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The connector script.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// The hosts lifecycle functions may reach when the provider's API is at `base_url`.
    pub fn allowed_hosts(&self, base_url: &str) -> Vec<String> {
        let mut hosts = self.definition.hosts.clone();
        if let Ok(url) = url::Url::parse(base_url)
            && let Some(host) = url.host_str()
        {
            hosts.push(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
        }
        hosts
    }
}

impl TriggerType {
    /// Every way in which a configuration does not fit; empty when it fits.
    pub fn check_config(&self, config: &Value) -> Vec<Violation> {
        violations(&self.config_schema, config)
    }

    /// Every way in which an event's data does not fit the payload schema.
    pub fn check_payload(&self, data: &Value) -> Vec<Violation> {
        violations(&self.payload_schema, data)
    }
}

/// Compiles the schema anew: a compiled one takes up a hundred times its text, and no request
/// that a provider makes needs it.
fn violations(schema: &Value, instance: &Value) -> Vec<Violation> {
    Schema::compile(schema).expect("it compiled when the app was loaded").check(instance)
}

/// Whether `slug` can name an app: `^[a-z0-9][a-z0-9_-]{0,62}$`.
pub fn is_slug(slug: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = slug.bytes();
    bytes.next().is_some_and(plain)
        && slug.len() <= 63
        && bytes.all(|byte| plain(byte) || matches!(byte, b'_' | b'-'))
}
