//! One request in: verified on its raw bytes, then answered if it is a challenge, then matched
//! and mapped to events. Nothing that was not verified is ever parsed, except to see whether it is
//! a handshake that providers do not sign.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::{
    App, Event, KeyRing, Recipient, Rejection, Request, TriggerContext, TriggerType, Verified,
    challenge::{Answer, Challenge},
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
    /// A handshake: do what it asks for and answer it, store no event.
    Challenge(Answer),
    /// Not what this trigger is about.
    Ignored {
        /// Why, in one sentence.
        reason: String,
    },
    /// The events it carries, at least one.
    Events(Vec<Event>),
    /// A notice that says "look": what it is about is yet to be asked of the provider.
    Noticed(Document),
    /// Verified, but the script failed on it: worth keeping until the script is mended.
    Failed {
        /// How.
        reason: String,
        /// Whether it used up its limits, so that trying again would cost as much again.
        exhausted: bool,
    },
}

/// A verified request, parsed: only this can be mapped, for one trigger or for many.
#[derive(Debug)]
pub struct Opened<'r> {
    verified: Verified<'r>,
    document: Document,
}

impl Opened<'_> {
    /// What vouches for it (`hmac-sha256`, `token`, `none`, …).
    pub fn verified_by(&self) -> &'static str {
        self.verified.by()
    }
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

    /// Verifies a request for one trigger, which may say itself how it is signed.
    pub fn verify_for<'r>(
        &self,
        request: &'r Request,
        trigger: &TriggerContext,
        keys: &KeyRing,
    ) -> Result<Verified<'r>, Rejection> {
        let scheme = self.scheme_of(&trigger.name, &trigger.config);
        let scheme = scheme.map_err(|error| Rejection::NoScheme(error.message))?;
        scheme.verify(request, &trigger.recipient, keys)
    }

    /// Receives one request for one trigger.
    pub fn receive(
        &self,
        request: &Request,
        trigger: &TriggerContext,
        keys: &KeyRing,
    ) -> Result<Received, Rejection> {
        let opened = self.parse(self.verify_for(request, trigger, keys)?)?;
        let outcome = match self.handshake(&opened, &trigger.recipient)? {
            Some(answer) => Outcome::Challenge(answer),
            None => self.map(&opened, trigger),
        };
        Ok(Received { verified_by: opened.verified_by(), outcome })
    }

    /// Verifies and parses a request; what it is about is asked next.
    pub fn open<'r>(
        &self,
        request: &'r Request,
        recipient: &Recipient,
        keys: &KeyRing,
    ) -> Result<Opened<'r>, Rejection> {
        self.parse(self.verify(request, recipient, keys)?)
    }

    fn parse<'r>(&self, verified: Verified<'r>) -> Result<Opened<'r>, Rejection> {
        let document = Document::parse(&verified, &self.definition.ingress)?;
        Ok(Opened { verified, document })
    }

    /// The provider's ids of the accounts that a request at a shared URL is about.
    pub fn accounts(&self, opened: &Opened<'_>) -> BTreeSet<String> {
        self.routes.accounts(&opened.document)
    }

    /// Answers a handshake that providers do not sign, such as an echo asked for by `GET`. Looked
    /// at before anything is verified, whatever the method.
    pub fn answer_unsigned(&self, request: &Request, recipient: &Recipient) -> Option<Answer> {
        let challenges = &self.definition.challenges;
        let unsigned = challenges.iter().filter(|one| !one.signed() && one.may_be(request));
        // A probe is any request of its method, so what asks for more comes first.
        let (probes, others) = (unsigned.clone(), unsigned.filter(|one| !one.is_probe()));
        let mut document = None;
        others.chain(probes.filter(|one| one.is_probe())).find_map(|challenge| {
            let document = document
                .get_or_insert_with(|| Document::unverified(request, &self.definition.ingress));
            challenge.answer(document, recipient).ok().flatten()
        })
    }

    /// Whether providers hand over a trigger's secret in a handshake.
    pub fn hands_over_secret(&self) -> bool {
        self.definition.challenges.iter().any(Challenge::hands_over_secret)
    }

    /// Whether its first request is taken for the one that hands over the secret.
    pub fn captures_secret(&self) -> bool {
        let challenges = &self.definition.challenges;
        challenges.iter().any(|one| matches!(one, Challenge::Capture { .. }))
    }

    /// Header fields (lower case) that carry a credential somebody could use again, in requests
    /// for a trigger or at a shared URL.
    pub fn secret_carriers(&self, trigger: Option<&TriggerContext>) -> Vec<String> {
        let own = trigger.and_then(|one| self.scheme_of(&one.name, &one.config).ok());
        let mut carriers = own.as_ref().unwrap_or(&self.scheme).secret_carriers();
        carriers.extend(self.definition.challenges.iter().filter_map(Challenge::secret_header));
        carriers
    }

    /// Answers a handshake that is signed like a delivery, if the request is one.
    pub fn handshake(
        &self,
        opened: &Opened<'_>,
        recipient: &Recipient,
    ) -> Result<Option<Answer>, Rejection> {
        for challenge in self.definition.challenges.iter().filter(|one| one.signed()) {
            if let Some(answer) = challenge.answer(&opened.document, recipient)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// Whether a request is what a trigger's type is about at all.
    pub fn concerns(&self, opened: &Opened<'_>, trigger: &TriggerContext) -> bool {
        let kind = self.trigger(&trigger.name);
        kind.is_none_or(|kind| kind.matches.judge(opened.document.root()).matched)
    }

    /// Maps a request to the events it is to one trigger.
    pub fn map(&self, opened: &Opened<'_>, trigger: &TriggerContext) -> Outcome {
        let Opened { document, verified } = opened;
        let Some(kind) = self.trigger(&trigger.name) else {
            let reason = format!("the app no longer defines the trigger {}", trigger.name);
            return Outcome::Failed { reason, exhausted: false };
        };
        let verdict = kind.matches.judge(document.root());
        if !verdict.matched {
            let why = verdict.clause.map(|clause| clause.to_string()).unwrap_or_default();
            return Outcome::Ignored { reason: format!("not what {} is about: {why}", kind.name) };
        }
        if self.is_thin() {
            return Outcome::Noticed(document.clone());
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
    pub(crate) fn complete(
        &self,
        events: Vec<MappedEvent>,
        kind: &TriggerType,
        body: &[u8],
    ) -> Vec<Event> {
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
