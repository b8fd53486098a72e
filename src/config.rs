//! Configuration: a TOML file, then `HEARKEN_*` variables, then flags; unknown keys are fatal.

mod jobs;
mod lists;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;
use url::Url;

pub use self::jobs::{Jobs, Seconds};
pub use self::lists::{Origin, Reroute};

/// Everything an operator can set. Fixed after start.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address the server listens on.
    pub listen: SocketAddr,
    /// `sqlite://path/to/file.db` or `postgres://…`.
    #[serde(serialize_with = "without_password")]
    pub database_url: String,
    /// Folder of app folders.
    pub apps_dir: PathBuf,
    /// Folder for what the server generates (keys) and, by default, its SQLite file.
    pub data_dir: PathBuf,
    /// The URL providers reach this server under; `http://<listen>` when unset.
    pub public_url: Option<Url>,
    /// The first API key; generated into the data folder when unset.
    #[serde(serialize_with = "redacted")]
    pub root_key: Option<SecretString>,
    /// Sealing keys, 32 bytes in base64, comma-separated: the first seals, all of them open.
    /// Generated into the data folder when unset.
    #[serde(serialize_with = "redacted")]
    pub master_key: Option<SecretString>,
    /// Networks outgoing calls may reach besides public addresses, comma-separated CIDRs.
    #[serde(deserialize_with = "lists::networks")]
    pub egress_allow: Vec<IpNet>,
    /// Origins besides that of the public URL that users may be sent back to after linking an
    /// account by OAuth2, comma-separated.
    #[serde(deserialize_with = "lists::items")]
    pub return_origins: Vec<Origin>,
    /// Settings of single apps, by slug.
    pub apps: BTreeMap<String, AppConfig>,
    /// Limits on what clients may ask of the server.
    pub limits: Limits,
    /// The server's own jobs.
    pub jobs: Jobs,
    /// Logging.
    pub log: Log,
}

/// Settings of one app.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppConfig {
    /// Replaces the definition's `base_url`: an enterprise installation, or a simulator.
    pub base_url: Option<Url>,
    /// Replaces the beginnings of URLs that the app's calls go to, comma-separated, each as
    /// `https://api.example=http://127.0.0.1:9000`.
    #[serde(deserialize_with = "lists::items")]
    pub urls: Vec<Reroute>,
}

/// Limits on what clients may ask of the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections in all.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_ip: usize,
    /// Seconds in which a request's head must have arrived.
    pub header_seconds: u64,
    /// Seconds in which a request's body must have arrived.
    pub body_seconds: u64,
    /// Webhook requests a second to one trigger, and twice that in a burst.
    pub webhooks_per_second: u32,
    /// API requests a second by one key, and twice that in a burst.
    pub api_per_second: u32,
    /// Seconds a provider may take to answer a registration call.
    pub provider_seconds: u64,
    /// Seconds after which a stream of events shows that it lives.
    pub heartbeat_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_ip: 1024,
            header_seconds: 5,
            body_seconds: 10,
            webhooks_per_second: 500,
            api_per_second: 100,
            provider_seconds: 15,
            heartbeat_seconds: 15,
        }
    }
}

/// Logging.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level, or directives such as `hearken=debug,info`.
    pub filter: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            database_url: "sqlite://data/hearken.db".to_owned(),
            apps_dir: PathBuf::from("./apps"),
            data_dir: PathBuf::from("./data"),
            public_url: None,
            root_key: None,
            master_key: None,
            egress_allow: Vec::new(),
            return_origins: Vec::new(),
            apps: BTreeMap::new(),
            limits: Limits::default(),
            jobs: Jobs::default(),
            log: Log::default(),
        }
    }
}

/// The configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A key is unknown or a value does not fit.
    #[error("the configuration is not valid: {0}")]
    Invalid(Box<figment::Error>),
    /// The named file does not exist.
    #[error("the configuration file {0} does not exist")]
    NoFile(PathBuf),
}

impl Config {
    /// Reads `file` (or `hearken.toml` in the working directory, if there), then the environment,
    /// then `flags`.
    pub fn load(file: Option<PathBuf>, flags: &Flags) -> Result<Self, ConfigError> {
        if let Some(file) = &file
            && !file.exists()
        {
            return Err(ConfigError::NoFile(file.clone()));
        }
        let file = file.unwrap_or_else(|| PathBuf::from("hearken.toml"));
        Figment::from(Serialized::defaults(Self::default()))
            .merge(Toml::file(file))
            .merge(
                Env::prefixed("HEARKEN_")
                    // Where the file is, what a command signs in with, and what only the tests read.
                    .ignore(&["config", "key", "test_postgres_url"])
                    .split("__")
                    .lowercase(true),
            )
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|error| ConfigError::Invalid(Box::new(error)))
    }

    /// The database URL, its password hidden.
    pub fn shown_database_url(&self) -> String {
        hide_password(&self.database_url)
    }

    /// Where a provider delivers to a trigger or a provider app.
    pub fn webhook_url(&self, app: &str, id: &str) -> String {
        format!("{}/v1/webhooks/{app}/{id}", self.public_url())
    }

    /// The public base URL without a trailing slash.
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }
}

/// Settings given on the command line; they win over everything.
#[derive(Debug, Clone, Default, Serialize, clap::Args)]
pub struct Flags {
    /// Address to listen on, such as 127.0.0.1:8080.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// `sqlite://file.db` or `postgres://…`.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// Folder of app folders.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apps_dir: Option<PathBuf>,
    /// Folder for generated keys.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// URL providers reach this server under.
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
}

#[expect(clippy::ref_option, reason = "serde's serialize_with passes a reference to the field")]
fn redacted<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) if !secret.expose_secret().is_empty() => serializer.serialize_some("[set]"),
        _ => serializer.serialize_none(),
    }
}

fn without_password<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hide_password(url))
}

fn hide_password(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        return url.to_owned();
    };
    // Fails only for URLs that cannot have a password, and this one has.
    if parsed.password().is_some() && parsed.set_password(Some("***")).is_ok() {
        return parsed.into();
    }
    url.to_owned()
}
