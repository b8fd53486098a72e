//! Filters. (stub: owner E3)

use serde::Serialize;
use serde_json::Value;

/// A compiled filter.
#[derive(Debug, Clone)]
pub struct Filter {}

/// Why a filter cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// JSON pointer into the filter.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A judgement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether the document passes.
    pub matched: bool,
    /// The clause that decided.
    pub clause: Option<DecidingClause>,
}

/// The clause that decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecidingClause {
    /// Place in the filter.
    pub pointer: String,
    /// JSONPath.
    pub path: String,
    /// Operator.
    pub operator: String,
    /// What was asked.
    pub expected: Value,
    /// What was there, capped.
    pub actual: Value,
}

impl Filter {
    /// Compiles.
    pub fn compile(_source: &Value) -> Result<Self, FilterError> {
        unimplemented!()
    }
    /// Judges.
    pub fn judge(&self, _document: &Value) -> Verdict {
        unimplemented!()
    }
    /// Matches all.
    pub fn everything() -> Self {
        Self {}
    }
}
