//! A failed call to a provider, as the API tells it.

use axum::http::StatusCode;
use hearken_engine::{App, LifecycleError};
use tracing::error;

use super::call::Call;
use crate::{api::problem::Problem, store::model::Trigger};

/// The problem document for `error`, in the provider's words where it spoke.
pub(super) fn problem(call: &Call, error: &LifecycleError) -> Problem {
    provider_problem(&call.app, error)
}

/// The same for a call of `app` that is about no trigger.
pub fn provider_problem(app: &App, error: &LifecycleError) -> Problem {
    let title = &app.definition.title;
    match error {
        LifecycleError::Provider { status, message, hint, .. } => {
            let hint = hint.as_ref().map(|hint| format!(" {hint}")).unwrap_or_default();
            let (answer, code, verb) = if (400..500).contains(status) {
                (StatusCode::UNPROCESSABLE_ENTITY, "provider_refused", "refused")
            } else {
                (StatusCode::BAD_GATEWAY, "provider_failed", "failed")
            };
            let detail =
                format!("{title} {verb} with status {status}: {message}.{hint}").replace("..", ".");
            Problem::new(answer, code, detail).with_provider(*status, message.clone())
        }
        LifecycleError::Unreachable(why) => {
            let detail = format!("{title} cannot be reached: {why}");
            Problem::new(StatusCode::BAD_GATEWAY, "provider_unreachable", detail)
        }
        LifecycleError::Timeout { seconds } => {
            let detail = format!("{title} did not answer within {seconds} s");
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "provider_timeout", detail)
        }
        LifecycleError::Denied(_) | LifecycleError::HostNotListed { .. } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "egress_denied", error.to_string())
        }
        LifecycleError::MissingFunction(_) | LifecycleError::Script(_) => {
            error!(app = %app.slug, %error, "a lifecycle call failed");
            let detail = format!("{}/connector.rhai: {error}", app.slug);
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "app_script_failed", detail)
        }
    }
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
