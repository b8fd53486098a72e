//! Hot reload: the apps folder is watched, read again when it changed, and swapped in at once.
//! The only file that names the watching library.
//!
//! What the operating system reports is a hint, never the truth: any report means "something
//! changed", and the whole folder is read again. A full look every 30 seconds finds what was not
//! reported at all, as on network volumes.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use thiserror::Error;
use tracing::warn;

use crate::{Catalogue, Problem};

/// Quiet time after the last report before the folder is read.
const QUIET: Duration = Duration::from_millis(100);
/// Longest time reports may keep the folder from being read.
const PATIENCE: Duration = Duration::from_secs(2);
/// A look without any report.
const LOOK: Duration = Duration::from_secs(30);

/// The current catalogue: a cheap handle, replaced as a whole, never changed in place.
#[derive(Debug, Clone)]
pub struct LiveCatalogue {
    root: Arc<PathBuf>,
    current: Arc<ArcSwap<Catalogue>>,
    /// Only one reader of the folder at a time.
    reading: Arc<Mutex<()>>,
}

/// What one reading changed.
#[derive(Debug, Default)]
pub struct Reload {
    /// Apps that are new or changed.
    pub changed: Vec<String>,
    /// Apps that are gone.
    pub removed: Vec<String>,
    /// Apps whose folder is broken, or broken in another way than before.
    pub failed: BTreeMap<String, Vec<Problem>>,
}

impl Reload {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty() && self.failed.is_empty()
    }
}

/// Watching could not start.
#[derive(Debug, Error)]
#[error("the thread that watches the apps folder could not start: {0}")]
pub struct WatchError(#[from] std::io::Error);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported where it happened.
            let _ = thread.join();
        }
    }
}

impl LiveCatalogue {
    /// Loads the apps folder once.
    pub fn open(root: PathBuf) -> Self {
        let catalogue = Catalogue::load(&root, None);
        Self {
            root: Arc::new(root),
            current: Arc::new(ArcSwap::from_pointee(catalogue)),
            reading: Arc::default(),
        }
    }

    /// The catalogue as it is now. Who holds it is untouched by later changes.
    pub fn snapshot(&self) -> Arc<Catalogue> {
        self.current.load_full()
    }

    /// Reads the folder again and swaps in what it says now.
    pub fn reload(&self) -> Reload {
        let _only = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.snapshot();
        let after = Catalogue::load(&self.root, Some(&before));
        let difference = difference(&before, &after);
        self.current.store(Arc::new(after));
        difference
    }

    /// Keeps the catalogue current until the returned watcher is dropped; `on_change` hears of
    /// every reading that changed something, on the watcher's thread.
    pub fn watch(
        &self,
        on_change: impl Fn(&Reload) + Send + 'static,
    ) -> Result<Watcher, WatchError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (live, flag) = (self.clone(), stop.clone());
        let thread = thread::Builder::new().name("apps".to_owned()).spawn(move || {
            let (sender, notices) = channel();
            let _system = live.system_watcher(sender);
            live.follow(&flag, &notices, &on_change);
        })?;
        Ok(Watcher { stop, thread: Some(thread) })
    }

    /// Asks the operating system for reports. Without them the looks every 30 seconds remain.
    fn system_watcher(&self, reports: Sender<()>) -> Option<RecommendedWatcher> {
        let report = move |event: notify::Result<notify::Event>| {
            // Reading a file is reported on some systems, and is no change.
            let read_only = event.is_ok_and(|event| event.kind.is_access());
            if !read_only {
                // Nobody listens any more when the server stops.
                let _ = reports.send(());
            }
        };
        let watching = notify::recommended_watcher(report).and_then(|mut watcher| {
            watcher.watch(&self.root, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        watching
            .inspect_err(|error| {
                warn!(%error, "changes to the apps folder are found every {LOOK:?} only");
            })
            .ok()
    }

    fn follow(&self, stop: &AtomicBool, notices: &Receiver<()>, on_change: &impl Fn(&Reload)) {
        let look = || {
            let reload = self.reload();
            if !reload.is_empty() {
                on_change(&reload);
            }
        };
        // What changed since the folder was loaded was not watched yet.
        look();
        let mut looked = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let changed = match notices.recv_timeout(QUIET) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                // No reports from the system at all.
                Err(RecvTimeoutError::Disconnected) => {
                    thread::sleep(QUIET);
                    false
                }
            };
            if changed {
                wait_for_quiet(notices);
            } else if looked.elapsed() < LOOK {
                continue;
            }
            looked = Instant::now();
            look();
        }
    }
}

/// Waits until nothing was reported for a while, so that a folder being copied is read once.
fn wait_for_quiet(notices: &Receiver<()>) {
    let first = Instant::now();
    while first.elapsed() < PATIENCE && notices.recv_timeout(QUIET).is_ok() {}
}

fn difference(before: &Catalogue, after: &Catalogue) -> Reload {
    let mut reload = Reload::default();
    for slug in after.slugs() {
        match (before.app(slug), after.app(slug)) {
            (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
            (_, Some(_)) => reload.changed.push(slug.clone()),
            (_, None) => {}
        }
        match after.problems().get(slug) {
            Some(problems) if before.problems().get(slug) != Some(problems) => {
                reload.failed.insert(slug.clone(), problems.clone());
            }
            // Mended by going back to the last good version.
            None if before.problems().contains_key(slug) && !reload.changed.contains(slug) => {
                reload.changed.push(slug.clone());
            }
            _ => {}
        }
    }
    let gone = before.apps().filter(|app| after.app(&app.slug).is_none());
    reload.removed = gone.map(|app| app.slug.clone()).collect();
    reload
}
