//! `hearken app`: what an author of an app folder needs before any server runs.

mod check;
mod excerpt;
mod new;
mod record;
mod reference;
mod schema;
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
    /// Write a new app folder that works at once, to be made into the app of a provider.
    New(new::Arguments),
    /// Load app folders and show everything that is wrong with them, or doubtful.
    Check(check::Arguments),
    /// Run the samples of app folders.
    Test(test::Arguments),
    /// Make a sample of a webhook that was received.
    Record(record::Arguments),
    /// Print the reference of definitions, samples and scripts, as Markdown.
    Reference,
    /// Print a JSON Schema of what authors write, for editors.
    Schema(schema::Arguments),
}

/// Which app folders.
#[derive(Args)]
pub(super) struct Folder {
    /// An app folder, a folder of app folders, or an app's name; all apps when left out.
    folder: Option<PathBuf>,
}

pub(super) fn run(command: Command, config: Config, output: Output) -> anyhow::Result<Exit> {
    let target = |folder: &Folder| Target::find(folder.folder.as_deref(), &config.apps_dir);
    Ok(match command {
        Command::New(arguments) => new::run(&arguments, &config.apps_dir, output)?,
        Command::Check(arguments) => check::run(&arguments, &target(&arguments.folder)?, output),
        Command::Test(arguments) => test::run(&arguments, &target(&arguments.folder)?, output),
        Command::Record(arguments) => record::run(&arguments, config, output)?,
        Command::Reference => reference::run(output),
        Command::Schema(arguments) => schema::run(&arguments, output),
    })
}
