//! Scripts that mean harm, or do it by accident: each must end within the limits, with an error
//! that says why, and leave the process as it was.
//!
//! A file's line `// Ends with: …` is the error expected; `UPDATE_EXPECT=1` writes what it is now.
//! On a slow or busy machine a script may run out of time before it meets that end, so that is
//! always accepted, and never written over another end.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use hearken_engine::{Script, script::Mapped};
use serde_json::json;

/// A script still running after this never ends. Far above the limit of 250 ms, because the
/// machine may be busy.
const NEVER: Duration = Duration::from_secs(30);
/// Bytes the process may hold more while a script runs: its cap, and as much again for one native
/// operation on what it holds; the rest is for the tests beside it.
const PEAK: usize = 96 << 20;
const EXPECTATION: &str = "// Ends with: ";
const OUT_OF_TIME: &str = "it ran longer than";
const OUT_OF_OPERATIONS: &str = "it ran more than";

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/poison");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// How the script ends: the problem it is refused with, its error, or what it did without one.
fn ending(source: &str) -> String {
    let script = match Script::compile("poison.rhai", source) {
        Ok(script) => script,
        Err(problems) => return format!("refused: {}", problems[0].message),
    };
    let body = json!({ "text": "x".repeat(1000), "items": [1, 2, 3] });
    match script.events(&super::document(body), &super::trigger()) {
        Ok(Mapped::Events(events)) => format!("{} events", events.len()),
        Ok(Mapped::Skipped(reason)) => format!("skipped: {reason}"),
        Err(error) => error.message.chars().take(160).collect(),
    }
}

/// Bytes of memory the process has, where the system tells; otherwise nothing is compared.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// Runs one script on a thread with the stack that threads have by default, watching the memory.
fn run(source: String) -> (String, usize) {
    let before = resident();
    let mut peak = before;
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(ending(&source)));
    let begin = Instant::now();
    loop {
        match ended.recv_timeout(Duration::from_micros(500)) {
            Ok(ending) => return (ending, peak.saturating_sub(before)),
            Err(RecvTimeoutError::Timeout) if begin.elapsed() < NEVER => {
                peak = peak.max(resident());
            }
            Err(RecvTimeoutError::Timeout) => return ("it never ended".to_owned(), 0),
            Err(RecvTimeoutError::Disconnected) => return ("it panicked".to_owned(), 0),
        }
    }
}

/// Which of the two limits an endless script meets depends on the machine; so does whether it has
/// the time to meet another one.
fn ran_too_long(ending: &str, expected: &str) -> bool {
    ending.starts_with(OUT_OF_TIME)
        || (ending.starts_with(OUT_OF_OPERATIONS) && expected.starts_with(OUT_OF_TIME))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the variable is for whoever runs the tests")]
fn every_poison_script_ends_within_the_limits() {
    let corpus = corpus();
    assert!(corpus.len() >= 60, "the corpus has {} scripts", corpus.len());
    let mut failures = Vec::new();
    for file in corpus {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let source = fs::read_to_string(&file).unwrap();
        let expected = source.lines().find_map(|line| line.strip_prefix(EXPECTATION)).unwrap();
        let (ending, peak) = run(source.clone());
        if ending == expected || ran_too_long(&ending, expected) {
            // As it should be.
        } else if std::env::var_os("UPDATE_EXPECT").is_some() {
            let blessed = source.replace(
                &format!("{EXPECTATION}{expected}\n"),
                &format!("{EXPECTATION}{ending}\n"),
            );
            fs::write(&file, blessed).unwrap();
        } else {
            failures.push(format!("{name}: ended with {ending:?}"));
        }
        if peak > PEAK {
            failures.push(format!("{name}: held {} MB", peak >> 20));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
