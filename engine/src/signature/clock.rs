//! The signed time, and the window against replay.

use jiff::Timestamp;
use serde::Deserialize;

use super::{place, reading::Reading};
use crate::{Micros, Rejection};

pub(super) const MICROS: i64 = 1_000_000;

/// The signed time against replay.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clock {
    /// Header field that holds it.
    #[serde(default)]
    pub(super) header: Option<String>,
    /// Field of the body that holds it: a JSON pointer, or the name of a form field.
    #[serde(default)]
    pub(super) body: Option<String>,
    /// Key of the pair that holds it, in the text that carries the signature.
    #[serde(default)]
    pub(super) pair: Option<String>,
    #[serde(default)]
    pub(super) unit: Unit,
    /// Seconds it may lie in the past, or in the future.
    #[serde(default = "tolerance")]
    pub(super) tolerance: i64,
}

/// Seconds a signed time may be away from now, unless a description says otherwise.
pub(super) fn tolerance() -> i64 {
    300
}

/// How a time is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    /// Seconds since the epoch.
    #[default]
    S,
    /// Milliseconds since the epoch.
    Ms,
    /// RFC 3339.
    Iso,
}

impl Clock {
    /// Whether exactly one place is given.
    pub(super) fn stands_somewhere(&self) -> bool {
        [&self.header, &self.pair, &self.body].into_iter().flatten().count() == 1
    }

    /// The text of the signed time.
    pub(super) fn text(
        &self,
        reading: &Reading<'_>,
        carried: &[String],
        separator: Option<&str>,
    ) -> Result<String, Rejection> {
        let places = [&self.header, &self.pair, &self.body];
        let place = places.into_iter().flatten().next().cloned().unwrap_or_default();
        let text = if let Some(header) = &self.header {
            reading.header(header).map(str::to_owned)
        } else if let Some(key) = &self.pair {
            let found = carried.iter().find_map(|text| place::pairs(text, separator, key).pop());
            found.map(str::to_owned)
        } else {
            self.body.as_ref().and_then(|field| reading.field(field))
        };
        text.map(|text| text.trim().to_owned()).ok_or(Rejection::BadTimestamp(place))
    }

    /// Whether the signed time is near enough to the time of arrival.
    pub(super) fn check_age(&self, text: &str, received_at: Micros) -> Result<(), Rejection> {
        let signed_at =
            self.read(text).ok_or_else(|| Rejection::BadTimestamp(self.form().to_owned()))?;
        let skew = received_at.saturating_sub(signed_at);
        if skew.saturating_abs() > self.tolerance.saturating_mul(MICROS) {
            return Err(Rejection::Stale {
                skew_seconds: skew / MICROS,
                tolerance_seconds: self.tolerance,
            });
        }
        Ok(())
    }

    fn form(&self) -> &'static str {
        match self.unit {
            Unit::S => "seconds since the epoch",
            Unit::Ms => "milliseconds since the epoch",
            Unit::Iso => "a time such as 2026-11-24T10:00:00Z",
        }
    }

    fn read(&self, text: &str) -> Option<Micros> {
        let number = || text.parse::<i64>().ok();
        match self.unit {
            Unit::S => number().map(|seconds| seconds.saturating_mul(MICROS)),
            Unit::Ms => number().map(|millis| millis.saturating_mul(1000)),
            Unit::Iso => text.parse().ok().map(Timestamp::as_microsecond),
        }
    }

    /// A time as the provider would write it.
    pub(super) fn write(&self, micros: Micros) -> String {
        match self.unit {
            Unit::S => (micros / MICROS).to_string(),
            Unit::Ms => (micros / 1000).to_string(),
            Unit::Iso => Timestamp::from_microsecond(micros).unwrap_or_default().to_string(),
        }
    }
}
