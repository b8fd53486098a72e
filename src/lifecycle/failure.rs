//! A call that a job made and that failed: what to tell of it, and when to try again.

use std::time::Duration;

use hearken_engine::LifecycleError;

use crate::{api::problem::Problem, store::StoreError};

/// The longest a provider can make us wait.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

/// Why a job's call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// One sentence for users; no secret is in it.
    pub(crate) reason: String,
    /// How long the provider wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the provider does not accept the account.
    pub(crate) unauthorised: bool,
}

impl Failure {
    /// One that says nothing of when to try again.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None, unauthorised: false }
    }
}

impl From<LifecycleError> for Failure {
    fn from(error: LifecycleError) -> Self {
        let (retry_after, unauthorised) = match &error {
            LifecycleError::Provider { status, retry_after, .. } => (*retry_after, *status == 401),
            _ => (None, false),
        };
        Self {
            reason: error.to_string(),
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.min(LONGEST_WAIT))),
            unauthorised,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(problem.detail())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error.to_string())
    }
}
