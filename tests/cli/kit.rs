//! The authoring kit: a new folder that works at once, samples that are blessed, watched and
//! recorded, and documentation that is current.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ran, command, guide, project, run};

/// How long a running command may take to notice something.
const PATIENCE: Duration = Duration::from_secs(30);

fn new(folder: &Path, arguments: &[&str]) -> Ran {
    run(folder, &[&["app", "new"], arguments].concat())
}

#[test]
fn a_new_folder_of_every_scheme_works_at_once() {
    let folder = TempDir::new().unwrap();
    let schemes =
        ["hmac", "hmac-timestamp", "standard-webhooks", "token", "basic", "ed25519", "jwt", "none"];
    for scheme in schemes {
        let (registers, manual) = (format!("{scheme}-1"), format!("{scheme}-2"));
        let made = new(
            folder.path(),
            &[&registers, "--scheme", scheme, "--base-url", "https://api.acme.example/v1/"],
        );
        assert_eq!(made.code, 0, "{scheme}: {}{}", made.out, made.err);
        let made = new(
            folder.path(),
            &[
                &manual,
                "--scheme",
                scheme,
                "--manual",
                "--title",
                "Acme: \"Mail\"",
                "--prefix",
                "v1=",
                "--encoding",
                "base64",
                "--header",
                "X-Sig",
                "--docs",
                "https://docs.acme.example/a?b=c",
                "--trigger",
                "MAIL_SENT:mail.sent:It is: sent",
                "--trigger",
                "MAIL_READ",
            ],
        );
        assert_eq!(made.code, 0, "{scheme}: {}{}", made.out, made.err);
    }
    let check = run(folder.path(), &["app", "check", "--json"]).json();
    for app in check.as_array().unwrap() {
        assert_eq!(app["problems"], json!([]), "{app:#}");
        for warning in app["warnings"].as_array().unwrap() {
            let expected = ["placeholder-left", "grade-low", "unverified"];
            assert!(expected.contains(&warning["rule"].as_str().unwrap()), "{warning:#}");
        }
    }
    let test = run(folder.path(), &["app", "test"]);
    assert_eq!(test.code, 0, "{}", test.out);
    assert_eq!(run(folder.path(), &["app", "check", "--strict"]).code, 1, "examples are left");
    let definition = fs::read_to_string(folder.path().join("apps/hmac-2/app.yaml")).unwrap();
    assert!(definition.contains("title: \"Acme: \\\"Mail\\\"\"\n"), "{definition}");
    assert!(!definition.contains("base_url"), "{definition}");
}

#[test]
fn a_new_folder_needs_a_name_of_its_own() {
    let folder = guide();
    let taken = new(folder.path(), &["acme"]);
    assert_eq!(taken.code, 2);
    assert!(taken.err.contains("is there already"), "{}", taken.err);
    for wrong in [
        &["Acme"][..],
        &[],
        &["b", "--trigger", "lower"],
        &["b", "--trigger", "UPPER:Upper"],
        &["b", "--docs", "http://insecure.example"],
        &["b", "--title", "two\nlines"],
    ] {
        let refused = new(folder.path(), wrong);
        assert_eq!(refused.code, 2, "{wrong:?}: {}", refused.err);
    }
    let apps: Vec<_> = fs::read_dir(folder.path().join("apps")).unwrap().collect();
    assert_eq!(apps.len(), 1, "nothing is left of what was refused: {apps:?}");
}

#[test]
fn only_some_samples_are_run() {
    let folder = guide();
    let some = run(folder.path(), &["app", "test", "--only", "register"]);
    assert_eq!(some.code, 0, "{}", some.out);
    assert!(some.out.contains("2 passed, 0 failed"), "{}", some.out);
}

