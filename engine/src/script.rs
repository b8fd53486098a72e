//! The script host: compiles a connector's script once and calls its functions within limits.
//!
//! A script describes; the engine acts. Mapping functions get no I/O at all, lifecycle functions
//! an `http` that reaches only the hosts their definition lists. Scripts see payloads through
//! read-only `Json` handles and credentials as opaque `Secret`s.
//!
//! This isolates accidents, not determined attackers: time and memory are checked between
//! operations, inside the server's own process, and a native operation runs to its end first.
//! Whoever may edit an app folder must be trusted as the operator is.
//!
//! This module is the only one that knows the script language.

mod compile;
mod convert;
mod engine;
mod expansion;
mod failure;
mod http;
mod identity;
mod json;
mod json_functions;
mod later;
mod lifecycle;
mod mapping;
mod meter;
pub(crate) mod moment;
mod natives;
mod outgoing;
mod provider_words;
mod record;
pub mod reference;
mod secret;
pub(crate) mod source;
mod web;

use std::{collections::BTreeMap, fmt, sync::Arc};

use rhai::{FuncArgs, Map};
use serde_json::Value;
use thiserror::Error;

pub use self::{
    expansion::Expansion,
    http::{HttpClient, HttpError, HttpRequest, HttpResponse},
    identity::{Identity, IdentityContext},
    lifecycle::{
        AccountContext, LifecycleContext, LifecycleError, ListedSubscription, ProviderAppContext,
        Registration, SubscriptionStatus,
    },
    mapping::{Mapped, MappedEvent},
};
use crate::{Problem, TriggerContext, document::Document};

/// A compiled script. Cheap to call, and safe to call from many threads at once.
pub struct Script {
    file: String,
    ast: rhai::AST,
    constants: engine::Constants,
    /// The line each function begins at.
    lines: BTreeMap<String, usize>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("file", &self.file)
            .field("functions", &self.lines.keys())
            .finish_non_exhaustive()
    }
}

/// A script failed: what happened, said to its author.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{function}{}: {message}", line.map(|line| format!(" (line {line})")).unwrap_or_default())]
pub struct ScriptError {
    /// The function the engine called.
    pub function: String,
    /// What happened.
    pub message: String,
    /// Line in the script, from 1; the function's own where no statement is to blame.
    pub line: Option<usize>,
    /// Column in the script, from 1.
    pub column: Option<usize>,
    /// Whether it used up its time, memory or operations, so that running it again would cost
    /// as much again.
    pub exhausted: bool,
}

impl Script {
    /// Compiles the text of `file`, or lists everything that is wrong with it.
    pub fn compile(file: &str, source: &str) -> Result<Self, Vec<Problem>> {
        compile::compile(file, source)
    }

    /// Whether the script defines a function of this name.
    pub fn has(&self, function: &str) -> bool {
        self.lines.contains_key(function)
    }

    /// Evaluates `signature()`, whose result describes how deliveries are signed.
    pub fn signature(&self) -> Result<Value, Problem> {
        self.describe("signature", ()).map_err(|error| {
            let message = format!("`signature()` failed: {}", error.message);
            let problem = Problem::new(&self.file, message);
            match error.line {
                Some(line) => problem.at(line, error.column.unwrap_or(1)),
                None => problem,
            }
        })
    }

    /// Evaluates `signature_of(trigger)`: how deliveries to a trigger of this type and
    /// configuration are signed.
    pub fn signature_of(&self, name: &str, config: &Value) -> Result<Value, ScriptError> {
        let config = json::Json::present(Arc::new(config.clone()));
        let trigger = Map::from([("name".into(), name.into()), ("config".into(), config)]);
        self.describe("signature_of", (trigger,))
    }

