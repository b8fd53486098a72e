//! `hearken demo`: the server with a throw-away data folder, and beside it a pretend provider that
//! plays the samples of the app folders. Like the server, it knows no provider itself.

mod capture;
mod delivery;
mod exchange;
mod playbook;
mod provider;
mod walkthrough;

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use hearken_engine::{Catalogue, HttpRequest};
use ipnet::IpNet;
use tokio::net::TcpListener;

use self::{playbook::Playbook, provider::Provider};
use super::{
    exit::{Exit, UsageError},
    output::Output,
};
use crate::{
    accounts::Vault,
    config::{AppConfig, Config},
    egress::Egress,
    server,
};

/// The root key of the demo. Everybody knows it, so it opens nothing else.
pub(super) const KEY: &str = "demo-key";
/// How long the pretend provider waits for the server's answer to a delivery.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether the server is up.
const LOOK: Duration = Duration::from_millis(100);

/// How to show it.
#[derive(Args)]
pub(super) struct Arguments {
    /// Play this app only.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Address of the pretend provider.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    provider: SocketAddr,
}

pub(super) async fn run(
    arguments: Arguments,
    mut config: Config,
    output: Output,
) -> anyhow::Result<Exit> {
    let playbooks = playbooks(&config.apps_dir, arguments.app.as_deref())?;
    let listener = TcpListener::bind(arguments.provider)
        .await
        .with_context(|| format!("the pretend provider cannot listen on {}", arguments.provider))?;
    let base = format!("http://{}", listener.local_addr()?);
    prepare(&mut config, &playbooks, &base)?;
    let egress = Egress::new(&config.egress_allow, PATIENCE)?;
    let guide = walkthrough::text(&playbooks, &config.public_url(), &base);
    let provider = Arc::new(Provider::new(playbooks, config.public_url(), egress.clone()));
    tokio::spawn(axum::serve(listener, provider::router(provider)).into_future());
    let health = format!("{}/healthz", config.public_url());
    tokio::spawn(async move {
        until_served(&egress, &health).await;
        output.line(guide);
    });
    server::run(config).await?;
    Ok(Exit::Ok)
}

fn playbooks(root: &Path, only: Option<&str>) -> anyhow::Result<Vec<Playbook>> {
    let catalogue = Catalogue::load(root, None);
    let wanted = |slug: &str| only.is_none_or(|only| only == slug);
    let mut playbooks = Vec::new();
    for app in catalogue.apps().filter(|app| wanted(&app.slug)) {
        playbooks.extend(Playbook::read(root, app.clone())?);
    }
    if playbooks.is_empty() {
        let root = root.display();
        let message = match only {
            Some(slug) => format!("there is no app `{slug}` with samples to play in {root}"),
            None => format!("there is no app with samples to play in {root}"),
        };
        return Err(UsageError(message).into());
    }
    Ok(playbooks)
}

/// Points the server at the pretend provider and at data of its own, gone at the next demo.
fn prepare(config: &mut Config, playbooks: &[Playbook], base: &str) -> anyhow::Result<()> {
    config.data_dir = config.data_dir.join("demo");
    match fs::remove_dir_all(&config.data_dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            let folder = config.data_dir.display();
            return Err(error).with_context(|| format!("cannot empty {folder}"));
        }
        _ => {}
    }
    config.database_url = format!("sqlite://{}", config.data_dir.join("hearken.db").display());
    config.public_url = None;
    config.master_key = Some(Vault::generate_key());
    config.root_key = Some(KEY.into());
    config.egress_allow = vec![IpNet::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST))];
    for playbook in playbooks {
        let base_url = format!("{base}/{}", playbook.slug()).parse()?;
        let settings = AppConfig { base_url: Some(base_url), ..AppConfig::default() };
        config.apps.insert(playbook.slug().to_owned(), settings);
    }
    Ok(())
}

async fn until_served(egress: &Egress, health: &str) {
    loop {
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: health.to_owned(),
            headers: Vec::new(),
            body: None,
        };
        if egress.call(request).await.is_ok_and(|answer| answer.status == 200) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
