//! How a command ends: the exit codes that scripts may rely on.

use std::process::ExitCode;

use thiserror::Error;

use crate::{config::ConfigError, keys::KeyError, store::StoreError, telemetry::TelemetryError};

/// The codes, for `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0  done, nothing found wrong
  1  problems were found, or the command failed
  2  the command line or the configuration is not valid
  3  the database or another service cannot be reached";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done, nothing found wrong.
    Ok = 0,
    /// Problems were found, or the command failed.
    Problems = 1,
    /// The command line or the configuration is not valid.
    Usage = 2,
    /// The database or another service cannot be reached.
    Unreachable = 3,
}

/// An argument that the parser cannot judge, such as a folder that is not there.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

impl Exit {
    /// `Problems` if there are any.
    pub(super) fn ok_if(fine: bool) -> Self {
        if fine { Self::Ok } else { Self::Problems }
    }

    /// The code for a command that failed.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(StoreError::Unavailable(_)) = cause.downcast_ref() {
                return Self::Unreachable;
            }
            if cause.is::<UsageError>()
                || cause.is::<ConfigError>()
                || cause.is::<KeyError>()
                || cause.is::<TelemetryError>()
            {
                return Self::Usage;
            }
        }
        Self::Problems
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
