//! Serving: start-up, the accept loop, and an orderly end.
//!
//! The accept loop is our own because a slow client must cost nothing: every connection has a
//! deadline for its first byte, for each request's head and for each body, and both the number
//! of connections and those of one address are bounded.

mod connection;
mod patience;
mod routes;

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use hearken_engine::{KeyRing, LiveCatalogue, reload::Reload};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    accounts::{Renewals, Vault},
    api,
    config::Config,
    context::{Context, Shared},
    egress::{Egress, Rerouted},
    ingress::Subscribers,
    jobs::{self, Jobs},
    keys::{self, Keys},
    store::Store,
    telemetry,
};

/// Serves until the process is told to stop.
///
/// # Errors
/// Whatever keeps the server from starting: the address is taken, the database cannot be
/// opened, a key file is unreadable.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    serve(config, listener, stop_signal()).await
}

/// Serves on `listener` until `shutdown` completes; requests under way are answered first.
pub async fn serve(
    mut config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    config.listen = listener.local_addr()?;
    let metrics = telemetry::record_metrics()?;
    let keys = keys::load(&config)?;
    let context = open(config, &keys).await?;
    let _watcher = watch_apps(&context)?;
    jobs::start(&context);
    announce(&context, &keys);
    let app = routes::all(context.clone(), metrics);
    let closing = context.closing.clone();
    connection::accept(listener, app, &context.config.limits, closing, shutdown).await;
    info!("every request is answered; ending the jobs and closing the database");
    context.jobs.stop().await;
    context.store.close().await;
    Ok(())
}

async fn open(config: Config, keys: &Keys) -> anyhow::Result<Shared> {
    let store = Store::open(&config.database_url).await.context("cannot open the database")?;
    let vault = Vault::new(&keys.master)?;
    api::auth::bootstrap_root_key(&store, &keys.root).await?;
    let catalogue = LiveCatalogue::open(config.apps_dir.clone());
    let timeout = Duration::from_secs(config.limits.provider_seconds);
    let egress = Egress::new(&config.egress_allow, timeout)?;
    // A URL belongs to one provider, so that one set of changes serves all apps.
    let urls = config.apps.values().flat_map(|settings| &settings.urls);
    let key_ring = KeyRing::new(Arc::new(Rerouted::new(egress.clone(), urls)));
    let subscribers = Subscribers::new(config.limits.webhooks_per_second);
    let keys = api::auth::Keys::new(config.limits.api_per_second);
    let jobs = Jobs::default();
    Ok(Arc::new(Context {
        config,
        store,
        vault,
        catalogue,
        renewals: Renewals::default(),
        egress,
        key_ring,
        keys,
        jobs,
        subscribers,
        closing: CancellationToken::new(),
    }))
}

fn watch_apps(context: &Shared) -> anyhow::Result<hearken_engine::reload::Watcher> {
    report_apps(context);
    let shared = context.clone();
    let on_change = move |reload: &Reload| {
        for slug in &reload.changed {
            info!(app = %slug, "app loaded");
        }
        for slug in &reload.removed {
            warn!(app = %slug, "app removed");
        }
        for (slug, problems) in &reload.failed {
            metrics::counter!("hearken_app_reload_failed_total", "app" => slug.clone())
                .increment(1);
            for problem in problems {
                error!(app = %slug, "{problem}; the last good version goes on serving");
            }
        }
        count_apps(&shared);
    };
    Ok(context.catalogue.watch(on_change)?)
}

/// Logs what is wrong at start; there is no last good version yet.
fn report_apps(context: &Shared) {
    for problem in context.catalogue.snapshot().problems().values().flatten() {
        error!("{problem}");
    }
    count_apps(context);
}

fn count_apps(context: &Shared) {
    let catalogue = context.catalogue.snapshot();
    #[expect(clippy::cast_precision_loss, reason = "a count of app folders")]
    let gauge = |state: &'static str, count: usize| {
        metrics::gauge!("hearken_apps", "state" => state).set(count as f64);
    };
    gauge("loaded", catalogue.apps().count());
    gauge("broken", catalogue.problems().len());
}

/// Tells a newcomer where everything is, on standard output, so that it is no log line.
#[expect(clippy::print_stdout, reason = "the banner is for the person at the terminal")]
fn announce(context: &Shared, keys: &Keys) {
    let config = &context.config;
    let catalogue = context.catalogue.snapshot();
    println!("Hearken {} is serving\n", env!("CARGO_PKG_VERSION"));
    println!("  URL         http://{}", config.listen);
    println!(
        "  Public URL  {} (set HEARKEN_PUBLIC_URL to what providers reach)",
        config.public_url()
    );
    println!(
        "  Data        {}, keys in {}",
        config.shown_database_url(),
        config.data_dir.display()
    );
    println!(
        "  Apps        {} loaded, {} broken, from {}",
        catalogue.apps().count(),
        catalogue.problems().len(),
        config.apps_dir.display()
    );
    if keys.root_is_new {
        println!("  Root key    {} (shown this once)", keys.root.expose_secret());
    }
    println!("  API keys    hearken key create --name my-agent\n");
}

/// Completes at SIGINT or SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            warn!(%error, "cannot listen for SIGTERM");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    info!("stopping");
}
