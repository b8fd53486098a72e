//! From a script's text to something callable, or to every problem its author should know of.

use std::{collections::BTreeMap, sync::Arc};

use rhai::{AST, Position, Scope};

use super::{
    Script,
    engine::{Constants, ENGINE},
    failure::explain,
    meter,
    source::{Outline, place},
};
use crate::Problem;

/// Bytes a script may have.
const MAX_SOURCE: usize = 64 << 10;

/// The functions the engine calls, with the parameters they take.
pub(super) const KNOWN: [(&str, &[&str]); 14] = [
    ("subscription_key", &["trigger"]),
    ("signature", &[]),
    ("signature_of", &["trigger"]),
    ("events", &["request", "trigger"]),
    ("challenge", &["request", "trigger"]),
    ("identify", &["http", "account"]),
    ("register", &["http", "trigger"]),
    ("unregister", &["http", "trigger"]),
    ("status", &["http", "trigger"]),
    ("list", &["http", "trigger"]),
    ("renew", &["http", "trigger"]),
    ("expand", &["http", "trigger", "notice"]),
    ("recover", &["trigger", "since"]),
    ("poll", &["trigger", "cursor"]),
];

/// The language calls these itself to print values; one in a script could fail, or never be heard of.
const PRINTING: [&str; 4] = ["to_string", "to_debug", "print", "debug"];

/// Compiles the script in `file`.
pub(super) fn compile(file: &str, source: &str) -> Result<Script, Vec<Problem>> {
    if source.len() > MAX_SOURCE {
        let size = source.len();
        let problem =
            Problem::new(file, format!("the script has {size} bytes; {MAX_SOURCE} are allowed"));
        return Err(vec![problem]);
    }
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let outline = Outline::of(source);
    let (constants, scope) =
        constants(source, &outline).map_err(|problem| vec![problem.in_file(file)])?;
    let ast = ENGINE
        .compile_with_scope(&scope, source)
        .map_err(|error| vec![parse_problem(&error).in_file(file)])?;
    let mut problems = stray_problems(file, source, &outline);
    problems.extend(name_problems(file, source, &outline, &ast));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Script {
        file: file.to_owned(),
        lines: outline
            .functions
            .iter()
            .map(|function| (function.name.clone(), place(source, function.offset).0))
            .collect(),
        ast,
        constants,
    })
}

/// A problem that does not know its file yet.
struct Found {
    message: String,
    hint: Option<&'static str>,
    position: Position,
}

impl Found {
    fn in_file(self, file: &str) -> Problem {
        let mut problem = Problem::new(file, self.message);
        if let Some(line) = self.position.line() {
            problem = problem.at(line, self.position.position().unwrap_or(1));
        }
        match self.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// Computes the top-level constants, in the order they stand there.
fn constants(source: &str, outline: &Outline) -> Result<(Constants, Scope<'static>), Found> {
    // Everything else becomes spaces, so that errors keep their places.
    let kept = |at: usize| outline.constants.iter().any(|range| range.contains(&at));
    let text: String =
        source.char_indices().map(|(at, c)| if c == '\n' || kept(at) { c } else { ' ' }).collect();
    let ast = ENGINE.compile(&text).map_err(|error| parse_problem(&error))?;
    let mut scope = Scope::new();
    let (result, _) = meter::metered(|| ENGINE.run_ast_with_scope(&mut scope, &ast));
    if let Err(error) = result {
        let position = error.position();
        let message = match explain("const", *error) {
            Ok(ending) => ending.text(),
            Err(error) => error.message,
        };
        return Err(Found {
            message: format!("a constant cannot be computed: {message}"),
            hint: None,
            position,
        });
    }
    let constants: BTreeMap<_, _> =
        scope.iter().map(|(name, _, value)| (name.to_owned(), value.into_read_only())).collect();
    Ok((Arc::new(constants), scope))
}

fn parse_problem(error: &rhai::ParseError) -> Found {
    let message = error.err_type().to_string();
    let hint = if message.contains("'|'") {
        Some("There are no closures here: use a `for` loop, or pass a function's name as a text.")
    } else if message.contains("complexity") {
        Some("Move the innermost part into a function of its own.")
    } else if message.starts_with("Undefined variable") {
        Some("A function sees its parameters, its own variables and constants, and no others.")
    } else if message.contains("is disabled") {
        Some("This part of the language is not available to connectors.")
    } else {
        None
    };
    Found { message, hint, position: error.position() }
}

fn stray_problems(file: &str, source: &str, outline: &Outline) -> Vec<Problem> {
    outline
        .strays
        .iter()
        .map(|offset| {
            let (line, column) = place(source, *offset);
            Problem::new(file, "only functions and constants may stand at the top level")
                .at(line, column)
                .hint("Move the statement into a function, or declare it with `const`.")
        })
        .collect()
}

/// Functions that are nearly, but not quite, what the engine would call.
fn name_problems(file: &str, source: &str, outline: &Outline, ast: &AST) -> Vec<Problem> {
    let mut problems = Vec::new();
    for function in ast.iter_functions() {
        let (line, column) = outline
            .functions
            .iter()
            .find(|found| found.name == function.name)
            .map_or((1, 1), |found| place(source, found.offset));
        let problem = match KNOWN.iter().find(|(name, _)| *name == function.name) {
            Some((name, parameters)) if parameters.len() != function.params.len() => Problem::new(
                file,
                format!(
                    "`{name}` takes {} parameters, not {}",
                    parameters.len(),
                    function.params.len()
                ),
            )
            .hint(format!("Write `fn {name}({})`.", parameters.join(", "))),
            Some(_) => continue,
            None if PRINTING.contains(&function.name) => {
                Problem::new(file, format!("`{}` is part of the language", function.name))
                    .hint("Give the function another name.")
            }
            None => match misspelt(function.name) {
                Some(meant) if !outline.uses(source, function.name) => {
                    Problem::new(file, format!("the function `{}` is never called", function.name))
                        .hint(format!("Did you mean `{meant}`?"))
                }
                _ => continue,
            },
        };
        problems.push(problem.at(line, column).field(function.name));
    }
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// The known name that `name` is a likely misspelling of: at most two slips, fewer in short ones.
fn misspelt(name: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .map(|(known, _)| (strsim::osa_distance(name, known), *known))
        .min()
        .filter(|(slips, known)| *slips <= 2.min(known.len() / 4))
        .map(|(_, known)| known)
}
