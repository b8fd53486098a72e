//! Points in time as providers write them: RFC 3339, or a number since 1970 in seconds,
//! milliseconds or microseconds.

use jiff::Timestamp;

use crate::Micros;

const MICROS: i64 = 1_000_000;

/// Reads a time. Of bare numbers, the magnitude tells the unit: up to year 5138 in seconds, the
/// millisecond count of the same span from there on, and microseconds above that.
pub(crate) fn parse(text: &str) -> Option<Micros> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return from_integer(whole);
    }
    match text.split_once('.') {
        Some((seconds, fraction)) if seconds.parse::<i64>().is_ok() => seconds
            .parse::<i64>()
            .ok()?
            .checked_mul(MICROS)?
            .checked_add(fraction_micros(fraction)?),
        _ => text.parse().ok().map(Timestamp::as_microsecond),
    }
}

/// Reads the date of an HTTP header field (RFC 9110, section 5.6.7).
pub(super) fn parse_http(text: &str) -> Option<Micros> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp().as_microsecond())
}

/// Reads a number since 1970.
pub(super) fn from_integer(number: i64) -> Option<Micros> {
    match number.unsigned_abs() {
        0..100_000_000_000 => number.checked_mul(MICROS),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(number),
        _ => None,
    }
}

/// Digits after the point as microseconds; finer ones are cut off.
fn fraction_micros(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<6}")[..6].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_providers_write() {
        // Expected values from `date -u -d … +%s`.
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-24T10:00:00Z", 1_795_514_400_000_000),
            ("2026-11-24T10:00:00.123456789+02:00", 1_795_507_200_123_456),
            ("2024-02-29 23:59:59.5-05:30", 1_709_270_999_500_000),
            ("2000-02-29T12:00:00z", 951_825_600_000_000),
            ("1355517523.000005", 1_355_517_523_000_005),
            ("1355517523", 1_355_517_523_000_000),
            ("1355517523123", 1_355_517_523_123_000),
            ("1355517523123456", 1_355_517_523_123_456),
        ] {
            assert_eq!(parse(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn reads_dates_of_header_fields() {
        // The example of RFC 9110, section 5.6.7; the number from `date -u -d … +%s`.
        assert_eq!(parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000_000));
        assert_eq!(parse_http("soon"), None);
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "now",
            "2026-11-24",
            "2026-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T10:00:00",
            "2026-11-24T10:00:00.Z",
            "2026-11-24T10:00:00+2",
            "9223372036854775807",
            "1.",
            "1.x",
            "é026-11-24T10:00:00Z",
            "2026-11-24T10:00:00+aa:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
