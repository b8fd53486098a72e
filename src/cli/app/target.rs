//! Which app folders a command is about.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::cli::exit::UsageError;

/// App folders below one root.
#[derive(Debug)]
pub(super) struct Target {
    /// The folder of app folders.
    pub(super) root: PathBuf,
    /// Their names, sorted.
    pub(super) slugs: Vec<String>,
}

impl Target {
    /// Understands an app folder, a folder of app folders, or the name of an app in `apps_dir`.
    pub(super) fn find(given: Option<&Path>, apps_dir: &Path) -> Result<Self, UsageError> {
        let folder = given.unwrap_or(apps_dir);
        let as_name = apps_dir.join(folder);
        if is_app(folder) {
            Self::single(folder)
        } else if folder.is_dir() {
            Self::all(folder)
        } else if folder.components().count() == 1 && as_name.is_dir() {
            Self::single(&as_name)
        } else {
            let there = names(apps_dir).unwrap_or_default().join(", ");
            let apps = apps_dir.display();
            Err(UsageError(format!(
                "there is no folder `{}`, and no app of that name in {apps} (there are: {there})",
                folder.display()
            )))
        }
    }

    fn single(folder: &Path) -> Result<Self, UsageError> {
        let unreadable = || UsageError(format!("{} cannot be read", folder.display()));
        // Made absolute first, because `.` has no name.
        let folder = folder.canonicalize().map_err(|_| unreadable())?;
        match (folder.parent(), folder.file_name().and_then(|name| name.to_str())) {
            (Some(root), Some(slug)) => {
                Ok(Self { root: root.to_owned(), slugs: vec![slug.to_owned()] })
            }
            _ => Err(unreadable()),
        }
    }

    fn all(root: &Path) -> Result<Self, UsageError> {
        let slugs = names(root)
            .map_err(|error| UsageError(format!("{} cannot be read: {error}", root.display())))?;
        if slugs.is_empty() {
            return Err(UsageError(format!("there is no app folder in {}", root.display())));
        }
        Ok(Self { root: root.to_owned(), slugs })
    }
}

fn is_app(folder: &Path) -> bool {
    folder.join("app.yaml").exists()
}

/// The same folders as the server takes for apps: every one that is not hidden.
fn names(root: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with(['.', '_']) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
