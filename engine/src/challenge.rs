//! Handshakes. (stub: owner E3)

use serde::Deserialize;

/// A declared handshake.
#[derive(Debug, Clone, Deserialize)]
pub struct Challenge {}
