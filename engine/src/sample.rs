//! Samples. (stub: owner E4)

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::App;

/// Data of an example event of each trigger, by full name.
pub fn examples(_root: &Path, _app: &App) -> BTreeMap<String, Value> {
    BTreeMap::new()
}
