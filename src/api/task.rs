//! Work that must not stop half-way when the client hangs up.

use std::future::Future;

use tracing::error;

use super::problem::Problem;

/// Does `work` to its end, whether or not anybody still waits for the answer: a handler is
/// dropped with its connection, and a subscription that is removed and not yet put back, or made
/// and not yet noted, would be left so.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.unwrap_or_else(|failure| {
        error!(%failure, "a request could not be worked on to its end; please report this");
        Err(Problem::internal())
    })
}
