//! `hearken app`: what an author of an app folder needs before any server runs.

mod check;
mod excerpt;
mod target;
mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::target::Target;
use super::{exit::Exit, output::Output};
use crate::config::Config;

/// What to do with app folders.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Load app folders and show everything that is wrong with them.
    Check(Folder),
    /// Run the samples of app folders.
    Test(Folder),
}

/// Which app folders.
#[derive(Args)]
pub(super) struct Folder {
    /// An app folder, a folder of app folders, or an app's name; all apps when left out.
    folder: Option<PathBuf>,
}

pub(super) fn run(command: &Command, config: &Config, output: Output) -> anyhow::Result<Exit> {
    let (Command::Check(folder) | Command::Test(folder)) = command;
    let target = Target::find(folder.folder.as_deref(), &config.apps_dir)?;
    Ok(match command {
        Command::Check(_) => check::run(&target, output),
        Command::Test(_) => test::run(&target, output),
    })
}
