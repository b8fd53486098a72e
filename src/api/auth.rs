//! Who is calling: API keys, presented as `Authorization: Bearer` or `X-API-KEY`.
//!
//! A key is `hrk_` + 8 characters that name it + 43 characters of secret + 6 that check the
//! rest, so that a secret scanner can tell a real one. Only its SHA-256 is stored: 256 random bits
//! need no slow hash. A root key chosen by the operator has any form, and is named by its hash.

use std::{num::NonZeroU32, sync::LazyLock, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use moka::future::Cache;
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tracing::warn;

use super::problem::Problem;
use crate::{
    clock,
    context::Shared,
    ids,
    store::{Store, StoreError, model::ApiKey},
};

const PREFIX: &str = "hrk_";
const PUBLIC: usize = 8;
const SECRET_BYTES: usize = 32;
const CHECK: usize = 6;
/// How long a revocation on another replica may go unnoticed.
const FRESH: Duration = Duration::from_secs(2);
/// Name of the project made at the first start.
pub(crate) const DEFAULT_PROJECT: &str = "default";

/// The project and key a request acts for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Project whose data the request may touch.
    pub project_id: String,
    /// The key it was made with.
    pub key_id: String,
    /// Whether the key may manage projects and the keys of all of them.
    pub admin: bool,
}

impl Caller {
    /// Refuses callers whose key is not an admin's.
    pub fn must_be_admin(&self) -> Result<(), Problem> {
        if self.admin { Ok(()) } else { Err(Problem::forbidden("this takes an admin key")) }
    }
}

/// Keys seen lately, and how fast they call.
pub struct Keys {
    seen: Cache<String, ApiKey>,
    pace: DefaultKeyedRateLimiter<String>,
}

impl Keys {
    /// Admits `per_second` requests a second for each key, and twice that in a burst.
    pub fn new(per_second: u32) -> Self {
        let positive = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(positive(per_second))
            .allow_burst(positive(per_second.saturating_mul(2)));
        Self {
            seen: Cache::builder().time_to_live(FRESH).max_capacity(10_000).build(),
            pace: RateLimiter::keyed(quota),
        }
    }

    /// Forgets what was seen of a key, after it was revoked.
    pub async fn forget(&self, public_id: &str) {
        self.seen.invalidate(public_id).await;
    }

    /// Forgets the pace of keys that have been quiet.
    pub fn tidy(&self) {
        self.pace.retain_recent();
    }

    async fn find(&self, store: &Store, text: &str) -> Result<Option<ApiKey>, StoreError> {
        let public_id = public_id(text);
        let found = match self.seen.get(&public_id).await {
            Some(key) => Some(key),
            None => store.key_by_public_id(&public_id).await?,
        };
        let Some(key) = found else { return Ok(None) };
        let same = key.hash.as_bytes().ct_eq(hash(text).as_bytes());
        if !bool::from(same) || key.revoked_at.is_some() {
            return Ok(None);
        }
        if self.seen.get(&public_id).await.is_none() {
            self.seen.insert(public_id, key.clone()).await;
            let _ = store.touch_key(&key.id, clock::now()).await;
        }
        Ok(Some(key))
    }

    fn admit(&self, key: &ApiKey) -> Result<(), Problem> {
        self.pace.check_key(&key.id).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            Problem::too_many_requests(wait.as_secs() + 1)
        })
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Shared) -> Result<Self, Problem> {
        let text = presented(&parts.headers)?;
        let key = context.keys.find(&context.store, text.expose_secret()).await?;
        let key = key.ok_or_else(|| Problem::unauthorized("this API key is wrong or revoked"))?;
        context.keys.admit(&key)?;
        Ok(Self { project_id: key.project_id, key_id: key.id, admin: key.admin })
    }
}

