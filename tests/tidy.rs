//! The rules of this repository that no compiler checks, as tests. Each message says what to do.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Lines of a source file; longer ones want to be several.
const FILE_LINES: usize = 400;
/// Lines of a function: what fits on a screen, and some.
const FUNCTION_LINES: usize = 80;
/// The code that is shipped.
const SHIPPED: [&str; 2] = ["engine/src", "src"];
/// All Rust code.
const ALL: [&str; 5] = ["engine/src", "engine/tests", "src", "tests", "benches"];

/// Which part alone may name which library: exchanging one is then a matter of that part.
const DOORS: [(&str, &[&str]); 11] = [
    ("reqwest", &["src/egress.rs", "src/egress/"]),
    ("sqlx", &["src/store.rs", "src/store/"]),
    ("rhai", &["engine/src/script.rs", "engine/src/script/"]),
    ("notify", &["engine/src/reload.rs"]),
    ("jsonschema", &["engine/src/schema.rs"]),
    ("jsonpath_rust", &["engine/src/filter.rs", "engine/src/filter/"]),
    ("serde_yaml", &["engine/src/yaml.rs"]),
    ("flate2", &["engine/src/document/gzip.rs"]),
    ("multer", &["engine/src/document/multipart.rs"]),
    ("quick_xml", &["engine/src/document/xml.rs"]),
    ("clap_complete", &["src/cli.rs"]),
];

/// What the engine must never depend on: it knows no network, no database and no server.
const NOT_IN_THE_ENGINE: [&str; 6] = ["tokio", "axum", "hyper", "sqlx", "reqwest", "hearken"];

struct Source {
    path: String,
    text: String,
}

#[test]
fn no_code_names_a_provider() {
    // An app for any sender is named after what it takes, and that is nobody's name.
    let names_somebody = |slug: &String| {
        let definition = fs::read_to_string(root().join(format!("apps/{slug}/app.yaml"))).unwrap();
        !definition.contains("\ncategory: any-sender\n")
    };
    let slugs: Vec<String> = names_in("apps").into_iter().filter(names_somebody).collect();
    assert!(!slugs.is_empty(), "there are apps");
    let mut wrong = Vec::new();
    for source in sources(&SHIPPED) {
        for (number, line) in source.lines() {
            let line = line.to_lowercase();
            for slug in slugs.iter().filter(|slug| has_word(&line, slug)) {
                wrong.push(format!("{}:{number}: `{slug}`", source.path));
            }
        }
    }
    none(&wrong, "everything about a provider belongs into its app folder");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |source: &Source| !source.text.trim_start().starts_with("//!");
    let wrong = sources(&ALL).into_iter().filter(silent).map(|source| source.path);
    none(&wrong.collect::<Vec<_>>(), "open the file with one or a few `//!` sentences");
}

#[test]
fn files_stay_short() {
    let mut wrong = Vec::new();
    for source in sources(&SHIPPED) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
    }
    none(&wrong, &format!("split files of more than {FILE_LINES} lines by what they are about"));
}

#[test]
fn functions_fit_on_a_screen() {
    let mut wrong = Vec::new();
    for source in sources(&SHIPPED) {
        for (line, length) in functions(&source.text) {
            if length > FUNCTION_LINES {
                wrong.push(format!("{}:{line}: {length} lines", source.path));
            }
        }
    }
    none(&wrong, &format!("no function is longer than {FUNCTION_LINES} lines"));
}

#[test]
fn each_library_has_one_door() {
    let mut wrong = Vec::new();
    for source in sources(&SHIPPED) {
        for (library, doors) in DOORS {
            let door = doors.iter().any(|door| source.path.starts_with(door));
            let mut lines = source.code_lines();
            if let Some((number, _)) = lines.find(|(_, line)| !door && names_crate(line, library)) {
                wrong.push(format!(
                    "{}:{number}: {library}, which belongs to {}",
                    source.path, doors[0]
                ));
            }
        }
    }
    none(&wrong, "go through the part that owns the library");
}

