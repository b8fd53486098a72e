//! The command line. (stub: owner S3)

use std::process::ExitCode;

/// Runs the command line.
pub fn run() -> ExitCode {
    let config = crate::config::Config::load(None, &crate::config::Flags::default()).unwrap();
    crate::telemetry::log_to_stderr(&config.log).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(crate::server::run(config)).unwrap();
    ExitCode::SUCCESS
}
