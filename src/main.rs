//! The `hearken` binary: everything it does is a subcommand of [`hearken::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    hearken::cli::run()
}
