//! `later`: points in time reckoned from another. Scripts have no clock, so that what they do can
//! be told from what they were given; where a provider wants to be told a time, they take its own
//! from an answer's `Date`.

use jiff::Timestamp;
use rhai::Engine;

use super::{
    failure::{Fallible, fault},
    moment,
};

/// Registers `later`.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("later", later);
}

/// The moment so many seconds after `moment`, as RFC 3339.
fn later(moment: &str, seconds: i64) -> Fallible<String> {
    let start =
        moment::parse(moment).or_else(|| moment::parse_http(moment.trim())).ok_or_else(|| {
            let shown: String = moment.chars().take(60).collect();
            fault(format!(
                "later() takes a time, such as RFC 3339 or the field `date`, not {shown:?}"
            ))
        })?;
    seconds
        .checked_mul(1_000_000)
        .and_then(|span| start.checked_add(span))
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .map(|moment| moment.to_string())
        .ok_or_else(|| fault("later() cannot reckon that far"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn reckons_from_what_providers_write() {
        // Expected values from `date -u -d '… + … seconds' +%FT%TZ`.
        for (moment, seconds, expected) in [
            ("Tue, 24 Nov 2026 10:00:00 GMT", 252_000, "2026-11-27T08:00:00Z"),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0, "1994-11-06T08:49:37Z"),
            ("2024-02-28T23:59:59Z", 1, "2024-02-29T00:00:00Z"),
            ("2026-11-24T10:00:00+02:00", -3_600, "2026-11-24T07:00:00Z"),
            ("1795514400", 60, "2026-11-24T10:01:00Z"),
        ] {
            assert_eq!(later(moment, seconds).unwrap(), expected, "{moment}");
        }
    }

    #[test]
    fn says_what_it_cannot_reckon() {
        for (moment, seconds) in [("soon", 1), ("", 1), ("2026-11-24T10:00:00Z", i64::MAX)] {
            assert!(later(moment, seconds).is_err(), "{moment} {seconds}");
        }
    }
}
