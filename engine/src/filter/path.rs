//! JSONPath (RFC 9535), guarded. The only file that names the JSONPath library.

use jsonpath_rust::{
    parser::{model::JpQuery, parse_json_path},
    query::{QueryRef, js_path_process},
};
use serde_json::Value;

use super::{FilterError, error};

const CHARACTERS: usize = 512;
const NESTING: usize = 16;
const DESCENTS: usize = 2;
/// Nodes of one selection that are looked at.
const NODES: usize = 10_000;

/// A compiled path.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    text: String,
    query: JpQuery,
}

impl Path {
    /// Parses a path that is short and shallow enough to be parsed and run safely: the parser and
    /// the walk are recursive, and each `..` multiplies the work.
    pub(crate) fn parse(path: &str) -> Result<Self, FilterError> {
        let hint = "Write a JSONPath such as $.pull_request.merged.";
        let query = guarded(path).map_err(|message| error("", message, Some(hint)))?;
        Ok(Self { text: path.to_owned(), query })
    }

    /// The path as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The nodes it selects. A path that fails on a document, for instance by comparing a list,
    /// selects nothing.
    pub(crate) fn select<'d>(&self, document: &'d Value) -> Vec<&'d Value> {
        js_path_process(&self.query, document)
            .map(|found| found.into_iter().take(NODES).map(QueryRef::val).collect())
            .unwrap_or_default()
    }
}

fn guarded(path: &str) -> Result<JpQuery, String> {
    if path.chars().count() > CHARACTERS {
        return Err(format!("a path has at most {CHARACTERS} characters"));
    }
    let (mut nesting, mut deepest) = (0_usize, 0);
    for byte in path.bytes() {
        match byte {
            b'[' | b'(' => nesting += 1,
            b']' | b')' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(nesting);
    }
    if deepest > NESTING {
        return Err(format!("a path nests at most {NESTING} deep"));
    }
    if path.matches("..").count() > DESCENTS {
        return Err(format!("a path uses `..` at most {DESCENTS} times"));
    }
    parse_json_path(path).map_err(|_| format!("`{path}` is not a JSONPath"))
}
