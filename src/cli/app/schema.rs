//! `hearken app schema`: the JSON Schemas of what authors write, for editors that are not told
//! where the repository is.

use clap::{Args, ValueEnum};

use crate::cli::{exit::Exit, output::Output};

/// Of what.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The kind of file.
    #[arg(value_enum)]
    kind: Kind,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// app.yaml
    App,
    /// A sample
    Sample,
}

/// The schema of `app.yaml`.
pub(super) const APP: &str = include_str!("../../../schemas/app.schema.json");
/// The schema of samples.
pub(super) const SAMPLE: &str = include_str!("../../../schemas/sample.schema.json");

pub(super) fn run(arguments: &Arguments, output: Output) -> Exit {
    output.line(match arguments.kind {
        Kind::App => APP.trim_end(),
        Kind::Sample => SAMPLE.trim_end(),
    });
    Exit::Ok
}
