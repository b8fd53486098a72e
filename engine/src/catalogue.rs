//! The catalogue: an immutable snapshot of all apps, and what is wrong with those that are not
//! in it or are in it with an older version.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    num::NonZeroUsize,
    panic::resume_unwind,
    path::Path,
    sync::Arc,
    thread,
};

use crate::{
    App, Problem,
    app::{Folder, is_slug},
};

/// Under this key stand problems of the apps folder itself.
pub const ROOT: &str = "";

/// All apps at one moment.
#[derive(Debug, Default)]
pub struct Catalogue {
    apps: BTreeMap<String, Arc<App>>,
    problems: BTreeMap<String, Vec<Problem>>,
}

impl Catalogue {
    /// Loads every app folder below `root`. An unchanged app is taken over from `previous`
    /// without work; a broken one keeps its last good version, and its problems are listed. A
    /// root that cannot be read, or is suddenly empty, keeps everything.
    pub fn load(root: &Path, previous: Option<&Self>) -> Self {
        let mut next = Self::default();
        let slugs = match slugs(root) {
            Ok(slugs) if slugs.is_empty() && previous.is_some_and(|old| !old.apps.is_empty()) => {
                next.keep_all(previous, "the apps folder is empty now; its apps go on serving");
                return next;
            }
            Ok(slugs) => slugs,
            Err(error) => {
                next.keep_all(previous, &format!("the apps folder cannot be read: {error}"));
                return next;
            }
        };
        let last_good = |slug: &str| previous.and_then(|old| old.apps.get(slug));
        let slugs: Vec<String> = slugs.into_iter().collect();
        let loaded = in_parallel(&slugs, |slug| load_app(root, slug, last_good(slug)));
        for (slug, loaded) in slugs.into_iter().zip(loaded) {
            match loaded {
                Ok(app) => drop(next.apps.insert(slug, app)),
                Err(problems) => {
                    if let Some(app) = last_good(&slug) {
                        next.apps.insert(slug.clone(), app.clone());
                    }
                    next.problems.insert(slug, problems);
                }
            }
        }
        next
    }

    /// One app.
    pub fn app(&self, slug: &str) -> Option<&Arc<App>> {
        self.apps.get(slug)
    }

    /// All apps, by slug.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }

    /// What is wrong, by slug; see [`ROOT`].
    pub fn problems(&self) -> &BTreeMap<String, Vec<Problem>> {
        &self.problems
    }

    /// The slugs of all apps, and of all folders that should be one.
    pub(crate) fn slugs(&self) -> BTreeSet<&String> {
        self.apps.keys().chain(self.problems.keys()).collect()
    }

    fn keep_all(&mut self, previous: Option<&Self>, message: &str) {
        if let Some(previous) = previous {
            self.apps.clone_from(&previous.apps);
        }
        self.problems.insert(ROOT.to_owned(), vec![Problem::new(".", message)]);
    }
}

/// What `work` gives for each item, in their order, on as many threads as there are cores.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = items.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let work = &work;
        let parts: Vec<_> = items
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let joined = parts.into_iter().map(thread::ScopedJoinHandle::join);
        joined.flat_map(|part| part.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

fn load_app(
    root: &Path,
    slug: &str,
    last_good: Option<&Arc<App>>,
) -> Result<Arc<App>, Vec<Problem>> {
    let folder = Folder::read(root, slug).map_err(|problem| vec![problem])?;
    match last_good {
        Some(app) if app.fingerprint == folder.fingerprint() => Ok(app.clone()),
        _ => App::from_folder(folder).map(Arc::new),
    }
}

/// The folders that are meant to be apps: hidden ones and plain files are not.
fn slugs(root: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut slugs = BTreeSet::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link to a folder counts: mounted volumes are often made of links.
        let is_folder = fs::metadata(entry.path()).is_ok_and(|about| about.is_dir());
        if is_folder && !name.starts_with(['.', '_']) {
            slugs.insert(name);
        }
    }
    debug_assert!(!is_slug(ROOT), "the key for the root is no app's");
    Ok(slugs)
}