#[test]
fn what_was_found_is_written_where_nothing_was() {
    let folder = guide();
    let file = folder.path().join("apps/acme/samples/closed.yaml");
    let guided = fs::read_to_string(&file).unwrap();
    let (before, _) = guided.split_once("expect:").unwrap();
    let emptied = format!("# kept\n{before}expect: {{}}\n# the end\n");
    fs::write(&file, &emptied).unwrap();

    let test = run(folder.path(), &["app", "test"]);
    assert_eq!(test.code, 1);
    assert!(test.out.contains("--bless"), "{}", test.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), emptied, "a test writes nothing");

    let blessed = run(folder.path(), &["app", "test", "--bless"]);
    assert_eq!(blessed.code, 0, "{}", blessed.out);
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.starts_with("# kept\ncase: accepted\n"), "{written}");
    assert!(written.ends_with("\n# the end\n"), "{written}");
    assert!(written.contains("number: 7"), "{written}");

    let wrong = written.replace("number: 7", "number: 8");
    fs::write(&file, &wrong).unwrap();
    let again = run(folder.path(), &["app", "test", "--bless"]);
    assert_eq!(again.code, 1, "what somebody wrote is not overwritten");
    assert_eq!(fs::read_to_string(&file).unwrap(), wrong);
    assert!(
        again.out.contains("expected 8\n") && again.out.contains("found    7\n"),
        "{}",
        again.out
    );
    let forced = run(folder.path(), &["app", "test", "--bless", "--overwrite"]);
    assert_eq!(forced.code, 0, "{}", forced.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
}

