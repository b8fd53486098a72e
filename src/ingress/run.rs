//! Running the engine beside the server's own work.

use std::sync::Arc;

use hearken_engine::App;
use tracing::error;

use crate::context::Shared;

/// A run of the engine on a thread of its own. Scripts use the processor for as long as their
/// limits allow, so they run on threads that may be blocked, as many at once as there are cores.
pub(super) struct Run<'a> {
    pub(super) context: &'a Shared,
    pub(super) app: &'a Arc<App>,
}

impl Run<'_> {
    /// Does `work`, which is told for how many seconds more the app's script is switched off, and
    /// tells whether the script used up its limits.
    pub(super) async fn engine<T: Send + 'static>(
        &self,
        work: impl FnOnce(Option<u64>) -> (T, bool) + Send + 'static,
    ) -> T {
        let subscribers = &self.context.subscribers;
        let script = format!("{}@{}", self.app.slug, self.app.version);
        let off_for = subscribers.breaker.off_for(&script);
        let turn = subscribers.turn().await;
        let run = move || {
            // Held to the end of the run, also when the sender has hung up meanwhile.
            let _turn = turn;
            work(off_for)
        };
        match tokio::task::spawn_blocking(run).await {
            Ok((result, exhausted)) => {
                if off_for.is_none() && subscribers.breaker.note(&script, exhausted) {
                    error!(app = %self.app.slug,
                        "the script used up its limits again and again; it is switched off for a while");
                }
                result
            }
            Err(panic) => {
                error!(app = %self.app.slug, %panic, "the engine panicked; please report this");
                std::panic::resume_unwind(panic.into_panic())
            }
        }
    }
}
