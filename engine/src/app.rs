//! An app, compiled: definition, script, signature scheme, schemas and filters, ready to serve.

use std::path::Path;

use serde_json::Value;

use crate::{Filter, Problem, Scheme, Script, definition::Definition, schema::Violation};

/// A loaded app. (stub: owner E1)
#[derive(Debug)]
pub struct App {
    /// Folder name.
    pub slug: String,
    /// Content hash of the definition.
    pub version: String,
    /// What `app.yaml` says.
    pub definition: Definition,
    pub(crate) scheme: Scheme,
    pub(crate) script: Script,
    pub(crate) triggers: Vec<TriggerType>,
}

impl App {
    /// Loads one folder.
    pub fn load(_root: &Path, _slug: &str) -> Result<Self, Vec<Problem>> {
        unimplemented!()
    }
    /// A trigger type by its full name.
    pub fn trigger(&self, name: &str) -> Option<&TriggerType> {
        self.triggers.iter().find(|t| t.name == name)
    }
    /// All trigger types.
    pub fn triggers(&self) -> &[TriggerType] {
        &self.triggers
    }
    /// The signature scheme.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }
    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

/// A trigger type.
#[derive(Debug)]
pub struct TriggerType {
    /// Full name.
    pub name: String,
    /// Full event type.
    pub event_type: String,
    /// Human name.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// JSON Schema of the config.
    pub config_schema: Value,
    /// JSON Schema of the payload.
    pub payload_schema: Value,
    /// Which request documents it is about.
    pub matches: Filter,
}

impl TriggerType {
    /// Checks a config against the schema.
    pub fn check_config(&self, _config: &Value) -> Vec<Violation> {
        unimplemented!()
    }
}
