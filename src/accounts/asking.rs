//! Asking a provider by an app's script, and what the API says where the answer is no.

use axum::http::StatusCode;
use hearken_engine::{App, LifecycleError, ScriptError};
use tracing::error;

use crate::api::problem::Problem;

/// Runs a script's function that talks to a provider, on a thread that may block.
pub async fn in_script<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LifecycleError> + Send + 'static,
) -> Result<T, LifecycleError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        error!(%panic, "a lifecycle call panicked; please report this");
        Err(LifecycleError::Script(ScriptError {
            function: "lifecycle".to_owned(),
            exhausted: false,
            message: "the engine failed".to_owned(),
            line: None,
            column: None,
        }))
    })
}

/// The problem document for a failed call of `app`, in the provider's words where it spoke.
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
