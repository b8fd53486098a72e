//! Keeping the catalogue current while the apps folder changes.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use hearken_engine::LiveCatalogue;
use tempfile::TempDir;

const DEFINITION: &str = r#"
title: Acme
category: testing
description: Tells nothing.
docs: https://acme.example
facts: { grade: R1, checked: "2026-11-24", sources: [https://acme.example] }
auth: [{ kind: none, title: Nothing }]
unverified: It is made up.
triggers:
  - { name: PUSH, type: push, title: Push, description: A push., match: {}, config: {}, payload: {} }
"#;

/// Shorter than the time between two looks without a report, so that a report must have come.
const SOON: Duration = Duration::from_secs(15);

#[test]
fn what_changes_before_the_watcher_is_ready_is_not_missed() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("acme")).unwrap();
    fs::write(folder.path().join("acme/app.yaml"), DEFINITION).unwrap();
    let live = LiveCatalogue::open(folder.path().to_owned());
    let version = || live.snapshot().app("acme").unwrap().version.clone();
    let first = version();

    fs::write(folder.path().join("acme/app.yaml"), format!("{DEFINITION}# edited\n")).unwrap();
    let _watcher = live.watch(|_| ()).unwrap();

    let started = Instant::now();
    while version() == first {
        assert!(started.elapsed() < SOON, "the edit was not seen");
        thread::sleep(Duration::from_millis(10));
    }
}
