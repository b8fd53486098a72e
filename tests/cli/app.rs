//! `hearken app`: what an author sees.

use std::{fs, path::Path};

use serde_json::json;

use crate::support::{guide, run};

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join("apps/acme").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has {from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_guides_example_is_right() {
    let folder = guide();
    let check = run(folder.path(), &["app", "check"]);
    assert_eq!(check.code, 0, "{}{}", check.out, check.err);
    let test = run(folder.path(), &["app", "test"]);
    assert_eq!(test.code, 0, "{}{}", test.out, test.err);
    assert!(test.out.contains("7 passed, 0 failed"), "{}", test.out);
}

#[test]
fn a_folder_is_named_in_three_ways() {
    let folder = guide();
    for target in ["acme", "apps", "apps/acme", "./apps/acme/"] {
        let check = run(folder.path(), &["app", "check", target, "--json"]);
        assert_eq!(check.code, 0, "{target}: {}", check.err);
        assert_eq!(check.json()[0]["app"], "acme", "{target}");
    }
    let inside = run(&folder.path().join("apps/acme"), &["app", "check", "."]);
    assert_eq!(inside.code, 0, "{}", inside.err);
}

#[test]
fn a_mistake_is_shown_in_its_place() {
    let folder = guide();
    edit(folder.path(), "app.yaml", "    title: Ticket closed", "    titel: Ticket closed");
    let check = run(folder.path(), &["app", "check"]);
    assert_eq!(check.code, 1);
    let shown: Vec<&str> = check.out.lines().collect();
    let source =
        shown.iter().position(|line| line.contains("| ") && line.contains("titel")).unwrap();
    let caret = shown[source + 1].find('^').unwrap();
    assert_eq!(shown[source].find("titel"), Some(caret), "{}", check.out);
    assert!(check.out.contains("did you mean `title`"), "{}", check.out);

    let problem = &run(folder.path(), &["app", "check", "--json"]).json()[0]["problems"][0];
    assert_eq!(problem["file"], "acme/app.yaml");
    assert!(problem["line"].is_u64() && problem["column"].is_u64(), "{problem}");
}

#[test]
fn a_failing_sample_says_what_differs() {
    let folder = guide();
    edit(
        folder.path(),
        "samples/closed.yaml",
        "number: 7, team: billing }",
        "number: 8, team: billing }",
    );
    let test = run(folder.path(), &["app", "test", "acme"]);
    assert_eq!(test.code, 1);
    for line in ["expect.events[0].data.number", "expected 8", "found    7"] {
        assert!(test.out.lines().any(|shown| shown.trim() == line), "{line} in {}", test.out);
    }

    let cases = run(folder.path(), &["app", "test", "acme", "--json"]).json()[0]["cases"].clone();
    let failed = cases.as_array().unwrap().iter().filter(|case| case["passed"] == json!(false));
    let failed: Vec<_> = failed.collect();
    assert_eq!(failed.len(), 1);
    let difference = json!({ "at": "expect.events[0].data.number", "expected": "8", "found": "7" });
    assert_eq!(failed[0]["differences"], json!([difference]));
}

#[test]
fn a_missing_sample_fails_the_test() {
    let folder = guide();
    fs::remove_file(folder.path().join("apps/acme/samples/tampered.yaml")).unwrap();
    let test = run(folder.path(), &["app", "test"]);
    assert_eq!(test.code, 1);
    assert!(test.out.contains("tampered"), "{}", test.out);
}

#[test]
fn what_is_not_there_is_a_usage_error_that_says_what_is() {
    let folder = guide();
    let check = run(folder.path(), &["app", "check", "acne"]);
    assert_eq!(check.code, 2);
    assert!(check.err.contains("there are: acme"), "{}", check.err);
}
