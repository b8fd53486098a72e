//! The command line: one file per command, each a function from its arguments to an [`Exit`].

mod app;
mod config;
mod demo;
mod doctor;
mod exit;
mod key;
mod output;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::{exit::Exit, output::Output};
use crate::{
    api,
    config::{Config, Flags},
    server, telemetry,
};

/// Receives webhooks of any provider, verifies them and keeps them as events.
#[derive(Parser)]
#[command(name = "hearken", version, after_help = exit::HELP, max_term_width = 100)]
struct Cli {
    /// Configuration file; `hearken.toml` in the working directory when there is one.
    #[arg(long, global = true, env = "HEARKEN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten, next_help_heading = "Settings (they win over file and environment)")]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve.
    Serve,
    /// Make, check and test app folders.
    #[command(subcommand)]
    App(app::Command),
    /// Manage API keys, directly in the database.
    #[command(subcommand)]
    Key(key::Command),
    /// Find out why something does not work.
    Doctor,
    /// Print the OpenAPI description of the API.
    Openapi,
    /// Show the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Serve with a pretend provider beside it, to try everything out without an account.
    Demo(demo::Arguments),
}

/// Runs the command the process was started with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too. Nobody is left to tell if printing fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let output = Output::new(cli.json);
    cli.execute(output)
        .unwrap_or_else(|error| {
            output.error(&error);
            Exit::of(&error)
        })
        .into()
}

impl Cli {
    fn execute(self, output: Output) -> anyhow::Result<Exit> {
        let load = || Config::load(self.config.clone(), &self.flags);
        match self.command {
            Command::Serve => {
                wait(load()?, async |config| server::run(config).await.map(|()| Exit::Ok))
            }
            Command::App(command) => app::run(command, load()?, output),
            Command::Key(command) => {
                wait(load()?, async |config| key::run(command, &config, output).await)
            }
            Command::Doctor => doctor::run(load(), output),
            Command::Openapi => Ok(output.json(&api::openapi())),
            Command::Config(command) => config::run(&command, &load()?, output),
            Command::Completions { shell } => {
                // Not straight to standard output, whose reader may stop reading.
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "hearken", &mut script);
                output.line(String::from_utf8_lossy(&script).trim_end());
                Ok(Exit::Ok)
            }
            Command::Demo(arguments) => {
                wait(load()?, async |config| demo::run(arguments, config, output).await)
            }
        }
    }
}

/// Runs a command that talks to the network or the database.
fn wait<F>(config: Config, command: F) -> anyhow::Result<Exit>
where
    F: AsyncFnOnce(Config) -> anyhow::Result<Exit>,
{
    telemetry::log_to_stderr(&config.log)?;
    // Fails only when one is installed already, and then it is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(command(config))
}
