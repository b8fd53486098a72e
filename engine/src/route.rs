//! Routing: whose accounts a request at a shared URL is about, told by paths over its document.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    document::Document,
    filter::{FilterError, Path},
};

/// The paths of a definition's `ingress.route`, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(Vec<Path>);

impl Routes {
    /// Compiles the paths, or says which of them is none.
    pub(crate) fn compile(paths: &[String]) -> Result<Self, (usize, FilterError)> {
        let compiled = paths.iter().enumerate();
        let compiled = compiled.map(|(index, path)| Path::parse(path).map_err(|why| (index, why)));
        Ok(Self(compiled.collect::<Result<_, _>>()?))
    }

    /// The provider's ids of the accounts that a request is about: what the first path finds that
    /// finds any. A provider that sends one event to several of its accounts names them all.
    pub(crate) fn accounts(&self, document: &Document) -> BTreeSet<String> {
        let found = self.0.iter().map(|path| ids(&path.select(document.root())));
        found.into_iter().find(|ids| !ids.is_empty()).unwrap_or_default()
    }
}

fn ids(nodes: &[&Value]) -> BTreeSet<String> {
    let text = |node: &&Value| match node {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    nodes.iter().filter_map(text).collect()
}
