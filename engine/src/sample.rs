//! Samples: an app folder's own tests, run without server, database or network.
//!
//! One YAML file per case in `samples/`: a delivery byte for byte, or a call to the provider with
//! recorded answers, and what must come of it. `schemas/sample.schema.json` describes the form.

mod bless;
mod call;
mod case;
mod compare;
mod expansion;
mod http;
mod reply;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    sync::LazyLock,
};

use serde::Serialize;
use serde_json::Value;

pub(crate) use self::case::Case;
pub use self::{bless::bless, compare::Difference};
use crate::{App, Event, Outcome, Problem, Received, app::read_text, schema::Schema, yaml};

pub(crate) const FOLDER: &str = "samples";
pub(crate) const FILE_BYTES: u64 = 26 << 20;

static FORM: LazyLock<Schema> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../schemas/sample.schema.json"))
        .expect("the schema of samples is JSON");
    Schema::compile(&schema).expect("the schema of samples is a JSON Schema")
});

/// How an app's samples went.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The app.
    pub slug: String,
    /// Every sample, by file name.
    pub cases: Vec<CaseResult>,
    /// Kinds of samples that every app of this kind must have, and this one has not.
    pub missing: Vec<String>,
}

/// How one sample went.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// File, relative to the apps folder.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// Whether all came as expected.
    pub passed: bool,
    /// What differed.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Whether every sample passed and none is missing.
    pub fn passed(&self) -> bool {
        self.missing.is_empty() && self.cases.iter().all(|case| case.passed)
    }
}

/// Loads an app and runs its samples.
pub fn run(root: &Path, slug: &str) -> Result<Report, Vec<Problem>> {
    let (app, cases) = (App::load(root, slug)?, cases(root, slug)?);
    let missing = missing(&app, &cases);
    Ok(Report { missing, ..report(&app, &cases) })
}

/// Loads an app and runs those of its samples whose file name contains `part`.
pub fn run_some(root: &Path, slug: &str, part: &str) -> Result<Report, Vec<Problem>> {
    let (app, mut cases) = (App::load(root, slug)?, cases(root, slug)?);
    cases.retain(|(file, _)| is_named(file, part));
    Ok(report(&app, &cases))
}

/// Whether the name of a sample's file contains `part`.
fn is_named(file: &str, part: &str) -> bool {
    file.rsplit('/').next().is_some_and(|name| name.contains(part))
}

fn report(app: &App, cases: &[(String, Case)]) -> Report {
    let results = cases.iter().map(|(file, case)| {
        let differences = case.run(app);
        CaseResult {
            file: file.clone(),
            title: case.title.clone(),
            passed: differences.is_empty(),
            differences,
        }
    });
    Report { slug: app.slug.clone(), cases: results.collect(), missing: Vec::new() }
}

/// The samples of an app as JSON values, by file name, each of the right form.
pub fn documents(root: &Path, slug: &str) -> Result<BTreeMap<String, Value>, Vec<Problem>> {
    let folder = root.join(slug).join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => {
            let message = format!("the samples cannot be read: {error}");
            return Err(vec![Problem::new(format!("{slug}/{FOLDER}"), message)]);
        }
    };
    let names: BTreeSet<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "yaml"))
        .collect();
    let (mut documents, mut problems) = (BTreeMap::new(), Vec::new());
    for name in names {
        match document(root, &format!("{slug}/{FOLDER}/{name}")) {
            Ok(document) => drop(documents.insert(name, document)),
            Err(mut found) => problems.append(&mut found),
        }
    }
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

/// Data of an example event of each trigger that has an accepted sample, by full name.
pub fn examples(root: &Path, app: &App) -> BTreeMap<String, Value> {
    let mut examples = BTreeMap::new();
    for (_, case) in cases(root, &app.slug).unwrap_or_default() {
        let name = case.trigger_name(app);
        if examples.contains_key(&name) {
            continue;
        }
        if let Some(event) = events(app, &case).into_iter().next() {
            examples.insert(name, event.data);
        }
    }
    examples
}

/// The events a sample shows.
fn events(app: &App, case: &Case) -> Vec<Event> {
    if case.call.as_deref() == Some("expand") {
        let recorded = http::Recorded::new(&case.http);
        return expansion::expand(case, app, &recorded)
            .map(|found| found.events)
            .unwrap_or_default();
    }
    match case.receive(app) {
        Ok(Received { outcome: Outcome::Events(events), .. }) if case.kind == "accepted" => events,
        _ => Vec::new(),
    }
}

fn document(root: &Path, file: &str) -> Result<Value, Vec<Problem>> {
    let text = read_text(root, file, FILE_BYTES).map_err(|problem| vec![problem])?;
    let text = text.unwrap_or_default();
    let value = yaml::parse(&text)
        .map_err(|error| vec![Problem::new(file, error.message).at(error.line, error.column)])?;
    let violations = FORM.check(&value);
    if violations.is_empty() {
        return Ok(value);
    }
    let told = violations.into_iter().map(|violation| {
        let (line, column) = yaml::locate(&text, &violation.pointer);
        let field = violation.pointer.trim_start_matches('/').replace('/', ".");
        Problem::new(file, violation.message).at(line, column).field(field)
    });
    Err(told.collect())
}

pub(crate) fn cases(root: &Path, slug: &str) -> Result<Vec<(String, Case)>, Vec<Problem>> {
    let mut cases = Vec::new();
    for (name, document) in documents(root, slug)? {
        let file = format!("{slug}/{FOLDER}/{name}");
        let mut case: Case = serde_json::from_value(document)
            .map_err(|error| vec![Problem::new(&file, error.to_string())])?;
        case.read_body(root, &format!("{slug}/{FOLDER}")).map_err(|problem| vec![problem])?;
        cases.push((file, case));
    }
    Ok(cases)
}

/// What is not shown by any sample, although the app claims it.
pub(crate) fn missing(app: &App, cases: &[(String, Case)]) -> Vec<String> {
    let has = |kind: &str| cases.iter().any(|(_, case)| case.kind == kind);
    let mut missing = Vec::new();
    for trigger in app.triggers() {
        let shown = cases
            .iter()
            .any(|(_, case)| case.kind == "accepted" && case.trigger_name(app) == trigger.name);
        if !shown {
            missing.push(format!("an accepted sample of {}", trigger.name));
        }
    }
    let mut demand = |needed: bool, kind: &str, what: &str| {
        if needed && !has(kind) {
            missing.push(what.to_owned());
        }
    };
    demand(app.scheme().is_signed(), "tampered", "a tampered sample");
    demand(app.scheme().is_signed(), "wrong_secret", "a sample signed with a wrong secret");
    let timed = |case: &Case| case.scheme(app).is_ok_and(|scheme| scheme.has_timestamp());
    let timed = cases.iter().any(|(_, case)| timed(case)) || app.scheme().has_timestamp();
    demand(timed, "stale", "a stale sample");
    for call in ["identify", "register", "unregister", "renew", "expand"] {
        let shown = cases.iter().any(|(_, case)| case.call.as_deref() == Some(call));
        if app.script().has(call) && !shown {
            missing.push(format!("a sample of the call {call}"));
        }
    }
    missing
}
