//! Points in time as providers write them: RFC 3339, or a number since 1970 in seconds,
//! milliseconds or microseconds.

use crate::Micros;

const MICROS: i64 = 1_000_000;

/// Reads a time. Of bare numbers, the magnitude tells the unit: up to year 5138 in seconds, the
/// millisecond count of the same span from there on, and microseconds above that.
pub(super) fn parse(text: &str) -> Option<Micros> {
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
        _ => rfc3339(text),
    }
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

/// `2026-11-24T10:00:00.123Z`, with `z`, `t` or a space and any offset, as RFC 3339 allows.
fn rfc3339(text: &str) -> Option<Micros> {
    let bytes = text.as_bytes();
    let separators = text.is_ascii()
        && bytes.len() >= 20
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !separators {
        return None;
    }
    let (year, month, day) = (
        digits(&text[0..4])?,
        digits(&text[5..7])?,
        digits(&text[8..10])?,
    );
    let (hour, minute, second) = (
        digits(&text[11..13])?,
        digits(&text[14..16])?,
        digits(&text[17..19])?,
    );
    // 60 is a leap second; it counts as the following second.
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let (fraction, zone) = match text[19..].strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            (fraction_micros(&rest[..end])?, &rest[end..])
        }
        None => (0, &text[19..]),
    };
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some((seconds - offset_seconds(zone)?) * MICROS + fraction)
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn two_digits(text: &str) -> Option<i64> {
    (text.len() == 2).then(|| digits(text)).flatten()
}

fn digits(text: &str) -> Option<i64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// Digits after the point as microseconds; finer ones are cut off.
fn fraction_micros(fraction: &str) -> Option<i64> {
    if fraction.is_empty() {
        return None;
    }
    digits(&fraction[..fraction.len().min(6)])
        .filter(|_| fraction.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|value| {
            value * 10_i64.pow(6_u32.saturating_sub(u32::try_from(fraction.len()).unwrap_or(6)))
        })
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar: years counted from March, so that the leap
/// day is a year's last, in eras of 400 years of 146,097 days.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
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
