//! Public keys that a provider publishes under a URL, fetched when a delivery needs one and kept.
//!
//! A sender chooses which key a delivery names, so what it can make us fetch is bounded: one
//! fetch at a time per URL, one in five minutes for names that are not in the set, a pause after
//! a failure, a budget for certificates, and a cache of bounded size. A set that has become old
//! goes on serving while it cannot be fetched, for a day at most.

mod certificate;
mod hosts;
mod jwk;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError},
};

use secrecy::SecretString;
use tracing::warn;

pub(crate) use self::hosts::HostPattern;
use self::jwk::Jwk;
use super::public_key::Family;
use crate::{HttpClient, HttpRequest, HttpResponse, Micros, Rejection};

const SECOND: Micros = 1_000_000;
/// Keys are kept as long as their answer's `Cache-Control` says, within these bounds.
const FRESH_AT_LEAST: Micros = 300 * SECOND;
const FRESH_AT_MOST: Micros = 86_400 * SECOND;
/// How long where it says nothing.
const FRESH: Micros = 3_600 * SECOND;
/// How long keys that cannot be fetched anew go on serving.
const STALE: Micros = 86_400 * SECOND;
/// A name that is not in a fresh set is asked for this seldom.
const UNKNOWN_KEY_PAUSE: Micros = 300 * SECOND;
/// After a failure.
const FAILURE_PAUSE: Micros = 30 * SECOND;
/// URLs whose keys are kept.
const URLS: usize = 256;
/// Certificates that are fetched in a minute for one allowed host.
const CERTIFICATES_A_MINUTE: u32 = 20;

/// The keys fetched so far, shared by all apps of a server. Cheap to clone.
#[derive(Clone)]
pub struct KeyRing {
    shared: Arc<Shared>,
    /// Beginnings of URLs that are asked elsewhere.
    replaced: Arc<[(String, String)]>,
}

struct Shared {
    client: Option<Arc<dyn HttpClient>>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    budgets: Mutex<HashMap<String, Budget>>,
}

/// What is known of one URL.
#[derive(Default)]
struct Slot {
    fetched: RwLock<Option<Arc<Fetched>>>,
    /// Held while a fetch is under way.
    attempts: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    asked_at: Option<Micros>,
    failed_at: Option<Micros>,
}

struct Fetched {
    keys: Published,
    fresh_until: Micros,
}

enum Published {
    Set(Vec<Jwk>),
    Certificate(certificate::Certificate),
}

/// Fetches in the current minute.
#[derive(Default)]
struct Budget {
    since: Micros,
    spent: u32,
}

