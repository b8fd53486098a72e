//! Rules about samples, and what is wrong with them.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{Linter, Rule, folder, scalars};
use crate::{
    Problem,
    app::read_text,
    sample::{self, Difference},
    yaml,
};

/// Looks through samples of the right form, and returns what is wrong with them besides.
pub(super) fn check(linter: &mut Linter<'_>, documents: &BTreeMap<String, Value>) -> Vec<Problem> {
    for name in documents.keys() {
        let file = format!("{}/{name}", sample::FOLDER);
        let text = read_text(linter.root, &linter.path(&file), sample::FILE_BYTES);
        let text = text.ok().flatten().unwrap_or_default();
        scalars::check(linter, &file, &text);
        folder::placeholder(linter, &file, &text);
    }
    let cases = match sample::cases(linter.root, &linter.folder.slug) {
        Ok(cases) => cases,
        Err(problems) => return problems,
    };
    for what in sample::missing(linter.app, &cases) {
        let hint = "Add it; `hearken app record` makes one of a delivery that was received.";
        linter.in_file(Rule::SampleMissing, sample::FOLDER, format!("{what} is missing"), hint);
    }
    let mut problems = Vec::new();
    for (file, case) in &cases {
        let mistakes = case.mistakes(linter.app).into_iter();
        problems.extend(mistakes.map(|mistake| place(linter.root, file, &mistake)));
        for violation in case.misfits(linter.app) {
            let place = if violation.pointer.is_empty() { "/" } else { &violation.pointer };
            let message = format!(
                "its event's data does not fit `payload`: at {place}, {}",
                violation.message
            );
            let problem = Problem::new(file, message);
            let hint = "Mend the trigger's `payload` in app.yaml, or what `events` returns.";
            linter.add(Rule::PayloadMisfit, problem.hint(hint));
        }
    }
    problems
}

/// A mistake with the place of the member it is about.
fn place(root: &Path, file: &str, mistake: &Difference) -> Problem {
    let text = read_text(root, file, sample::FILE_BYTES).ok().flatten().unwrap_or_default();
    let (line, column) = yaml::locate(&text, &format!("/{}", mistake.at));
    let message = mistake.message.clone().unwrap_or_default();
    Problem::new(file, message).at(line, column).field(mistake.at.replace('/', "."))
}
