//! A failed call to a provider, as the API tells it.

use hearken_engine::LifecycleError;

use super::call::Call;
use crate::{accounts::asking::provider_problem, api::problem::Problem, store::model::Trigger};

/// The problem document for `error`, in the provider's words where it spoke.
pub(super) fn problem(call: &Call, error: &LifecycleError) -> Problem {
    provider_problem(&call.app, error)
}

/// Whether the provider may have done what was asked, although the call failed: an error of its
/// own, a lost answer, or one that the script did not understand says nothing about that.
pub(super) fn may_have_worked(error: &LifecycleError) -> bool {
    match error {
        LifecycleError::Provider { status, .. } => !(400..500).contains(status),
        LifecycleError::Unreachable(_)
        | LifecycleError::Timeout { .. }
        | LifecycleError::Script(_) => true,
        LifecycleError::Denied(_)
        | LifecycleError::HostNotListed { .. }
        | LifecycleError::MissingFunction(_) => false,
    }
}

/// The trigger's app is not there to be asked.
pub(super) fn gone(trigger: &Trigger) -> Problem {
    Problem::conflict(format!("the app `{}` is not loaded; see GET /v1/apps", trigger.app))
}