/// What a URL is expected to hold.
#[derive(Clone, Copy)]
enum Kind<'k> {
    Set,
    /// Senders choose its URL, so what is fetched counts against this budget.
    Certificate {
        budget: &'k str,
    },
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring that fetches through `client`, which may block.
    pub fn new(client: Arc<dyn HttpClient>) -> Self {
        Self::with(Some(client))
    }

    /// A ring that fetches nothing: for schemes whose key is the secret itself.
    pub fn offline() -> Self {
        Self::with(None)
    }

    fn with(client: Option<Arc<dyn HttpClient>>) -> Self {
        let shared = Shared { client, slots: Mutex::default(), budgets: Mutex::default() };
        Self { shared: Arc::new(shared), replaced: Arc::new([]) }
    }

    /// The same ring, where URLs that begin with the first of a pair are asked for at the second:
    /// an operator's own proxy or simulator.
    #[must_use]
    pub fn replacing(&self, beginnings: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { shared: self.shared.clone(), replaced: beginnings.into_iter().collect() }
    }

    /// The keys of the set at `url` that may have made a signature of `family`: the one named
    /// `kid`, or the only one that fits where the signature names none.
    pub(super) fn find(
        &self,
        url: &str,
        kid: Option<&str>,
        (family, alg): (Family, &str),
        now: Micros,
    ) -> Result<Vec<u8>, Rejection> {
        let fits = |key: &&Jwk| key.fits(family, alg) && (kid.is_none() || key.kid() == kid);
        let wanted = |published: &Published| match published {
            Published::Set(keys) => keys.iter().any(|key| fits(&key)),
            Published::Certificate(_) => false,
        };
        let fetched = self.get(url, Kind::Set, now, &wanted)?;
        let Published::Set(keys) = &fetched.keys else { return Err(unavailable(url)) };
        let mut found = keys.iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(key.bytes().to_vec()),
            // Perhaps the key is new, and only the set is old.
            (None, _) if fetched.fresh_until <= now => Err(unavailable(url)),
            _ => Err(Rejection::UnknownKey),
        }
    }

    /// The public key of the certificate at `url`, which must be on one of `hosts`.
    pub(super) fn certificate(
        &self,
        url: &str,
        hosts: &[HostPattern],
        now: Micros,
    ) -> Result<Vec<u8>, Rejection> {
        let Some(host) = hosts.iter().find(|host| host.admits(url)) else {
            let reason = "the certificate's URL is not on a host it may come from";
            return Err(Rejection::MalformedSignature(reason.to_owned()));
        };
        let kind = Kind::Certificate { budget: &host.to_string() };
        let fetched = self.get(url, kind, now, &|_| true)?;
        match &fetched.keys {
            Published::Certificate(certificate) if certificate.is_valid_at(now) => {
                Ok(certificate.public_key.clone())
            }
            Published::Certificate(_) => Err(Rejection::UnknownKey),
            Published::Set(_) => Err(unavailable(url)),
        }
    }

    /// What `url` holds: from the cache if that has what is `wanted`, or fetched if that is due.
    fn get(
        &self,
        url: &str,
        kind: Kind<'_>,
        now: Micros,
        wanted: &dyn Fn(&Published) -> bool,
    ) -> Result<Arc<Fetched>, Rejection> {
        let slot = self.slot(url);
        let serves = |fetched: &Fetched| fetched.fresh_until > now && wanted(&fetched.keys);
        let known = slot.fetched().filter(|known| known.fresh_until.saturating_add(STALE) > now);
        if let Some(known) = known.as_ref().filter(|known| serves(known)) {
            return Ok(known.clone());
        }
        // Whoever has an answer already does not wait for somebody else's fetch.
        let mut attempts = match (&known, slot.attempts.try_lock()) {
            (_, Ok(attempts)) => attempts,
            (_, Err(TryLockError::Poisoned(attempts))) => attempts.into_inner(),
            (Some(known), _) if known.fresh_until <= now && wanted(&known.keys) => {
                return Ok(known.clone());
            }
            (Some(_), _) => return Err(unavailable(url)),
            (None, Err(TryLockError::WouldBlock)) => lock(&slot.attempts),
        };
        let known = slot.fetched().filter(|known| known.fresh_until.saturating_add(STALE) > now);
        if let Some(known) = known.as_ref().filter(|known| serves(known)) {
            return Ok(known.clone());
        }
        let fresh = known.as_ref().is_some_and(|known| known.fresh_until > now);
        let affordable = || match kind {
            Kind::Set => true,
            Kind::Certificate { budget } => self.spend(budget, now),
        };
        if attempts.may_ask(fresh, now) && affordable() {
            attempts.asked_at = Some(now);
            match self.fetch(url, kind, now) {
                Ok(fetched) => {
                    let fetched = Arc::new(fetched);
                    attempts.failed_at = None;
                    slot.keep(fetched.clone());
                    return Ok(fetched);
                }
                Err(reason) => {
                    warn!(url, reason, "keys that verify webhooks cannot be fetched");
                    attempts.failed_at = Some(now);
                }
            }
        }
        known.ok_or_else(|| unavailable(url))
    }

    fn fetch(&self, url: &str, kind: Kind<'_>, now: Micros) -> Result<Fetched, String> {
        let client = self.shared.client.as_ref().ok_or("there is no way out")?;
        let elsewhere = self.replaced.iter().find_map(|(beginning, replacement)| {
            url.strip_prefix(beginning.as_str()).map(|rest| format!("{replacement}{rest}"))
        });
        let accept = "application/json, application/x-pem-file, */*";
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: elsewhere.unwrap_or_else(|| url.to_owned()),
            headers: vec![("accept".to_owned(), SecretString::from(accept))],
            body: None,
        };
        let answer = client.send(request).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("the answer has the status {}", answer.status));
        }
        let keys = match kind {
            Kind::Set => Published::Set(jwk::parse_set(&answer.body)?),
            Kind::Certificate { .. } => Published::Certificate(certificate::parse(&answer.body)?),
        };
        Ok(Fetched { keys, fresh_until: now.saturating_add(lifetime(&answer)) })
    }

    fn slot(&self, url: &str) -> Arc<Slot> {
        let mut slots = lock(&self.shared.slots);
        if let Some(slot) = slots.get(url) {
            return slot.clone();
        }
        if slots.len() >= URLS {
            // What was never fetched goes first, then what is fresh the shortest.
            let oldest = slots
                .iter()
                .min_by_key(|(_, slot)| slot.fetched().map(|fetched| fetched.fresh_until))
                .map(|(url, _)| url.clone());
            oldest.and_then(|url| slots.remove(&url));
        }
        slots.entry(url.to_owned()).or_default().clone()
    }

    /// Takes one fetch off the budget of certificates, if there is one left.
    fn spend(&self, host: &str, now: Micros) -> bool {
        let mut budgets = lock(&self.shared.budgets);
        let budget = budgets.entry(host.to_owned()).or_default();
        if now.saturating_sub(budget.since).saturating_abs() >= 60 * SECOND {
            *budget = Budget { since: now, spent: 0 };
        }
        budget.spent += 1;
        budget.spent <= CERTIFICATES_A_MINUTE
    }
}

impl Slot {
    fn fetched(&self) -> Option<Arc<Fetched>> {
        self.fetched.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, fetched: Arc<Fetched>) {
        *self.fetched.write().unwrap_or_else(PoisonError::into_inner) = Some(fetched);
    }
}

impl Attempts {
    /// Whether a fetch is due, where the cache has not what is wanted.
    fn may_ask(&self, fresh: bool, now: Micros) -> bool {
        let within = |at: Option<Micros>, pause: Micros| {
            at.is_some_and(|at| now.saturating_sub(at).saturating_abs() < pause)
        };
        let just_asked = fresh && within(self.asked_at, UNKNOWN_KEY_PAUSE);
        !just_asked && !within(self.failed_at, FAILURE_PAUSE)
    }
}

/// How long an answer may be kept (RFC 9111, section 5.2.2.1).
fn lifetime(answer: &HttpResponse) -> Micros {
    let directives = answer.headers.all("cache-control").flat_map(|field| field.split(','));
    let max_age = directives
        .filter_map(|directive| directive.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim_matches('"').parse::<Micros>().ok());
    let lifetime = max_age.map_or(FRESH, |seconds| seconds.saturating_mul(SECOND));
    lifetime.clamp(FRESH_AT_LEAST, FRESH_AT_MOST)
}

fn unavailable(url: &str) -> Rejection {
    let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    Rejection::KeyUnavailable(host.unwrap_or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
