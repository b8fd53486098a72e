//! Settings of the server's own jobs: how often, how long, how many.

use std::time::Duration;

use hearken_engine::Micros;
use serde::{Deserialize, Serialize, de::Error};

/// The longest span that can be set: ten years.
const LONGEST: f64 = 315_360_000.0;

/// A span of time in seconds, with a fraction if need be. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Seconds(f64);

impl Seconds {
    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }

    /// A tenth of it.
    #[must_use]
    pub fn tenth(self) -> Self {
        Self(self.0 / 10.0)
    }

    /// In microseconds.
    pub fn micros(self) -> Micros {
        Micros::try_from(self.duration().as_micros()).unwrap_or(Micros::MAX)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if (0.001..=LONGEST).contains(&seconds) {
            return Ok(Self(seconds));
        }
        Err(D::Error::custom(format!("give seconds from 0.001 to {LONGEST}, not {seconds}")))
    }
}

/// Settings of the server's own jobs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jobs {
    /// How often notices and renewals that are due are looked for; notices that this server
    /// received are taken up at once.
    pub poll_seconds: Seconds,
    /// Calls to providers that the jobs make at the same time.
    pub concurrency: u32,
    /// Seconds after which another server takes over what a server that died was at.
    pub lease_seconds: u32,
    /// How long a thin app's trigger may be quiet before it is looked at without a notice.
    pub look_seconds: Seconds,
    /// The pause after a first failure, twice as long after each further one.
    pub backoff_seconds: Seconds,
    /// The longest such pause.
    pub backoff_max_seconds: Seconds,
    /// How often registrations are looked for whose server died.
    pub sweep_seconds: Seconds,
    /// How long a registration may take before it counts as such.
    pub abandoned_seconds: Seconds,
    /// How often what has expired is deleted.
    pub clean_seconds: Seconds,
    /// Rows deleted in one statement.
    pub clean_batch: u32,
    /// Days the receipts of requests are kept.
    pub receipt_days: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            poll_seconds: Seconds(5.0),
            concurrency: 16,
            lease_seconds: 30,
            look_seconds: Seconds(600.0),
            backoff_seconds: Seconds(1.0),
            backoff_max_seconds: Seconds(600.0),
            sweep_seconds: Seconds(60.0),
            abandoned_seconds: Seconds(300.0),
            clean_seconds: Seconds(60.0),
            clean_batch: 500,
            receipt_days: 30,
        }
    }
}
