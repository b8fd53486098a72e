//! `hearken config`: what the server would run with, after file, environment and flags.

use clap::Subcommand;
use serde_json::Value;

use super::{
    exit::Exit,
    output::{Output, Tone},
};
use crate::config::Config;

/// What to do with the configuration.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Print every setting as it is in force, secrets hidden.
    Print,
}

pub(super) fn run(command: &Command, config: &Config, output: Output) -> anyhow::Result<Exit> {
    let Command::Print = command;
    if output.is_json() {
        return Ok(output.json(config));
    }
    print(output, "", &serde_json::to_value(config)?);
    Ok(Exit::Ok)
}

/// Prints TOML with dotted keys; what is unset becomes a comment.
fn print(output: Output, path: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let joint = if path.is_empty() { "" } else { "." };
                print(output, &format!("{path}{joint}{name}"), value);
            }
        }
        Value::Null => output.line(output.paint(Tone::Faint, format!("# {path} is not set"))),
        value => output.line(format!("{path} = {value}")),
    }
}
