//! A thin app's notice says "look": what there is to see is asked of the provider, and becomes
//! events like those of any other delivery.

use serde_json::Value;

use crate::{
    App, Event, HttpClient, LifecycleContext, LifecycleError, ScriptError, document::Document,
};

/// What a look at the provider found.
#[derive(Debug)]
pub struct Expanded {
    /// The events, perhaps none.
    pub events: Vec<Event>,
    /// How far the history was read now; nothing where the app reads none.
    pub cursor: Option<Value>,
    /// Whether there is more to be had at once, from the new cursor on.
    pub more: bool,
}

impl App {
    /// Whether its deliveries only say that something happened.
    pub fn is_thin(&self) -> bool {
        self.script.has("expand")
    }

    /// Asks the provider what a notice is about, or what there is without one.
    pub fn expand(
        &self,
        http: &dyn HttpClient,
        context: &LifecycleContext,
        notice: Option<&Document>,
    ) -> Result<Expanded, LifecycleError> {
        let Some(kind) = self.trigger(&context.trigger.name) else {
            return Err(LifecycleError::Script(ScriptError {
                function: "expand".to_owned(),
                message: format!("the app no longer defines {}", context.trigger.name),
                line: None,
                column: None,
                exhausted: false,
            }));
        };
        let found = self.script.expand(http, context, notice)?;
        Ok(Expanded {
            events: self.complete(found.events, kind, b""),
            cursor: found.cursor,
            more: found.more,
        })
    }
}
