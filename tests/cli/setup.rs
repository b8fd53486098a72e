//! Configuration, keys and `hearken doctor`.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use crate::support::{command, guide, ran, run};

#[test]
fn settings_are_layered_and_shown_without_secrets() {
    let folder = guide();
    fs::write(
        folder.path().join("hearken.toml"),
        "listen = \"127.0.0.1:1\"\n[limits]\nconnections = 7\n",
    )
    .unwrap();
    let mut print = command(folder.path(), &["config", "print", "--data-dir", "flag"]);
    print.env("HEARKEN_LISTEN", "127.0.0.1:2").env("HEARKEN_DATA_DIR", "variable");
    print
        .env("HEARKEN_MASTER_KEY", "hush")
        .env("HEARKEN_APPS__ACME__BASE_URL", "http://127.0.0.1:3");
    print.env("HEARKEN_DATABASE_URL", "postgres://me:hush@host/db");
    let text = ran(&print.output().unwrap());
    assert_eq!(text.code, 0, "{}", text.err);
    for line in [
        "listen = \"127.0.0.1:2\"",
        "data_dir = \"flag\"",
        "limits.connections = 7",
        "apps.acme.base_url = \"http://127.0.0.1:3/\"",
    ] {
        assert!(text.out.lines().any(|shown| shown == line), "{line} in {}", text.out);
    }
    assert!(!text.out.contains("hush"), "{}", text.out);
}

#[test]
fn unknown_settings_are_fatal_wherever_they_stand() {
    let folder = guide();
    let variable = ran(&command(folder.path(), &["config", "print"])
        .env("HEARKEN_LISTN", "x")
        .output()
        .unwrap());
    assert_eq!(variable.code, 2);
    assert!(variable.err.contains("LISTN"), "{}", variable.err);

    fs::write(folder.path().join("hearken.toml"), "[limits]\nconections = 7\n").unwrap();
    let file = run(folder.path(), &["config", "print"]);
    assert_eq!(file.code, 2);
    assert!(file.err.contains("conections"), "{}", file.err);

    assert_eq!(run(folder.path(), &["--config", "nowhere.toml", "config", "print"]).code, 2);
    assert_eq!(run(folder.path(), &["serve", "--no-such-flag"]).code, 2);
}

#[test]
fn keys_are_made_in_the_database() {
    let folder = guide();
    let made = run(folder.path(), &["key", "create", "--name", "agent", "--json"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let made = made.json();
    assert!(made["key"].as_str().unwrap().len() > 40, "{made}");
    assert_eq!(made["admin"], false);

    let project = made["project_id"].as_str().unwrap();
    let other = run(
        folder.path(),
        &["key", "create", "--name", "b", "--admin", "--project", project, "--json"],
    );
    assert_eq!(other.json()["project_id"], project);
    assert_ne!(other.json()["key"], made["key"]);

    let nowhere = run(folder.path(), &["key", "create", "--name", "c", "--project", "nope"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("default"), "{}", nowhere.err);
}

#[test]
fn an_unreachable_database_has_its_own_exit_code() {
    let folder = guide();
    let url = "postgres://nobody@127.0.0.1:1/none";
    let made = run(folder.path(), &["key", "create", "--name", "x", "--database-url", url]);
    assert_eq!(made.code, 3, "{}", made.err);
}

#[test]
fn the_doctor_is_content_with_a_fresh_folder() {
    let folder = guide();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let doctor = run(folder.path(), &["doctor", "--listen", &address]);
    assert_eq!(doctor.code, 0, "{}", doctor.out);
    assert!(doctor.out.contains("HEARKEN_PUBLIC_URL"), "{}", doctor.out);
}

#[test]
fn the_doctor_names_what_is_wrong() {
    let folder = guide();
    let data = folder.path().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("master.key"), "key").unwrap();
    fs::set_permissions(data.join("master.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.path().join("apps/acme/app.yaml"), "title: [").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let mut doctor = command(folder.path(), &["doctor", "--json", "--listen", &address]);
    doctor.env("HEARKEN_EGRESS_ALLOW", "0.0.0.0/0");
    let doctor = ran(&doctor.output().unwrap());
    assert_eq!(doctor.code, 1);
    let findings = doctor.json();
    let state = |what: &str| {
        let mut findings = findings.as_array().unwrap().iter();
        findings.find(|finding| finding["what"] == what).unwrap()["state"].clone()
    };
    assert_eq!(state("apps"), "bad");
    assert_eq!(state("database"), "ok");
    assert_eq!(state("master key"), "bad");
    assert_eq!(state("address"), "doubtful");
    assert_eq!(state("outgoing calls"), "bad");

    fs::write(folder.path().join("hearken.toml"), "nonsense = 1\n").unwrap();
    let doctor = run(folder.path(), &["doctor"]);
    assert_eq!(doctor.code, 1, "a bad configuration is a finding");
    assert!(doctor.out.contains("nonsense"), "{}", doctor.out);
}

#[test]
fn descriptions_and_completions_are_printed() {
    let folder = guide();
    let description = run(folder.path(), &["openapi"]);
    assert_eq!(description.json()["openapi"].as_str().unwrap().split('.').next(), Some("3"));
    for shell in ["bash", "zsh", "fish"] {
        let script = run(folder.path(), &["completions", shell]);
        assert!(script.code == 0 && script.out.contains("hearken"), "{shell}");
    }
    assert!(run(folder.path(), &["--help"]).out.contains("Exit codes"));
}
