//! What a running script may spend: time and memory, checked between its operations; and the few
//! lines it may print.
//!
//! Memory is measured by the allocator's own counters of this thread, so the engine brings its
//! allocator along. The check happens between two operations: one native operation can still
//! double what the script holds before the next check stops it.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::{Duration, Instant},
};

use rhai::Dynamic;
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Time one call may take, not counting the time spent waiting for HTTP answers.
pub(super) const MAX_TIME: Duration = Duration::from_millis(250);
/// Bytes one call may hold beyond what the thread held when it began.
pub(super) const MAX_MEMORY: i64 = 32 << 20;
/// Printed lines kept of one call: the last ones.
const MAX_LINES: usize = 32;
/// Bytes kept of one printed line.
const MAX_LINE: usize = 1024;

/// The limit a script ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overrun {
    Time,
    Memory,
}

#[derive(Clone, Copy)]
struct Meter {
    deadline: Instant,
    bytes_at_start: i64,
}

thread_local! {
    static METER: Cell<Option<Meter>> = const { Cell::new(None) };
    static PRINTED: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
    static COUNTERS: Option<(ThreadLocal<u64>, ThreadLocal<u64>)> =
        Option::zip(allocatedp::read().ok(), deallocatedp::read().ok());
}

/// Bytes this thread has allocated and not freed. Negative where it freed what others allocated.
fn live_bytes() -> i64 {
    COUNTERS.with(|counters| {
        counters
            .map_or(0, |(allocated, freed)| allocated.get().wrapping_sub(freed.get()).cast_signed())
    })
}

/// Runs a script call under the limits, and returns what it printed beside its result.
pub(super) fn metered<T>(call: impl FnOnce() -> T) -> (T, Vec<String>) {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            METER.set(None);
        }
    }
    METER.set(Some(Meter { deadline: Instant::now() + MAX_TIME, bytes_at_start: live_bytes() }));
    PRINTED.with_borrow_mut(VecDeque::clear);
    let reset = Reset;
    let result = call();
    drop(reset);
    (result, PRINTED.take().into())
}

/// Runs `wait` off the clock: a provider's slowness is not the script's.
pub(super) fn off_the_clock<T>(wait: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = wait();
    METER.set(
        METER.get().map(|meter| Meter { deadline: meter.deadline + begin.elapsed(), ..meter }),
    );
    result
}

/// Called by the script engine before every operation; a value ends the script for good.
pub(super) fn check(_operations: u64) -> Option<Dynamic> {
    let meter = METER.get()?;
    if live_bytes() - meter.bytes_at_start > MAX_MEMORY {
        return Some(Dynamic::from(Overrun::Memory));
    }
    (Instant::now() > meter.deadline).then(|| Dynamic::from(Overrun::Time))
}

/// Keeps a printed line, cut to size, in place of the oldest one.
pub(super) fn print(line: &str) {
    PRINTED.with_borrow_mut(|lines| {
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line[..line.floor_char_boundary(MAX_LINE)].to_owned());
    });
}
