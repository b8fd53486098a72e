//! Samples. (stub: owner E4)

mod documents;

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

pub use self::documents::documents;
use crate::App;

/// Data of an example event of each trigger, by full name.
pub fn examples(_root: &Path, _app: &App) -> BTreeMap<String, Value> {
    BTreeMap::new()
}

/// What running the samples of one app showed. (stub)
pub struct Report {
    /// The app.
    pub slug: String,
    /// One result for each sample.
    pub cases: Vec<CaseResult>,
    /// Kinds of samples that must be there and are not.
    pub missing: Vec<String>,
}

/// What one sample showed. (stub)
pub struct CaseResult {
    /// File of the sample.
    pub file: String,
    /// Its title.
    pub title: String,
    /// Whether everything was as expected.
    pub passed: bool,
    /// What was not, for people.
    pub differences: Vec<String>,
}

/// Runs the samples of an app. (stub)
pub fn run(_root: &Path, slug: &str) -> Result<Report, Vec<crate::Problem>> {
    Ok(Report {
        slug: slug.to_owned(),
        cases: Vec::new(),
        missing: Vec::new(),
    })
}