    /// Calls a function that describes something as data.
    fn describe(
        &self,
        function: &'static str,
        arguments: impl FuncArgs,
    ) -> Result<Value, ScriptError> {
        let (result, printed) = meter::metered(|| {
            engine::call(&self.ast, &self.constants, function, arguments)
                .map(|value| convert::Output::default().value(value))
        });
        self.log(function, &printed);
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(message)) => Err(self.error(function, message)),
            Err(error) => match self.explain(function, *error) {
                Ok(ending) => Err(self.error(function, ending.text())),
                Err(error) => Err(error),
            },
        }
    }

    /// Maps a request to events. A script without `events` gives one event: the whole body.
    pub fn events(
        &self,
        document: &Document,
        trigger: &TriggerContext,
    ) -> Result<Mapped, ScriptError> {
        mapping::events(self, document, trigger)
    }

    /// Asks the provider whose the credentials of an account are, which it refuses if they are
    /// wrong.
    pub fn identify(
        &self,
        http: &dyn HttpClient,
        context: &IdentityContext,
    ) -> Result<Identity, LifecycleError> {
        identity::identify(self, http, context)
    }

    /// Makes a subscription at the provider.
    pub fn register(
        &self,
        http: &dyn HttpClient,
        context: &LifecycleContext,
    ) -> Result<Registration, LifecycleError> {
        lifecycle::call(self, "register", http, context, lifecycle::registration)
    }

    /// Ends a subscription. Returning normally is success; a subscription that is already gone
    /// is the script's to recognise.
    pub fn unregister(
        &self,
        http: &dyn HttpClient,
        context: &LifecycleContext,
    ) -> Result<(), LifecycleError> {
        lifecycle::call(self, "unregister", http, context, |_, _| Ok(()))
    }

    /// Asks the provider what has become of a subscription.
    pub fn status(
        &self,
        http: &dyn HttpClient,
        context: &LifecycleContext,
    ) -> Result<SubscriptionStatus, LifecycleError> {
        lifecycle::call(self, "status", http, context, lifecycle::status)
    }

    /// Lists the subscriptions the provider has for this account.
    pub fn list(
        &self,
        http: &dyn HttpClient,
        context: &LifecycleContext,
    ) -> Result<Vec<ListedSubscription>, LifecycleError> {
        lifecycle::call(self, "list", http, context, lifecycle::listed)
    }

    /// Renews a subscription before it expires.
    pub fn renew(
        &self,
        http: &dyn HttpClient,
        context: &LifecycleContext,
    ) -> Result<Registration, LifecycleError> {
        lifecycle::call(self, "renew", http, context, lifecycle::registration)
    }

    /// The name of the subscription that triggers share, where the provider has one for several:
    /// those with the same name are registered once.
    pub fn subscription_key(
        &self,
        trigger: &TriggerContext,
    ) -> Result<Option<String>, ScriptError> {
        if !self.has("subscription_key") {
            return Ok(None);
        }
        mapping::subscription_key(self, trigger).map(Some)
    }

    /// Asks the provider what a notice is about: `notice` is the request document, or nothing for
    /// a look without one.
    pub fn expand(
        &self,
        http: &dyn HttpClient,
        context: &LifecycleContext,
        notice: Option<&Document>,
    ) -> Result<Expansion, LifecycleError> {
        expansion::expand(self, http, context, notice)
    }

    /// An error about a function as a whole.
    fn error(&self, function: &str, message: impl Into<String>) -> ScriptError {
        ScriptError {
            exhausted: false,
            function: function.to_owned(),
            message: message.into(),
            line: self.lines.get(function).copied(),
            column: None,
        }
    }

    /// Tells an ending with a meaning from an error; an error without a place gets the function's.
    fn explain(
        &self,
        function: &str,
        error: rhai::EvalAltResult,
    ) -> Result<failure::Ending, ScriptError> {
        failure::explain(function, error).map_err(|error| ScriptError {
            line: error.line.or_else(|| self.lines.get(function).copied()),
            ..error
        })
    }

    /// Passes on what a call printed.
    fn log(&self, function: &str, printed: &[String]) {
        for line in printed {
            tracing::debug!(file = self.file, function, "{line}");
        }
    }
}

/// The signatures of every function a script can call, sorted: a test keeps the list under
/// review, because each is a way to spend time or memory.
pub fn native_functions() -> Vec<String> {
    let mut signatures = engine::ENGINE.gen_fn_signatures(true);
    signatures.sort_unstable();
    signatures
}
