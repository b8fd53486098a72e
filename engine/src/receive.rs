//! One request in: verified on its raw bytes, then answered if it is a challenge, then matched
//! and mapped to events. Nothing that was not verified is ever parsed.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::{
    App, Event, KeyRing, Recipient, Rejection, Reply, Request, TriggerContext, TriggerType,
    Verified,
    document::Document,
    script::{Mapped, MappedEvent},
};

/// Longest id an event keeps as it is, in bytes; a longer one is hashed.
const ID_BYTES: usize = 255;

/// A verified request.
#[derive(Debug)]
pub struct Received {
    /// What vouches for it (`hmac-sha256`, `token`, `none`, …).
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
        /// Why, in one sentence.
        reason: String,
    },
    /// The events it carries, at least one.
    Events(Vec<Event>),
    /// Verified, but the script failed on it: worth keeping until the script is mended.
    Failed {
        /// How.
        reason: String,
        /// Whether it used up its limits, so that trying again would cost as much again.
        exhausted: bool,
    },
}

impl App {
    /// Verifies a request on its raw bytes.
    pub fn verify<'r>(
        &self,
        request: &'r Request,
        recipient: &Recipient,
        keys: &KeyRing,
    ) -> Result<Verified<'r>, Rejection> {
        self.scheme.verify(request, recipient, keys)
    }

    /// Receives one request for one trigger.
    pub fn receive(
        &self,
        request: &Request,
        trigger: &TriggerContext,
        keys: &KeyRing,
    ) -> Result<Received, Rejection> {
        let verified = self.verify(request, &trigger.recipient, keys)?;
        let document = Document::parse(&verified, &self.definition.ingress)?;
        let outcome = self.interpret(&document, &verified, trigger);
        Ok(Received { verified_by: verified.by(), outcome })
    }

    /// Answers a handshake that providers do not sign, such as an echo asked for by `GET`.
    pub fn answer_unsigned(
        &self,
        request: &Request,
        recipient: &Recipient,
    ) -> Option<(&'static str, Reply)> {
        let document = Document::bodiless(request);
        let unsigned = self.definition.challenges.iter().filter(|challenge| !challenge.signed());
        unsigned.into_iter().find_map(|challenge| challenge.answer(&document, &recipient.secrets))
    }

    fn interpret(
        &self,
        document: &Document,
        verified: &Verified<'_>,
        trigger: &TriggerContext,
    ) -> Outcome {
        let challenges = self.definition.challenges.iter().filter(|challenge| challenge.signed());
        for challenge in challenges {
            if let Some((kind, reply)) = challenge.answer(document, &trigger.recipient.secrets) {
                return Outcome::Challenge { kind, reply };
            }
        }
        let Some(kind) = self.trigger(&trigger.name) else {
            let reason = format!("the app no longer defines the trigger {}", trigger.name);
            return Outcome::Failed { reason, exhausted: false };
        };
        let verdict = kind.matches.judge(document.root());
        if !verdict.matched {
            let why = verdict.clause.map(|clause| clause.to_string()).unwrap_or_default();
            return Outcome::Ignored { reason: format!("not what {} is about: {why}", kind.name) };
        }
        match self.script.events(document, trigger) {
            Err(error) => Outcome::Failed { reason: error.to_string(), exhausted: error.exhausted },
            Ok(Mapped::Skipped(reason)) => Outcome::Ignored { reason },
            Ok(Mapped::Events(events)) if events.is_empty() => {
                Outcome::Ignored { reason: "the app's script made no event of it".to_owned() }
            }
            Ok(Mapped::Events(events)) => {
                Outcome::Events(self.complete(events, kind, verified.body()))
            }
        }
    }

    /// Gives events what their script left out: the trigger's type, an id of their own.
    fn complete(&self, events: Vec<MappedEvent>, kind: &TriggerType, body: &[u8]) -> Vec<Event> {
        let several = events.len() > 1;
        let events = events.into_iter().enumerate();
        events
            .map(|(index, event)| Event {
                event_type: event.event_type.map_or_else(
                    || kind.event_type.clone(),
                    |suffix| format!("{}.{suffix}", self.slug),
                ),
                external_id: match event.id.filter(|id| !id.is_empty()) {
                    Some(id) => bounded(id),
                    None if several => format!("{}#{index}", hash(body)),
                    None => hash(body),
                },
                occurred_at: event.occurred_at,
                data: event.data,
            })
            .collect()
    }
}

fn bounded(id: String) -> String {
    if id.len() <= ID_BYTES { id } else { hash(id.as_bytes()) }
}

fn hash(bytes: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&Sha256::digest(bytes)))
}
