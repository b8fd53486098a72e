//! Filters: which documents somebody wants, compiled once, with a verdict that explains itself.
//!
//! A filter is `{}` (everything), one clause `{ "path": "$.a", "<operator>": value }`, or
//! `{ "all": […] }`, `{ "any": […] }`, `{ "not": … }` of filters. A clause holds when any node that
//! its path selects satisfies it; `not_equals` holds when none equals, `exists: false` when the
//! path selects nothing. Paths are JSONPath (RFC 9535).

mod clause;
mod path;

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use self::clause::{Operator, operator};
pub(crate) use self::path::Path;
use crate::{nearest::did_you_mean, schema::member};

const DEPTH: usize = 16;
const CLAUSES: usize = 100;
/// Characters of the value shown in a verdict.
const SHOWN: usize = 256;
const KEYS: [&str; 14] = [
    "path",
    "all",
    "any",
    "not",
    "equals",
    "not_equals",
    "in",
    "contains",
    "exists",
    "gt",
    "gte",
    "lt",
    "lte",
    "regex",
];

/// A compiled filter.
#[derive(Debug, Clone)]
pub struct Filter(Node);

#[derive(Debug, Clone)]
enum Node {
    Everything,
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Clause(Box<Clause>),
}

#[derive(Debug, Clone)]
struct Clause {
    pointer: String,
    path: Path,
    operator: Operator,
    expected: Value,
}

/// Why a filter cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct FilterError {
    /// JSON pointer into the filter.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// A judgement over one document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether the document passes.
    pub matched: bool,
    /// The clause that decided: the first that failed, or the first that let it through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clause: Option<DecidingClause>,
}

/// The clause that decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecidingClause {
    /// Its place in the filter (`/all/1`).
    pub pointer: String,
    /// Its JSONPath.
    pub path: String,
    /// Its operator.
    pub operator: String,
    /// What it asked for.
    pub expected: Value,
    /// What the document holds there, cut short; an array when the path selects several nodes,
    /// null when it selects none.
    pub actual: Value,
}

impl fmt::Display for DecidingClause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, operator, expected, actual, .. } = self;
        write!(f, "{path} is {actual}, asked for: {operator} {expected}")
    }
}

impl Filter {
    /// The filter that lets everything through.
    pub fn everything() -> Self {
        Self(Node::Everything)
    }

    /// Compiles a filter.
    pub fn compile(source: &Value) -> Result<Self, FilterError> {
        let mut clauses = 0;
        let node = compile(source, "", 0, &mut clauses)?;
        Ok(Self(node))
    }

    /// Judges a document.
    pub fn judge(&self, document: &Value) -> Verdict {
        judge(&self.0, document)
    }
}

/// What a JSONPath selects in a document.
pub fn select(path: &str, document: &Value) -> Result<Vec<Value>, FilterError> {
    Ok(Path::parse(path)?.select(document).into_iter().cloned().collect())
}

fn error(pointer: &str, message: impl Into<String>, hint: Option<&str>) -> FilterError {
    FilterError {
        pointer: pointer.to_owned(),
        message: message.into(),
        hint: hint.map(str::to_owned),
    }
}

fn compile(
    source: &Value,
    pointer: &str,
    depth: usize,
    clauses: &mut usize,
) -> Result<Node, FilterError> {
    if depth > DEPTH {
        return Err(error(pointer, format!("filters nest at most {DEPTH} deep"), None));
    }
    let hint = "Write a clause such as { \"path\": \"$.status\", \"equals\": \"paid\" }; there are equals, \
                not_equals, in, contains, exists, gt, gte, lt, lte and regex.";
    let Some(object) = source.as_object() else {
        return Err(error(pointer, "a filter is an object", Some(hint)));
    };
    for key in object.keys() {
        if !KEYS.contains(&key.as_str()) {
            let near = did_you_mean(key, KEYS.into_iter());
            return Err(error(
                &member(pointer, key),
                format!("unknown key `{key}`{near}"),
                Some(hint),
            ));
        }
    }
    let mut branches = |key: &str| list(object, key, pointer, depth, clauses);
    match (object.get("path"), object.len()) {
        (_, 0) => Ok(Node::Everything),
        (Some(_), _) => {
            *clauses += 1;
            if *clauses > CLAUSES {
                return Err(error(
                    pointer,
                    format!("a filter has at most {CLAUSES} clauses"),
                    None,
                ));
            }
            clause(object, pointer)
        }
        (None, 1) if object.contains_key("all") => Ok(Node::All(branches("all")?)),
        (None, 1) if object.contains_key("any") => Ok(Node::Any(branches("any")?)),
        (None, 1) if object.contains_key("not") => {
            let inner = compile(&object["not"], &member(pointer, "not"), depth + 1, clauses)?;
            Ok(Node::Not(Box::new(inner)))
        }
        (None, 1) => Err(error(pointer, "the clause has no `path`", Some(hint))),
        (None, _) => Err(error(
            pointer,
            "one object holds one clause, or one of `all`, `any`, `not`",
            Some("Put several conditions into { \"all\": [ … ] }."),
        )),
    }
}

