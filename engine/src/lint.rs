//! What keeps no app from working, but its author should know: looked for in the text of a folder
//! whose app loads. Every finding has a stable code, a place, a sentence and a reason.

mod folder;
mod rule;
mod samples;
mod scalars;
mod script;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

pub use self::rule::{Level, Rule};
use crate::{
    App, Problem,
    app::{DEFINITION, Folder, SCRIPT, dotted},
    sample,
    script::source::{Outline, place, without_comments},
    yaml,
};

/// One thing an author should know.
#[derive(Debug, Clone, Serialize)]
pub struct Warning {
    /// What was looked for; its code is stable.
    pub rule: Rule,
    /// How much it matters.
    pub level: Level,
    /// Where, what, and what to do.
    #[serde(flatten)]
    pub problem: Problem,
    /// Why it matters.
    pub why: &'static str,
}

/// A folder that was looked through.
#[derive(Debug)]
pub struct Checked {
    /// The app, as the server would serve it.
    pub app: App,
    /// What is wrong with its samples; the app works nevertheless.
    pub problems: Vec<Problem>,
    /// What its author should know.
    pub warnings: Vec<Warning>,
}

/// Loads the folder `slug` of the apps folder `root` and looks through all of it, or says
/// everything that keeps it from loading.
pub fn check(root: &Path, slug: &str) -> Result<Checked, Vec<Problem>> {
    let folder = Folder::read(root, slug).map_err(|problem| vec![problem])?;
    let app = App::from_folder(folder.clone())?;
    let mut linter = Linter::new(root, &folder, &app);
    folder::check(&mut linter);
    script::check(&mut linter);
    scalars::check(&mut linter, DEFINITION, &folder.definition);
    let problems = match sample::documents(root, slug) {
        Ok(documents) => samples::check(&mut linter, &documents),
        Err(problems) => problems,
    };
    let mut warnings = linter.warnings;
    warnings.sort_by(|a, b| {
        let place = |one: &Warning| (one.problem.file.clone(), one.problem.line);
        place(a).cmp(&place(b))
    });
    Ok(Checked { app, problems, warnings })
}

/// What the rules look at, and what they found.
struct Linter<'f> {
    root: &'f Path,
    folder: &'f Folder,
    app: &'f App,
    /// `app.yaml` as JSON.
    definition: Value,
    /// The script's text.
    source: &'f str,
    /// The same without comments.
    code: String,
    outline: Outline,
    warnings: Vec<Warning>,
}

impl<'f> Linter<'f> {
    fn new(root: &'f Path, folder: &'f Folder, app: &'f App) -> Self {
        let source = folder.script.as_deref().unwrap_or_default();
        Self {
            root,
            folder,
            app,
            definition: yaml::parse(&folder.definition).unwrap_or_default(),
            source,
            code: without_comments(source),
            outline: Outline::of(source),
            warnings: Vec::new(),
        }
    }

    fn add(&mut self, rule: Rule, problem: Problem) {
        let (level, why) = (rule.level(), rule.why());
        self.warnings.push(Warning { rule, level, problem, why });
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder.slug)
    }

    /// A finding about a file as a whole.
    fn in_file(&mut self, rule: Rule, name: &str, message: impl Into<String>, hint: &str) {
        let problem = Problem::new(self.path(name), message).hint(hint);
        self.add(rule, problem);
    }

    /// A finding about the node of `app.yaml` at `pointer`.
    fn in_definition(
        &mut self,
        rule: Rule,
        pointer: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (line, column) = yaml::locate(&self.folder.definition, pointer);
        let problem = Problem::new(self.path(DEFINITION), message).at(line, column);
        self.add(rule, problem.field(dotted(pointer)).hint(hint));
    }

    /// A finding about the script at a byte offset.
    fn in_script(
        &mut self,
        rule: Rule,
        offset: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let (line, column) = place(self.source, offset);
        self.add(rule, Problem::new(self.path(SCRIPT), message).at(line, column).hint(hint));
    }

    /// Where a function of the script stands.
    fn function(&self, name: &str) -> Option<usize> {
        self.outline.functions.iter().find(|one| one.name == name).map(|one| one.offset)
    }

    /// Whether a word stands in the script, comments left out.
    fn mentions(&self, word: &str) -> bool {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(word).any(|(at, _)| {
            !self.code[..at].ends_with(part) && !self.code[at + word.len()..].starts_with(part)
        })
    }
}
