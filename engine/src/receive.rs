//! One request in. (stub: owner E3)

use crate::{App, Event, Rejection, Reply, Request, TriggerContext};

/// What became of a verified request.
#[derive(Debug)]
pub struct Received {
    /// What vouches for it.
    pub verified_by: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a verified request.
#[derive(Debug)]
pub enum Outcome {
    /// A handshake: answer it, store no event.
    Challenge {
        /// Kind of handshake.
        kind: &'static str,
        /// The answer.
        reply: Reply,
    },
    /// Not what this trigger is about.
    Ignored {
        /// Why.
        reason: String,
    },
    /// Events.
    Events(Vec<Event>),
    /// Verified, but the script failed.
    Failed {
        /// How.
        reason: String,
    },
}

impl App {
    /// Receives.
    pub fn receive(
        &self,
        _request: &Request,
        _trigger: &TriggerContext,
    ) -> Result<Received, Rejection> {
        unimplemented!()
    }
}