#[test]
fn nothing_is_excused_without_a_reason() {
    let mut wrong = Vec::new();
    for source in sources(&ALL) {
        for (number, line) in source.code_lines() {
            let attribute = line.trim_start().trim_start_matches("#!").trim_start_matches('#');
            if attribute.starts_with("[allow(") || attribute.starts_with("[ignore]") {
                wrong.push(format!("{}:{number}", source.path));
            }
        }
    }
    none(&wrong, "use #[expect(…, reason = …)], which complains once it is no longer needed");
}

#[test]
fn the_engine_knows_no_network_and_no_database() {
    let known = dependencies("engine/Cargo.toml");
    let wrong: Vec<_> = NOT_IN_THE_ENGINE.iter().filter(|name| known.contains(**name)).collect();
    assert!(wrong.is_empty(), "engine/Cargo.toml depends on {wrong:?}");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let (sqlite, postgres) = (names_in("migrations/sqlite"), names_in("migrations/postgres"));
    assert_eq!(sqlite, postgres, "a migration is written for both databases, under one name");
    for (index, name) in sqlite.iter().enumerate() {
        let number = format!("{:04}_", index + 1);
        assert!(name.starts_with(&number), "{name} should be number {number}");
    }
}

#[test]
fn every_dependency_is_accounted_for() {
    let used: BTreeSet<String> =
        ["Cargo.toml", "engine/Cargo.toml"].into_iter().flat_map(dependencies).collect();
    let text = read("docs/dependencies.md");
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let listed: BTreeSet<String> = text.lines().filter_map(row).collect();
    let missing: Vec<_> = used.difference(&listed).collect();
    assert!(missing.is_empty(), "say in docs/dependencies.md why these are needed: {missing:?}");
    let gone: Vec<_> = listed.difference(&used).collect();
    assert!(gone.is_empty(), "docs/dependencies.md lists what is no longer used: {gone:?}");
}

#[test]
fn locked_versions_come_from_the_public_registries() {
    for line in read("Cargo.lock").lines().filter(|line| line.starts_with("source = ")) {
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(line, public, "Cargo.lock names another source");
    }
    for lock in package_locks(&root()) {
        let text = fs::read_to_string(&lock).unwrap();
        for line in text.lines().filter(|line| line.trim_start().starts_with("\"resolved\":")) {
            let public = line.contains("\"https://registry.npmjs.org/");
            assert!(public, "{} names another source: {}", lock.display(), line.trim());
        }
    }
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Lines that are not comments.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// First line and length of every function. Relies on rustfmt: the closing brace stands alone,
/// indented like the function.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let heading = code.split_once('(').map_or("", |(heading, _)| heading);
        let is_function = !code.starts_with("//") && heading.split(' ').any(|word| word == "fn");
        if !is_function || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - code.len()]);
        if let Some(length) = lines[start..].iter().position(|line| *line == closing) {
            found.push((start + 1, length + 1));
        }
    }
    found
}

fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let whole = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '"');
        let after = &line[at + name.len()..];
        whole
            && (after.starts_with("::")
                || (line.trim_start().starts_with("use ") && after.starts_with(';')))
    })
}

/// Whether `word` stands in `text` by itself; underscores part words.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
    })
}

/// The names of all dependencies of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in read(manifest).lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]") && !line.contains("workspace");
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']) {
            names.insert(name.trim().to_owned());
        }
    }
    names.retain(|name| !name.is_empty() && !name.starts_with('#') && !name.starts_with("hearken"));
    names
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut found);
    }
    assert!(!found.is_empty(), "there is code in {folders:?}");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "node_modules") {
            collect(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.push(Source { path, text });
        }
    }
}

fn package_locks(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["node_modules", "target", ".git", "data"].contains(&name) {
            found.extend(package_locks(&path));
        } else if name == "package-lock.json" {
            found.push(path);
        }
    }
    found
}

/// What is in a folder, hidden files left out.
fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

fn none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n  {}", wrong.join("\n  "));
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
