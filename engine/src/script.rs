//! The script host. (stub: owner E2)

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;
use thiserror::Error;

use crate::{Headers, Micros, Problem, TriggerContext, document::Document};

/// A compiled script.
#[derive(Debug)]
pub struct Script {}

/// What `events` made of a request.
#[derive(Debug)]
pub enum Mapped {
    /// Events, not yet completed with the trigger's type and a fallback id.
    Events(Vec<MappedEvent>),
    /// The script skipped the request, with its reason.
    Skipped(String),
}

/// One event as the script described it.
#[derive(Debug)]
pub struct MappedEvent {
    /// Event type without the app's slug; the trigger's own where absent.
    pub event_type: Option<String>,
    /// The provider's id of the event; a hash of the body where absent.
    pub id: Option<String>,
    /// When it happened.
    pub occurred_at: Option<Micros>,
    /// Its payload.
    pub data: Value,
}

/// A script failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{function}: {message}")]
pub struct ScriptError {
    /// Function that failed.
    pub function: String,
    /// How.
    pub message: String,
    /// Line in the script.
    pub line: Option<usize>,
    /// Column in the script.
    pub column: Option<usize>,
}

/// Sends the requests of lifecycle functions; the server implements it behind its egress guard.
pub trait HttpClient: Send + Sync {
    /// Sends one request and waits for the answer.
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// An outgoing request.
pub struct HttpRequest {
    /// Method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Header fields; values may be secret.
    pub headers: Vec<(String, SecretString)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

/// An answer.
#[derive(Debug)]
pub struct HttpResponse {
    /// Status.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// Body.
    pub body: Vec<u8>,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// The address or host may not be reached.
    #[error("{0}")]
    Denied(String),
    /// No connection, or it broke.
    #[error("{0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The answer is too large.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// What a lifecycle function knows.
#[derive(Debug, Clone)]
pub struct LifecycleContext {
    /// The trigger.
    pub trigger: TriggerContext,
    /// The subscription's id at the provider.
    pub external_id: Option<String>,
    /// The linked account.
    pub account: Option<AccountContext>,
    /// The provider's API.
    pub base_url: String,
    /// Hosts that may be reached (`host` or `host:port`).
    pub hosts: Vec<String>,
    /// What an earlier call asked to keep.
    pub state: Value,
}

/// A linked account's credentials.
#[derive(Debug, Clone)]
pub struct AccountContext {
    /// Kind.
    pub kind: String,
    /// Credentials by field.
    pub credentials: BTreeMap<String, SecretString>,
    /// Metadata.
    pub metadata: Value,
}

/// A subscription made or renewed.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its id at the provider.
    pub external_id: Option<String>,
    /// The secret, where the provider chose it.
    pub secret: Option<SecretString>,
    /// When it expires.
    pub expires_at: Option<Micros>,
    /// What to keep for later calls.
    pub state: Value,
}

/// A subscription at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSubscription {
    /// Its id.
    pub external_id: String,
    /// Where it delivers.
    pub url: String,
    /// Whether it is on.
    pub active: bool,
}

/// The provider's view of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// It is there and on.
    Active,
    /// It is there but off, with the reason.
    Inactive(String),
    /// It is gone.
    Missing,
}

/// Why a lifecycle call failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LifecycleError {
    /// The provider refused.
    #[error("the provider answered {status}: {message}")]
    Provider {
        /// HTTP status.
        status: u16,
        /// The provider's own words, at most 500 characters.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// No connection.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the provider did not answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The egress guard refused.
    #[error("the request was not sent: {0}")]
    Denied(String),
    /// The definition does not list the host.
    #[error("the app may not reach `{host}`: add it to `hosts` in app.yaml")]
    HostNotListed {
        /// Host.
        host: String,
    },
    /// The script has no such function.
    #[error("the app's script has no function `{0}`")]
    MissingFunction(&'static str),
    /// The script failed.
    #[error("the app's script failed: {0}")]
    Script(#[from] ScriptError),
}

impl Script {
    /// Compiles.
    pub fn compile(_file: &str, _source: &str) -> Result<Self, Vec<Problem>> {
        unimplemented!()
    }
    /// Whether a function is defined.
    pub fn has(&self, _function: &str) -> bool {
        unimplemented!()
    }
    /// The signature description.
    pub fn signature(&self) -> Result<Value, Problem> {
        unimplemented!()
    }
    /// Maps a request; `event_type` is the trigger's full type, `slug` prefixes a type suffix.
    pub fn events(
        &self,
        _document: &Document,
        _trigger: &TriggerContext,
    ) -> Result<Mapped, ScriptError> {
        unimplemented!()
    }
    /// Registers.
    pub fn register(
        &self,
        _http: &dyn HttpClient,
        _context: &LifecycleContext,
    ) -> Result<Registration, LifecycleError> {
        unimplemented!()
    }
    /// Unregisters.
    pub fn unregister(
        &self,
        _http: &dyn HttpClient,
        _context: &LifecycleContext,
    ) -> Result<(), LifecycleError> {
        unimplemented!()
    }
    /// Asks the provider.
    pub fn status(
        &self,
        _http: &dyn HttpClient,
        _context: &LifecycleContext,
    ) -> Result<SubscriptionStatus, LifecycleError> {
        unimplemented!()
    }
    /// Lists.
    pub fn list(
        &self,
        _http: &dyn HttpClient,
        _context: &LifecycleContext,
    ) -> Result<Vec<ListedSubscription>, LifecycleError> {
        unimplemented!()
    }
    /// Renews.
    pub fn renew(
        &self,
        _http: &dyn HttpClient,
        _context: &LifecycleContext,
    ) -> Result<Registration, LifecycleError> {
        unimplemented!()
    }
}
