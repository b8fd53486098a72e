//! Noticing that a file of an app folder changed, by looking: it works on every file system, and
//! nobody notices a quarter of a second.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use super::super::Target;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Sizes and times of all files.
pub(super) type Fingerprint = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// How the folders look now.
pub(super) fn fingerprint(target: &Target) -> Fingerprint {
    let mut files = Fingerprint::new();
    for slug in &target.slugs {
        collect(&target.root.join(slug), &mut files);
    }
    files
}

/// Waits until the folders look otherwise than `before`.
pub(super) fn until_changed(target: &Target, before: &Fingerprint) {
    while fingerprint(target) == *before {
        thread::sleep(LOOK);
    }
}

/// What cannot be read counts as not there.
fn collect(folder: &Path, files: &mut Fingerprint) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.metadata() {
            Ok(about) if about.is_dir() => collect(&entry.path(), files),
            Ok(about) => drop(files.insert(entry.path(), (about.len(), about.modified().ok()))),
            Err(_) => {}
        }
    }
}
