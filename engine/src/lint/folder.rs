//! Rules about the folder as a whole: what is in it, and how well its facts are known.

use super::{Linter, Rule};
use crate::{
    app::{DEFINITION, GUIDE, SCRIPT},
    definition::Grade,
};

const ICON: &str = "icon.svg";
/// What `hearken app new` writes beside what is to be replaced.
const PLACEHOLDER: &str = "REPLACE:";
/// Words of sources that are more than a vendor's page.
const VECTORS: [&str; 16] = [
    "vector", "npm", "pypi", "pip", "gem", "crate", "maven", "composer", "nuget", "package", "sdk",
    "library", "fixture", "capture", "recorded", "deliver",
];

pub(super) fn check(linter: &mut Linter<'_>) {
    if linter.app.guide.is_none() {
        let hint = "Write down what a user must have and do to set it up.";
        linter.in_file(Rule::GuideMissing, GUIDE, "there is no set-up guide", hint);
    }
    if !linter.root.join(linter.path(ICON)).is_file() {
        let hint = "Draw one of 24 by 24 units with `currentColor`; no provider's logo.";
        linter.in_file(Rule::IconMissing, ICON, "there is no icon", hint);
    }
    if linter.app.definition.unverified.is_some() {
        let hint = "Define `signature()` if there is anything to verify, be it a token in the URL.";
        let message = "deliveries are taken without any verification";
        linter.in_definition(Rule::Unverified, "/unverified", message, hint);
    }
    grade(linter);
    placeholders(linter);
}

fn grade(linter: &mut Linter<'_>) {
    let facts = &linter.app.definition.facts;
    if facts.grade < Grade::R3 {
        let message = "these facts are below grade R3";
        let hint = "Check a signature with the vendor's own library, and name it in `sources`.";
        linter.in_definition(Rule::GradeLow, "/facts/grade", message, hint);
        return;
    }
    let proves = |source: &String| {
        let source = source.to_lowercase();
        VECTORS.iter().any(|word| source.contains(word))
    };
    if !facts.sources.iter().any(proves) {
        let message = "no source says with what a signature was checked";
        let hint = "Add it, such as \"Signatures: npm acme-sdk 1.2\", or lower the grade to R2.";
        linter.in_definition(Rule::GradeUnproven, "/facts/sources", message, hint);
    }
}

fn placeholders(linter: &mut Linter<'_>) {
    let files = [
        (DEFINITION, Some(linter.folder.definition.clone())),
        (SCRIPT, linter.folder.script.clone()),
        (GUIDE, linter.folder.guide.clone()),
    ];
    for (name, text) in files {
        let text = text.unwrap_or_default();
        placeholder(linter, name, &text);
    }
}

/// One finding for each file, at its first place.
pub(super) fn placeholder(linter: &mut Linter<'_>, name: &str, text: &str) {
    let mut found = text.lines().enumerate().filter_map(|(index, line)| {
        let column = line[..line.find(PLACEHOLDER)?].chars().count() + 1;
        Some((index + 1, column))
    });
    let Some((line, column)) = found.next() else { return };
    let more = match found.count() {
        0 => String::new(),
        1 => ", and on another line".to_owned(),
        more => format!(", and on {more} other lines"),
    };
    let message = format!("an example is still to be replaced here{more}");
    let hint = "Write what the provider does, and remove the mark.";
    let problem = crate::Problem::new(linter.path(name), message).at(line, column).hint(hint);
    linter.add(Rule::PlaceholderLeft, problem);
}
