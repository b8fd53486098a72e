//! The server's clock: the only place that asks the operating system for the time.

use std::time::SystemTime;

use hearken_engine::Micros;
use jiff::Timestamp;

/// Now, in microseconds since the Unix epoch.
pub fn now() -> Micros {
    #[expect(clippy::disallowed_methods, reason = "this is the clock everybody else asks")]
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(elapsed.as_micros()).unwrap_or(Micros::MAX)
}

/// `micros` as RFC 3339 text in UTC with microseconds, as the API shows every time.
pub fn rfc3339(micros: Micros) -> String {
    Timestamp::from_microsecond(micros)
        .unwrap_or_default()
        .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        .to_string()
}

/// Reads RFC 3339 text.
///
/// # Errors
/// The text, when it is not a time with an offset.
pub fn parse_rfc3339(text: &str) -> Result<Micros, String> {
    text.parse::<Timestamp>()
        .map(Timestamp::as_microsecond)
        .map_err(|_| format!("`{text}` is not a time of the form 2026-11-24T10:00:00Z"))
}
