//! The HTTP API. (stub: owner S2)
