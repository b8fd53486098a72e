//! What every request handler and background task shares.

use std::sync::Arc;

use hearken_engine::{KeyRing, LiveCatalogue};

use crate::{accounts::Vault, config::Config, egress::Egress, store::Store};

/// Shared, read-only after start; each part is a cheap handle with its own interior.
pub struct Context {
    /// Settings.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// Seals and opens stored secrets.
    pub vault: Vault,
    /// The apps, kept current.
    pub catalogue: LiveCatalogue,
    /// The only way out.
    pub egress: Egress,
    /// Keys that providers publish, fetched through it.
    pub key_ring: KeyRing,
    /// API keys seen lately.
    pub keys: crate::api::auth::Keys,
    /// The server's own jobs.
    pub jobs: crate::jobs::Jobs,
    /// Triggers as the ingress sees them, cached.
    pub subscribers: crate::ingress::Subscribers,
}

/// How the context travels.
pub type Shared = Arc<Context>;
