//! Hot reload. (stub: owner E1)

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use crate::{Catalogue, Problem};

/// The current catalogue.
#[derive(Debug, Clone)]
pub struct LiveCatalogue;

/// What one pass changed.
#[derive(Debug, Default)]
pub struct Reload {
    /// New or changed apps.
    pub changed: Vec<String>,
    /// Removed apps.
    pub removed: Vec<String>,
    /// Apps whose folder is broken now.
    pub failed: BTreeMap<String, Vec<Problem>>,
}

/// Stops watching when dropped.
#[derive(Debug)]
pub struct Watcher;

/// Watching could not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch the apps folder: {0}")]
pub struct WatchError(pub String);

impl LiveCatalogue {
    /// Loads the folder once.
    pub fn open(_root: PathBuf) -> Self {
        unimplemented!()
    }
    /// The current snapshot.
    pub fn snapshot(&self) -> Arc<Catalogue> {
        unimplemented!()
    }
    /// Keeps it current.
    pub fn watch(
        &self,
        _on_change: impl Fn(&Reload) + Send + 'static,
    ) -> Result<Watcher, WatchError> {
        unimplemented!()
    }
    /// Rescans now.
    pub fn reload(&self) -> Reload {
        unimplemented!()
    }
}
