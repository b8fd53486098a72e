//! The command line. (stub: owner S3)

use std::process::ExitCode;

/// Runs the command line.
pub fn run() -> ExitCode {
    unimplemented!()
}