fn list(
    object: &Map<String, Value>,
    key: &str,
    pointer: &str,
    depth: usize,
    clauses: &mut usize,
) -> Result<Vec<Node>, FilterError> {
    let pointer = member(pointer, key);
    let Some(branches) = object[key].as_array().filter(|branches| !branches.is_empty()) else {
        return Err(error(&pointer, format!("`{key}` takes a list of at least one filter"), None));
    };
    let branches = branches.iter().enumerate();
    branches
        .map(|(index, branch)| compile(branch, &format!("{pointer}/{index}"), depth + 1, clauses))
        .collect()
}

fn clause(object: &Map<String, Value>, pointer: &str) -> Result<Node, FilterError> {
    let at = member(pointer, "path");
    let path = object["path"].as_str().ok_or_else(|| error(&at, "`path` takes text", None))?;
    let path = Path::parse(path).map_err(|why| FilterError { pointer: at, ..why })?;
    let mut operators = object.iter().filter(|(key, _)| *key != "path");
    let (Some((name, expected)), None) = (operators.next(), operators.next()) else {
        let hint = "Give one of equals, not_equals, in, contains, exists, gt, gte, lt, lte, regex.";
        return Err(error(pointer, "a clause has exactly one operator", Some(hint)));
    };
    let operator =
        operator(name, expected).map_err(|message| error(&member(pointer, name), message, None))?;
    Ok(Node::Clause(Box::new(Clause {
        pointer: pointer.to_owned(),
        path,
        operator,
        expected: expected.clone(),
    })))
}

fn judge(node: &Node, document: &Value) -> Verdict {
    match node {
        Node::Everything => Verdict { matched: true, clause: None },
        Node::All(branches) => decide(branches, document, false),
        Node::Any(branches) => decide(branches, document, true),
        Node::Not(inner) => {
            let Verdict { matched, clause } = judge(inner, document);
            Verdict { matched: !matched, clause }
        }
        Node::Clause(clause) => clause.judge(document),
    }
}

/// The verdict of the first branch that settles the matter, or of the last.
fn decide(branches: &[Node], document: &Value, settles: bool) -> Verdict {
    let mut last = Verdict { matched: !settles, clause: None };
    for branch in branches {
        last = judge(branch, document);
        if last.matched == settles {
            break;
        }
    }
    last
}

impl Clause {
    fn judge(&self, document: &Value) -> Verdict {
        let nodes = self.path.select(document);
        let deciding = DecidingClause {
            pointer: self.pointer.clone(),
            path: self.path.text().to_owned(),
            operator: self.operator.name().to_owned(),
            expected: self.expected.clone(),
            actual: shown(&nodes),
        };
        Verdict { matched: self.operator.holds(&nodes), clause: Some(deciding) }
    }
}

fn shown(nodes: &[&Value]) -> Value {
    let cut = |node: &Value| {
        let text = node.to_string();
        if text.chars().count() <= SHOWN {
            return node.clone();
        }
        Value::String(text.chars().take(SHOWN).chain(['…']).collect())
    };
    match nodes {
        [] => Value::Null,
        [node] => cut(node),
        several => Value::Array(several.iter().take(10).map(|node| cut(node)).collect()),
    }
}
