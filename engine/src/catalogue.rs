//! The immutable snapshot of all apps. (stub: owner E1)

use std::{collections::BTreeMap, path::Path, sync::Arc};

use crate::{App, Problem};

/// All apps.
#[derive(Debug, Default)]
pub struct Catalogue {
    apps: BTreeMap<String, Arc<App>>,
    problems: BTreeMap<String, Vec<Problem>>,
}

impl Catalogue {
    /// Loads the folder.
    pub fn load(_root: &Path, _previous: Option<&Self>) -> Self {
        unimplemented!()
    }
    /// One app.
    pub fn app(&self, slug: &str) -> Option<&Arc<App>> {
        self.apps.get(slug)
    }
    /// All apps.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }
    /// Problems by slug.
    pub fn problems(&self) -> &BTreeMap<String, Vec<Problem>> {
        &self.problems
    }
}
