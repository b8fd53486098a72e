//! Broken app folders: each gives the exact place and a sentence that tells the way out.
//!
//! `broken/` holds a good folder; `broken/cases.txt` says what is wrong with it in each case, and
//! `broken/problems.txt` what is said of that by `hearken app check`, and where that is content, by
//! `hearken app test`. `UPDATE_EXPECT=1` writes the latter anew, to be read before it is committed.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{fs, path::Path};

use hearken_engine::{App, Catalogue, lint, sample};
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

/// The files of the good folder.
const FILES: [(&str, &str); 12] = [
    ("app.yaml", GOOD),
    ("connector.rhai", SCRIPT),
    ("README.md", include_str!("broken/README.md")),
    ("icon.svg", include_str!("broken/icon.svg")),
    ("samples/ordered.yaml", include_str!("broken/samples/ordered.yaml")),
    ("samples/shipped.yaml", include_str!("broken/samples/shipped.yaml")),
    ("samples/tampered.yaml", include_str!("broken/samples/tampered.yaml")),
    ("samples/wrong_secret.yaml", include_str!("broken/samples/wrong_secret.yaml")),
    ("samples/hello.yaml", include_str!("broken/samples/hello.yaml")),
    ("samples/register.yaml", include_str!("broken/samples/register.yaml")),
    ("samples/unregister.yaml", include_str!("broken/samples/unregister.yaml")),
    ("samples/status.yaml", include_str!("broken/samples/status.yaml")),
];

/// Everything that `hearken app check` says of a folder, or `hearken app test` where it says
/// nothing.
fn told(root: &Path) -> String {
    let mut lines: Vec<String> = match lint::check(root, "acme") {
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
        Ok(checked) => {
            let warnings = checked.warnings.iter().map(|warning| {
                let mut problem = warning.problem.clone();
                problem.message =
                    format!("{}[{}]: {}", warning.level, warning.rule, problem.message);
                problem.to_string()
            });
            checked.problems.iter().map(ToString::to_string).chain(warnings).collect()
        }
    };
    if lines.is_empty() {
        let report = sample::run(root, "acme").unwrap();
        for case in report.cases {
            let differences = case.differences.iter();
            lines.extend(differences.map(|difference| format!("{}: {difference}", case.file)));
        }
    }
    lines.join("\n") + "\n"
}

/// The good folder with one text replaced, which must stand in one file only; or, after `- `,
/// without one file.
fn mistaken(title: &str, from: &str, to: &str) -> TempDir {
    let root = TempDir::new().unwrap();
    let app = root.path().join("acme");
    fs::create_dir_all(app.join("samples")).unwrap();
    let removed = from.strip_prefix("- ").filter(|name| FILES.iter().any(|(file, _)| file == name));
    let found = FILES.iter().filter(|(_, text)| text.contains(from)).count();
    let times = FILES.iter().map(|(_, text)| text.matches(from).count()).sum::<usize>();
    assert!(
        removed.is_some() || found == 1,
        "{title}: {from:?} is in {found} files, {times} times"
    );
    for (name, text) in FILES.iter().filter(|(name, _)| removed != Some(*name)) {
        fs::write(app.join(name), text.replacen(from, to, 1)).unwrap();
    }
    root
}

#[test]
fn the_good_folder_is_above_all_doubt() {
    let root = mistaken("nothing", "title: Acme", "title: Acme");
    assert_eq!(told(root.path()), "\n");
}

/// Each case replaces one text of the good folder by another.
#[test]
#[expect(clippy::disallowed_methods, reason = "the variable is for whoever runs the tests")]
fn one_mistake_at_a_time() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken/problems.txt");
    let cases = include_str!("broken/cases.txt");
    let mut all = String::new();
    for case in cases.split("\n---\n").filter(|case| !case.trim().is_empty()) {
        let mut lines = case.trim_start_matches('\n').splitn(3, '\n');
        let (title, from) = (lines.next().unwrap(), lines.next().unwrap());
        let to = lines.next().unwrap_or_default().trim_end_matches('\n').replace("\\n", "\n");
        let root = mistaken(title, &from.replace("\\n", "\n"), &to);
        let said = told(root.path());
        assert_ne!(said, "\n", "{title}");
        all.extend(["# ", title, "\n", &said, "\n"]);
    }
    assert!(all.matches("\n# ").count() >= 75, "there are many ways to be wrong");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &all).unwrap();
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(all == expected, "the diagnostics changed; they are now:\n{all}");
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
