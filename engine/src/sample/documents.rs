//! The sample files of an app folder, read but not yet understood.

use std::{collections::BTreeSet, fs, io, path::Path};

use serde_json::Value;

use crate::{Problem, app::read_text, yaml};

/// Largest sample file in bytes; longer bodies stand in files of their own.
const LIMIT: u64 = 1 << 20;

/// Every sample of the app `slug` in the apps folder `root`: its file name and what it says, in
/// the order of the names. None at all where there is no folder `samples`.
pub fn documents(root: &Path, slug: &str) -> Result<Vec<(String, Value)>, Vec<Problem>> {
    let folder = format!("{slug}/samples");
    let entries = match fs::read_dir(root.join(&folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(vec![Problem::new(folder, format!("cannot be read: {error}"))]),
    };
    let names = entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "yaml"));
    let names: BTreeSet<String> = names.collect();
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for name in names {
        match document(root, &format!("{folder}/{name}")) {
            Ok(document) => documents.push((name, document)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(documents)
    } else {
        Err(problems)
    }
}

fn document(root: &Path, file: &str) -> Result<Value, Problem> {
    let text = read_text(root, file, LIMIT)?.unwrap_or_default();
    yaml::parse(&text)
        .map_err(|error| Problem::new(file, error.message).at(error.line, error.column))
}
