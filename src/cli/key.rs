//! `hearken key`: API keys, made directly in the database, so that it works before any key exists
//! and while the server runs.

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    exit::{Exit, UsageError},
    output::{Output, Tone},
};
use crate::{
    api::auth,
    config::Config,
    store::{Store, model::Project},
};

/// What to do with keys.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key and show it, this once.
    Create {
        /// What the key is for, such as `my-agent`.
        #[arg(long)]
        name: String,
        /// Id or name of the project it acts for; the default project when left out.
        #[arg(long)]
        project: Option<String>,
        /// Let it manage projects and keys of every project too.
        #[arg(long)]
        admin: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config, output: Output) -> anyhow::Result<Exit> {
    let Command::Create { name, project, admin } = command;
    let store = Store::open(&config.database_url).await.context("cannot open the database")?;
    let project = find_project(&store, project.as_deref()).await?;
    let key = auth::generate_key();
    let row = auth::key_row(&key, &project.id, &name, admin);
    store.create_key(&row).await?;
    store.close().await;
    if output.is_json() {
        return Ok(output.json(&json!({
            "id": row.id,
            "name": row.name,
            "project_id": project.id,
            "admin": row.admin,
            "key": key.expose_secret(),
        })));
    }
    // The key alone on its line, so that it is easily copied.
    output.line(output.paint(Tone::Strong, key.expose_secret()));
    let rights = if admin { "It may manage every project." } else { "" };
    let words = format!("for the project {}, shown this once. {rights}", project.name);
    output.line(output.paint(Tone::Faint, words.trim_end()));
    Ok(Exit::Ok)
}

async fn find_project(store: &Store, wanted: Option<&str>) -> anyhow::Result<Project> {
    let Some(wanted) = wanted else {
        return Ok(store.ensure_default_project(auth::DEFAULT_PROJECT).await?);
    };
    let projects = store.list_projects().await?;
    let names: Vec<_> = projects.iter().map(|project| project.name.clone()).collect();
    let matching = |project: &Project| project.id == wanted || project.name == wanted;
    projects.into_iter().find(matching).ok_or_else(|| {
        UsageError(format!("there is no project `{wanted}`; there are: {}", names.join(", ")))
            .into()
    })
}
