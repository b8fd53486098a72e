//! How long to wait before trying again.

use std::time::Duration;

use crate::config;

/// The pause after so many failures in a row: twice as long each time, up to the most, and
/// between a half and the whole of that, so that those who failed together do not return together.
pub(super) fn pause(settings: &config::Jobs, failures: i64) -> Duration {
    let doublings = u32::try_from(failures.clamp(1, 31) - 1).unwrap_or_default();
    let first = settings.backoff_seconds.duration();
    let longest = settings.backoff_max_seconds.duration();
    let whole = first.saturating_mul(1 << doublings).min(longest);
    whole.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

/// In microseconds.
pub(super) fn micros(pause: Duration) -> i64 {
    i64::try_from(pause.as_micros()).unwrap_or(i64::MAX)
}
