//! What can go wrong in the store.

use sqlx::Error;
use thiserror::Error as ThisError;

/// A store operation failed. A row that is not there is no error but `None`.
#[derive(Debug, Clone, ThisError)]
pub enum StoreError {
    /// The change contradicts what is stored; the text says how.
    #[error("{0}")]
    Conflict(String),
    /// The database cannot do it now; trying again later may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// What is stored cannot be understood.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Says in the user's terms what a conflict means here.
    pub(super) fn explained(self, conflict: &str) -> Self {
        match self {
            Self::Conflict(_) => Self::Conflict(conflict.to_owned()),
            other => other,
        }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::Database(cause)
                if cause.is_unique_violation() || cause.is_foreign_key_violation() =>
            {
                Self::Conflict(format!("another row stands in the way: {cause}"))
            }
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// What a failed batch means for the requests in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Rolled back because of another transaction; the same again may succeed.
    Collision,
    /// The disk failed. What it holds is unknown, and a retry that seems to succeed proves
    /// nothing: only a restart reads it afresh.
    Disk,
    /// The database cannot be reached, is full, locked or does not answer; whether it committed
    /// is unknown.
    Unreachable,
    /// Some row was refused; the others may be fine.
    Row,
}

impl Failure {
    pub(super) fn of(error: &Error) -> Self {
        let Error::Database(cause) = error else {
            return match error {
                Error::Encode(_) | Error::RowNotFound => Self::Row,
                _ => Self::Unreachable,
            };
        };
        let code = cause.code().unwrap_or_default();
        // PostgreSQL's codes have five characters, the first two of which tell the class (its
        // manual, appendix A); SQLite's have the kind in the low byte (sqlite.org/rescode.html).
        match (code.len(), code.parse::<u32>()) {
            (..=4, Ok(sqlite)) => match sqlite & 0xff {
                5 | 6 | 13 => Self::Unreachable,
                10 => Self::Disk,
                _ => Self::Row,
            },
            _ => match code.as_ref() {
                "40001" | "40P01" => Self::Collision,
                other if ["08", "53", "57", "58"].contains(&other.get(..2).unwrap_or_default()) => {
                    Self::Unreachable
                }
                _ => Self::Row,
            },
        }
    }
}
