//! A script that overruns its limits again and again is switched off for a while, so that it does
//! not take the processor from other apps. Its requests are still verified and kept.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A run that fails after this long was stopped by a limit; an honest one takes a millisecond.
const OVERRUN: Duration = Duration::from_millis(50);
/// Overruns in a row that switch a script off.
const TOLERATED: u32 = 3;
/// How long it is off at first; twice as long each further time, up to the most.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// The scripts that overran lately, by version: a mended script starts with a clean record.
#[derive(Default)]
pub(super) struct Breaker {
    records: Mutex<HashMap<String, Record>>,
}

struct Record {
    overruns: u32,
    off_until: Option<Instant>,
}

impl Breaker {
    /// How many seconds longer the script of this version is off; none if it may run.
    pub(super) fn off_for(&self, version: &str) -> Option<u64> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let left = records.get(version)?.off_until?.checked_duration_since(Instant::now())?;
        Some(left.as_secs() + 1)
    }

    /// Notes how a run ended; tells whether it switched the script off.
    pub(super) fn note(&self, version: &str, failed: bool, took: Duration) -> bool {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if !failed || took < OVERRUN {
            records.remove(version);
            return false;
        }
        let fresh = Record { overruns: 0, off_until: None };
        let record = records.entry(version.to_owned()).or_insert(fresh);
        record.overruns += 1;
        let Some(further) = record.overruns.checked_sub(TOLERATED) else { return false };
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(further.min(10)));
        record.off_until = Some(Instant::now() + pause.min(LONGEST_PAUSE));
        true
    }
}
