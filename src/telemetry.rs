//! Logs and metrics. (stub: lead)
