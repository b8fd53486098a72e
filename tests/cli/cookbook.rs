//! Every recipe of the cookbook is a complete app folder: it loads, its samples pass, and changed
//! bodies and wrong secrets do not get through.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{blocks, project, run};

/// Recipes in which nothing depends on the body, or whose secret is no secret.
const BODY_DOES_NOT_COUNT: [&str; 7] =
    ["hmac-fields", "jwt-keys", "token-header", "token-query", "token-body", "basic", "nothing"];
/// What may be missing in a recipe.
const LEFT_OUT: [&str; 6] = [
    "guide-missing",
    "icon-missing",
    "sample-missing",
    "grade-low",
    "unverified",
    "function-unused",
];

/// The app folders of the cookbook, below `apps/`.
fn cookbook() -> (TempDir, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut frame = String::new();
    let mut recipes = Vec::new();
    for (path, text) in blocks(&project().join("docs/cookbook.md")) {
        if path == "frame/app.yaml" {
            frame = text;
            continue;
        }
        let recipe = path.split('/').next().unwrap().to_owned();
        let definition = PathBuf::from(&recipe).join("app.yaml");
        files.entry(definition.clone()).or_insert_with(|| frame.clone());
        if path.ends_with(" (added)") {
            files.get_mut(&definition).unwrap().push_str(&text);
        } else {
            files.insert(PathBuf::from(path), text);
        }
        if !recipes.contains(&recipe) {
            recipes.push(recipe);
        }
    }
    for (path, text) in files {
        let path = folder.path().join("apps").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (folder, recipes)
}

#[test]
fn every_recipe_loads_and_passes_its_samples() {
    let (folder, recipes) = cookbook();
    assert!(recipes.len() > 30, "the cookbook has recipes: {recipes:?}");
    let check = run(folder.path(), &["app", "check", "--json"]).json();
    for app in check.as_array().unwrap() {
        assert_eq!(app["problems"].as_array().unwrap().len(), 0, "{app:#}");
        for warning in app["warnings"].as_array().unwrap() {
            let rule = warning["rule"].as_str().unwrap();
            assert!(LEFT_OUT.contains(&rule), "{warning:#}");
        }
    }
    let test = run(folder.path(), &["app", "test", "--only", "", "--json"]).json();
    let mut cases = 0;
    for app in test.as_array().unwrap() {
        for case in app["cases"].as_array().unwrap() {
            assert_eq!(case["passed"], true, "{case:#}");
            cases += 1;
        }
    }
    assert!(cases >= recipes.len(), "every recipe has a sample");
}

#[test]
fn what_was_changed_does_not_get_through() {
    let (folder, recipes) = cookbook();
    let mut tried = 0;
    for recipe in &recipes {
        let samples = folder.path().join("apps").join(recipe).join("samples");
        let Ok(accepted) = fs::read_to_string(samples.join("accepted.yaml")) else { continue };
        if !BODY_DOES_NOT_COUNT.contains(&recipe.as_str()) {
            write_changed(&samples, &accepted, &|line| {
                let line = Some(line).filter(|line| !line.ends_with('|'))?;
                let body = ["body: ", r#"{"id":"a"}"#]
                    .iter()
                    .any(|start| line.trim_start().starts_with(start));
                body.then(|| changed_body(line))
            });
            assert_eq!(refused(folder.path(), recipe), 1, "{recipe}: a changed body");
            tried += 1;
        }
        if accepted.contains("\nsecret: ") && !recipe.starts_with("jwt-body") {
            write_changed(&samples, &accepted, &|line| {
                line.starts_with("secret: ").then(|| changed_secret(line))
            });
            assert_eq!(refused(folder.path(), recipe), 1, "{recipe}: another secret");
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried} changes were tried");
}

/// Writes `changed.yaml`, with the lines that `change` wants otherwise.
fn write_changed(samples: &Path, accepted: &str, change: &dyn Fn(&str) -> Option<String>) {
    let lines = accepted.lines().map(|line| change(line).unwrap_or_else(|| line.to_owned()));
    let text: Vec<String> = lines.collect();
    assert_ne!(text.join("\n"), accepted.trim_end(), "something changed");
    fs::write(samples.join("changed.yaml"), text.join("\n") + "\n").unwrap();
}

fn changed_body(line: &str) -> String {
    for (from, to) in [("evt_1", "evt_2"), (":100", ":101"), ("Hi", "Ho"), (r#""a""#, r#""c""#)] {
        if line.contains(from) {
            return line.replacen(from, to, 1);
        }
    }
    // Ciphertext, a token, or a time: another letter within it.
    let (at, letter) = line.char_indices().nth(line.len() / 2).unwrap();
    let other = if letter == 'a' { 'b' } else { 'a' };
    format!("{}{other}{}", &line[..at], &line[at + letter.len_utf8()..])
}

/// Another secret of the same form.
fn changed_secret(line: &str) -> String {
    let at = line.trim_end_matches(['"', '=']).len() - 5;
    let other = if line[at..].starts_with('A') { 'B' } else { 'A' };
    format!("{}{other}{}", &line[..at], &line[at + 1..])
}

/// How many of the changed samples fail because they are rejected.
fn refused(folder: &Path, recipe: &str) -> usize {
    let report = run(folder, &["app", "test", recipe, "--only", "changed", "--json"]).json();
    let cases: Vec<Value> = report[0]["cases"].as_array().unwrap_or(&Vec::new()).clone();
    let rejected = |case: &&Value| case["differences"].to_string().contains("a rejection: ");
    let count = cases.iter().filter(rejected).count();
    assert!(count == cases.len(), "{report:#}");
    count
}