/// The one key a request presents.
fn presented(headers: &HeaderMap) -> Result<SecretString, Problem> {
    let bearer = headers.get_all(header::AUTHORIZATION).iter().map(|value| {
        let text = value.to_str().ok()?;
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let plain = headers.get_all("x-api-key").iter().map(|value| value.to_str().ok());
    let mut keys: Vec<Option<&str>> = bearer.chain(plain).collect();
    keys.dedup();
    match keys.as_slice() {
        [Some(key)] if !key.is_empty() => Ok(SecretString::from((*key).to_owned())),
        [] => Err(Problem::unauthorized(
            "an API key is needed: send `Authorization: Bearer <key>` or `X-API-KEY: <key>`",
        )),
        [_] => Err(Problem::unauthorized("the API key cannot be read")),
        _ => Err(Problem::unauthorized("several different API keys came at once")),
    }
}

/// A new key.
pub fn generate_key() -> SecretString {
    let mut bytes = [0_u8; 5 + SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let (name, secret) = bytes.split_at(5);
    let name = data_encoding::BASE32_NOPAD.encode(name).to_ascii_lowercase();
    let key = format!("{PREFIX}{name}{}", BASE64URL_NOPAD.encode(secret));
    let check = &hash(&key)[..CHECK];
    SecretString::from(format!("{key}{check}"))
}

/// The row of a key for a project.
pub fn key_row(key: &SecretString, project: &str, name: &str, admin: bool) -> ApiKey {
    let text = key.expose_secret();
    ApiKey {
        id: ids::new(ids::KEY),
        project_id: project.to_owned(),
        name: name.to_owned(),
        public_id: public_id(text),
        hash: hash(text),
        admin,
        created_at: clock::now(),
        last_used_at: None,
        revoked_at: None,
    }
}

/// Makes sure that `key` opens the default project with an admin's rights.
pub async fn bootstrap_root_key(store: &Store, key: &SecretString) -> Result<(), StoreError> {
    let project = store.ensure_default_project(DEFAULT_PROJECT).await?;
    if let Some(known) = store.key_by_public_id(&public_id(key.expose_secret())).await? {
        if known.revoked_at.is_some() {
            warn!("the root key was revoked and opens nothing: configure another one");
        }
        return Ok(());
    }
    match store.create_key(&key_row(key, &project.id, "root", true)).await {
        // Another replica starting at the same moment made it.
        Err(StoreError::Conflict(_)) => Ok(()),
        made => made,
    }
}

/// The part of a key that may be known: what it is looked up by.
fn public_id(key: &str) -> String {
    static ALPHABET: LazyLock<&[u8]> = LazyLock::new(|| b"abcdefghijklmnopqrstuvwxyz234567");
    let named = key.strip_prefix(PREFIX).and_then(|rest| rest.get(..PUBLIC));
    match named.filter(|name| name.bytes().all(|byte| ALPHABET.contains(&byte))) {
        Some(name) => name.to_owned(),
        None => format!("root-{}", &hash(key)[..PUBLIC]),
    }
}

fn hash(key: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse(), value.parse())).fold(
            HeaderMap::new(),
            |mut map, field| {
                if let (Ok(name), Ok(value)) = field {
                    map.append::<header::HeaderName>(name, value);
                }
                map
            },
        )
    }

    #[test]
    fn a_key_has_a_name_and_checks_itself() {
        let (one, other) = (generate_key(), generate_key());
        let text = one.expose_secret();
        let (rest, check) = text.split_at(text.len() - CHECK);
        assert_eq!(text.len(), 4 + 8 + 43 + 6);
        let digest = HEXLOWER.encode(&Sha256::digest(rest.as_bytes()));
        assert!(digest.starts_with(check), "a scanner can tell it from any other text");
        assert_eq!(public_id(text), text[4..12]);
        assert_ne!(public_id(text), public_id(other.expose_secret()));
        let row = key_row(&one, "prj_1", "mine", false);
        assert!(!format!("{row:?}").contains(&text[12..]), "the secret part is not kept");
    }

    #[test]
    fn a_key_of_any_form_is_named_by_its_hash() {
        for text in ["correct horse battery staple", "hrk_", "hrk_ABCDEFGH", "hrk_\u{e9}\u{e9}"] {
            let name = public_id(text);
            assert!(name.starts_with("root-") && !name.contains(text), "{text}: {name}");
        }
    }

    #[test]
    fn one_key_is_presented_or_none() {
        let bearer = ("authorization", "Bearer k1");
        for fields in [
            &[bearer][..],
            &[("authorization", "bearer  k1")],
            &[("x-api-key", "k1")],
            &[bearer, ("x-api-key", "k1")],
        ] {
            let key = presented(&headers(fields)).map(|key| key.expose_secret().to_owned());
            assert_eq!(key.ok().as_deref(), Some("k1"), "{fields:?}");
        }
        for fields in [
            &[][..],
            &[("authorization", "Basic azE6")],
            &[("authorization", "Bearer ")],
            &[("x-api-key", "")],
            &[bearer, ("x-api-key", "k2")],
            &[("x-api-key", "k1"), ("x-api-key", "k2")],
            &[("authorization", "Basic azE6"), ("x-api-key", "k1")],
        ] {
            let status = presented(&headers(fields)).map_err(|problem| problem.status().as_u16());
            assert_eq!(status.err(), Some(401), "{fields:?}");
        }
    }
}
