//! Broken app folders: each gives the exact place and a sentence that tells the way out.
//!
//! `broken/<case>/` holds what differs from a good folder, and `problems.txt` what is said of it;
//! `UPDATE_EXPECT=1` writes the latter anew, to be read before it is committed.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{fs, path::Path};

use hearken_engine::{App, Catalogue};
use tempfile::TempDir;

const GOOD: &str = include_str!("broken/app.yaml");
const SCRIPT: &str = include_str!("broken/connector.rhai");

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let root = TempDir::new().unwrap();
    let app = root.path().join("acme");
    fs::create_dir(&app).unwrap();
    for (name, bytes) in files {
        fs::write(app.join(name), bytes).unwrap();
    }
    root
}

fn problems(root: &Path) -> String {
    match App::load(root, "acme") {
        Ok(_) => "no problem\n".to_owned(),
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            lines.join("\n") + "\n"
        }
    }
}

#[test]
fn the_folder_they_are_made_from_is_good() {
    let root = folder(&[("app.yaml", GOOD.as_bytes()), ("connector.rhai", SCRIPT.as_bytes())]);
    assert_eq!(problems(root.path()), "no problem\n");
}

/// Each case replaces one text of the good folder by another.
#[test]
#[expect(clippy::disallowed_methods, reason = "the variable is for whoever runs the tests")]
fn one_mistake_at_a_time() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken/problems.txt");
    let cases = include_str!("broken/cases.txt");
    let mut told = String::new();
    for case in cases.split("\n---\n").filter(|case| !case.trim().is_empty()) {
        let mut lines = case.trim_start().splitn(3, '\n');
        let (title, from, to) =
            (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
        let (from, to) =
            (from.replace("\\n", "\n"), to.trim_end_matches('\n').replace("\\n", "\n"));
        let found = usize::from(GOOD.contains(&from)) + usize::from(SCRIPT.contains(&from));
        assert_eq!(found, 1, "{title}: {from:?} must be in one of the files");
        let root = folder(&[
            ("app.yaml", GOOD.replacen(&from, &to, 1).as_bytes()),
            ("connector.rhai", SCRIPT.replacen(&from, &to, 1).as_bytes()),
        ]);
        let problems = problems(root.path());
        assert_ne!(problems, "no problem\n", "{title}");
        told.extend(["# ", title, "\n", &problems, "\n"]);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &told).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(told == expected, "the diagnostics changed; they are now:\n{told}");
}

#[test]
fn files_that_are_no_text() {
    let utf16: Vec<u8> = "title: Acme".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let huge = vec![b'#'; 10 << 20];
    let bombs = "a: &a [x]\n".to_owned()
        + &(0..30)
            .map(|n| {
                format!("a{n}: &a{n} [*a, *a, *a, *a, *a, *a, *a, *a]\n").replace(
                    "*a,",
                    &format!("*{},", if n == 0 { "a".to_owned() } else { format!("a{}", n - 1) }),
                )
            })
            .collect::<String>();
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty", b"", "the file is empty"),
        ("UTF-16", &utf16, "acme/app.yaml"),
        ("not UTF-8", b"title: \xff\xfe", "not UTF-8"),
        ("10 MB", &huge, "larger than 256 KiB"),
        ("a bomb", bombs.as_bytes(), "acme/app.yaml"),
        ("tabs", b"title:\n\t- x", "acme/app.yaml"),
    ];
    for (what, bytes, words) in cases {
        let root = folder(&[("app.yaml", bytes), ("connector.rhai", SCRIPT.as_bytes())]);
        let problems = problems(root.path());
        assert!(problems.contains(words), "{what}: {problems}");
    }
    let with_bom = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    let root = folder(&[("app.yaml", with_bom.as_bytes()), ("connector.rhai", SCRIPT.as_bytes())]);
    assert_eq!(problems(root.path()), "no problem\n", "a byte order mark and CRLF are fine");
}

#[test]
fn files_that_are_no_files() {
    let root = folder(&[("connector.rhai", SCRIPT.as_bytes())]);
    assert!(problems(root.path()).contains("app.yaml: the file is missing"));
    let app = root.path().join("acme/app.yaml");
    fs::create_dir(&app).unwrap();
    assert!(problems(root.path()).contains("not a plain file"));
    fs::remove_dir(&app).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &app).unwrap();
    assert!(problems(root.path()).contains("leads out of the apps folder"));
    fs::remove_file(&app).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&app).status().unwrap();
    assert!(made.success());
    assert!(problems(root.path()).contains("not a plain file"), "a pipe does not block the reader");
}

#[test]
fn a_broken_app_keeps_its_last_good_version_and_disturbs_no_other() {
    let root = folder(&[("app.yaml", GOOD.as_bytes()), ("connector.rhai", SCRIPT.as_bytes())]);
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("app.yaml"), GOOD).unwrap();
    fs::write(other.join("connector.rhai"), SCRIPT).unwrap();
    fs::create_dir(root.path().join("Not_An_App")).unwrap();
    let first = Catalogue::load(root.path(), None);
    assert_eq!(first.apps().count(), 2);
    assert!(first.problems()["Not_An_App"][0].message.contains("cannot name an app"));

    fs::write(root.path().join("acme/app.yaml"), "title: [").unwrap();
    let second = Catalogue::load(root.path(), Some(&first));
    assert_eq!(second.app("acme").unwrap().version, first.app("acme").unwrap().version);
    assert!(second.problems().contains_key("acme"));
    assert!(std::sync::Arc::ptr_eq(second.app("other").unwrap(), first.app("other").unwrap()));

    fs::remove_dir_all(root.path().join("acme")).unwrap();
    let third = Catalogue::load(root.path(), Some(&second));
    assert!(third.app("acme").is_none() && third.app("other").is_some());

    fs::remove_dir_all(root.path()).unwrap();
    let fourth = Catalogue::load(root.path(), Some(&third));
    assert!(fourth.app("other").is_some(), "a root that is gone keeps everything");
    assert!(fourth.problems()[""][0].message.contains("cannot be read"));
}