#[test]
fn nothing_is_blessed_that_contradicts_the_case() {
    let folder = guide();
    let file = folder.path().join("apps/acme/samples/tampered.yaml");
    let text = fs::read_to_string(folder.path().join("apps/acme/samples/closed.yaml")).unwrap();
    let (before, _) = text.split_once("expect:").unwrap();
    let text = before.replace("case: accepted", "case: tampered") + "expect: {}\n";
    fs::write(&file, &text).unwrap();
    let blessed = run(folder.path(), &["app", "test", "--bless"]);
    assert_eq!(blessed.code, 1, "{}", blessed.out);
    assert!(blessed.out.contains("`tampered` cannot expect"), "{}", blessed.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_change_is_noticed() {
    let folder = guide();
    let mut child =
        command(folder.path(), &["app", "test", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (sender, results) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.filter(|line| line.contains(" passed, ")) {
            // Nobody waits for more than two.
            let _ = sender.send(line);
        }
    });
    assert_eq!(results.recv_timeout(PATIENCE).unwrap(), "7 passed, 0 failed");
    let file = folder.path().join("apps/acme/samples/stale.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("rejected: stale", "rejected: no_secret");
    fs::write(&file, text).unwrap();
    assert_eq!(results.recv_timeout(PATIENCE).unwrap(), "6 passed, 1 failed");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A request as a file, with everything in it that must not come out again.
fn request() -> Value {
    json!({
        "app": "acme",
        "received_at": "2026-11-24T10:00:02.5Z",
        "headers": [
            ["Content-Type", "application/json"],
            ["Host", "hooks.internal.example"],
            ["Cookie", "session=real"],
            ["Authorization", "Bearer real"],
            ["X-Acme-Timestamp", "1795514000"],
            ["X-Acme-Signature", "00112233"],
        ],
        "body": r#"{"id":"msg_9","kind":"ticket.closed","at":"2026-11-24T09:59:58Z","ticket":{"number":7,"team":"billing","by":"jane@acme.example"}}"#,
    })
}

#[test]
fn a_saved_request_becomes_a_sample() {
    let folder = guide();
    let saved = folder.path().join("request.json");
    fs::write(&saved, request().to_string()).unwrap();
    let made = run(
        folder.path(),
        &["app", "record", "request.json", "--redact", "$.ticket.by", "--name", "recorded"],
    );
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    assert!(made.out.contains("signed anew"), "{}", made.out);
    let sample = fs::read_to_string(folder.path().join("apps/acme/samples/recorded.yaml")).unwrap();
    for leaked in ["real", "hooks.internal", "jane", "00112233", "1795514000"] {
        assert!(!sample.contains(leaked), "{leaked} in {sample}");
    }
    assert!(sample.contains("someone@example.com") && sample.contains("1795514402"), "{sample}");
    let test = run(folder.path(), &["app", "test"]);
    assert_eq!(test.code, 0, "{}", test.out);
    assert!(test.out.contains("8 passed, 0 failed"), "{}", test.out);

    let again = run(folder.path(), &["app", "record", "request.json", "--name", "recorded"]);
    assert_eq!(again.code, 1, "nothing is overwritten");
    assert!(again.err.contains("is there already"), "{}", again.err);
    assert_eq!(
        run(folder.path(), &["app", "record", "request.json"]).code,
        0,
        "a free name is found"
    );
}

#[test]
fn what_a_trigger_says_of_its_signature_counts() {
    let folder = guide();
    let script = folder.path().join("apps/acme/connector.rhai");
    let own = "fn signature_of(trigger) {\n    #{ kind: \"token\", header: \"X-Own-Token\" }\n}\n";
    let text = fs::read_to_string(&script).unwrap();
    let (_, rest) = text.split_once("fn events").unwrap();
    fs::write(&script, format!("{own}\nfn events{rest}")).unwrap();
    let mut saved = request();
    saved["headers"] = json!({ "Content-Type": "application/json", "X-Own-Token": "the real one" });
    fs::write(folder.path().join("request.json"), saved.to_string()).unwrap();
    let made = run(folder.path(), &["app", "record", "request.json", "--name", "own"]);
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let sample = fs::read_to_string(folder.path().join("apps/acme/samples/own.yaml")).unwrap();
    assert!(!sample.contains("the real one") && sample.contains("x-own-token"), "{sample}");
    let outcome = run(folder.path(), &["app", "test", "--only", "own"]);
    assert_eq!(outcome.code, 0, "{}", outcome.out);
}

#[test]
fn a_long_body_stands_beside_the_sample() {
    let folder = guide();
    let mut saved = request();
    let long = "x".repeat(2000);
    let body = saved["body"].as_str().unwrap().replace("billing", &long);
    saved["body"] = body.clone().into();
    fs::write(folder.path().join("request.json"), saved.to_string()).unwrap();
    let made = run(folder.path(), &["app", "record", "request.json", "--name", "long"]);
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let samples = folder.path().join("apps/acme/samples");
    assert_eq!(fs::read_to_string(samples.join("long.body")).unwrap(), body);
    assert_eq!(run(folder.path(), &["app", "test"]).code, 0);
}

#[test]
fn what_cannot_be_recorded_says_why() {
    let folder = guide();
    let mut other = request();
    other["body"] = "{}".into();
    fs::write(folder.path().join("other.json"), other.to_string()).unwrap();
    fs::write(folder.path().join("request.json"), request().to_string()).unwrap();
    for (arguments, words) in [
        (&["nowhere.json"][..], "cannot be read"),
        (&["rcp_1"], "HEARKEN_KEY"),
        (&["request.json", "--app", "acne"], "there are: acme"),
        (&["request.json", "--trigger", "TICKET_CLOSD"], "did you mean"),
        (&["request.json", "--redact", "$.nothing"], "selects nothing"),
        (&["other.json"], "no trigger is about this request"),
    ] {
        let refused = run(folder.path(), &[&["app", "record"], arguments].concat());
        assert_ne!(refused.code, 0, "{arguments:?}");
        assert!(refused.err.contains(words), "{arguments:?}: {}", refused.err);
    }
}

#[test]
fn the_reference_is_current() {
    let folder = guide();
    let printed = run(folder.path(), &["app", "reference"]).out;
    let file = fs::read_to_string(project().join("docs/reference.md")).unwrap();
    assert!(printed == file, "run: hearken app reference > docs/reference.md");
    for (kind, name) in [("app", "app"), ("sample", "sample")] {
        let printed = run(folder.path(), &["app", "schema", kind]).json();
        let path = project().join(format!("schemas/{name}.schema.json"));
        let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(printed, file);
    }
}

#[test]
fn the_apps_of_this_repository_have_no_warnings() {
    let folder = TempDir::new().unwrap();
    let apps = project().join("apps");
    let check = run(folder.path(), &["app", "check", "--strict", apps.to_str().unwrap()]);
    assert_eq!(check.code, 0, "{}", check.out);
}
