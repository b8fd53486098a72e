//! Receiving webhooks. (stub: lead)

/// Triggers as the ingress sees them, cached for a second or two. (stub)
pub struct Subscribers;

impl Subscribers {
    /// Forgets a trigger after it changed, so that the next request reads it afresh.
    pub async fn forget(&self, _trigger_id: &str) {}
}
