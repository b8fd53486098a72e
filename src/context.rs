//! What every request handler and background task shares.

use std::sync::Arc;

use hearken_engine::{App, KeyRing, LiveCatalogue};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    accounts::{Renewals, Vault},
    config::{AppConfig, Config, Reroute},
    egress::{Egress, Rerouted},
    store::Store,
};

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
    /// Access tokens that are being renewed.
    pub renewals: Renewals,
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
    /// Cancelled once the server takes no more requests: whoever waits for events waits no longer.
    pub closing: CancellationToken,
}

impl Context {
    /// The way out for an app's calls, with the operator's changes of its URLs. Who says where the
    /// provider's API is says it of every URL there, also of those that the provider names.
    pub fn way_out(&self, app: &App) -> Rerouted {
        let settings = self.settings(app);
        let api = settings.and_then(|settings| settings.base_url.as_ref()).and_then(|chosen| {
            let own = app.definition.base_url.as_deref();
            // One with the account's own host in it begins no URL.
            let own = own.filter(|own| !own.is_empty() && !own.contains('{'))?;
            Some(Reroute::new(own, chosen.as_str()))
        });
        let urls = settings.into_iter().flat_map(|settings| &settings.urls);
        Rerouted::new(self.egress.clone(), urls.chain(&api))
    }

    /// The provider's API for an account with these public facts, without a trailing slash: the
    /// operator's choice, or the definition's.
    pub fn base_url(&self, app: &App, facts: &Value) -> String {
        let chosen = self.settings(app).and_then(|settings| settings.base_url.as_ref());
        app.base_url(chosen.map(url::Url::as_str), facts)
    }

    fn settings(&self, app: &App) -> Option<&AppConfig> {
        self.config.apps.get(&app.slug)
    }
}

/// How the context travels.
pub type Shared = Arc<Context>;
