//! What the tests of the command line stand on: the binary, and the guide's app folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// The binary, to be run in `folder`, with no setting taken from the environment of the tests.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearken"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEARKEN_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Ran {
    ran(&command(folder, arguments).output().unwrap())
}

/// What came of a process.
pub(crate) fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A folder with `apps/acme` exactly as the authors' guide shows it.
pub(crate) fn guide() -> TempDir {
    let folder = TempDir::new().unwrap();
    let files = blocks(&project().join("docs/authoring.md"));
    assert!(files.len() > 3, "the guide shows a whole app folder");
    for (path, text) in files {
        let path = folder.path().join("apps").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The blocks of a document that name a file, with that name.
pub(crate) fn blocks(document: &Path) -> Vec<(String, String)> {
    let document = fs::read_to_string(document).unwrap();
    let blocks = document.split("\n```").skip(1).step_by(2);
    let named = blocks.filter_map(|block| {
        let (heading, text) = block.split_once('\n')?;
        let (_, path) = heading.split_once(' ')?;
        Some((path.to_owned(), format!("{text}\n")))
    });
    named.collect()
}

/// The root of the repository.
pub(crate) fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
