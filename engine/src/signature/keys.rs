//! Public keys that a provider publishes under a URL, fetched when a delivery needs one and kept.

use std::{fmt, sync::Arc};

use crate::HttpClient;

/// The keys fetched so far, shared by all apps of a server.
#[derive(Clone)]
pub struct KeyRing {
    _client: Option<Arc<dyn HttpClient>>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring that fetches through `client`.
    pub fn new(client: Arc<dyn HttpClient>) -> Self {
        Self { _client: Some(client) }
    }

    /// A ring that fetches nothing: for schemes whose key is the secret itself.
    pub fn offline() -> Self {
        Self { _client: None }
    }
}
