//! Reading an app folder: all of its text at one moment, never blocking, never leaving the apps
//! folder.

use std::{collections::BTreeMap, fs, io, path::Path, thread, time::Duration};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::{Problem, app::is_slug};

/// The definition.
pub(crate) const DEFINITION: &str = "app.yaml";
/// The connector script.
pub(crate) const SCRIPT: &str = "connector.rhai";
/// The set-up guide.
pub(crate) const GUIDE: &str = "README.md";
/// JSON Schemas the definition refers to.
pub(crate) const SCHEMAS: &str = "schemas";

const DEFINITION_BYTES: u64 = 256 << 10;
const SCRIPT_BYTES: u64 = 64 << 10;
const GUIDE_BYTES: u64 = 256 << 10;
const SCHEMA_BYTES: u64 = 256 << 10;
const SCHEMA_FILES: usize = 500;
/// Readings of a folder that is being written, and the pause between them.
const READINGS: usize = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// Hex digits of a version.
const VERSION_DIGITS: usize = 16;

/// The text of an app folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) slug: String,
    pub(crate) definition: String,
    pub(crate) script: Option<String>,
    pub(crate) guide: Option<String>,
    /// Schemas by path within the folder (`schemas/push.json`).
    pub(crate) schemas: BTreeMap<String, String>,
}

impl Folder {
    /// Reads a folder until two readings agree, so that a file caught while it is written is
    /// read again.
    pub(crate) fn read(root: &Path, slug: &str) -> Result<Self, Problem> {
        if !is_slug(slug) {
            return Err(Problem::new(slug, "this folder's name cannot name an app").hint(
                "Use up to 63 lower-case letters, digits, `-` and `_`, starting with a letter or digit.",
            ));
        }
        let mut reading = Self::read_once(root, slug);
        for _ in 1..READINGS {
            if settled(root, slug) {
                break;
            }
            thread::sleep(PAUSE);
            let again = Self::read_once(root, slug);
            if again == reading {
                break;
            }
            reading = again;
        }
        reading
    }

    fn read_once(root: &Path, slug: &str) -> Result<Self, Problem> {
        let file = |name: &str, limit: u64| read_text(root, &format!("{slug}/{name}"), limit);
        let Some(definition) = file(DEFINITION, DEFINITION_BYTES)? else {
            return Err(Problem::new(format!("{slug}/{DEFINITION}"), "the file is missing")
                .hint("Every app folder has an app.yaml; `hearken app new` writes one."));
        };
        Ok(Self {
            slug: slug.to_owned(),
            definition,
            script: file(SCRIPT, SCRIPT_BYTES)?,
            guide: file(GUIDE, GUIDE_BYTES)?,
            schemas: read_schemas(root, slug)?,
        })
    }

    /// Hash of what decides the app's behaviour.
    pub(crate) fn version(&self) -> String {
        let mut text =
            self.digest(&[(DEFINITION, Some(&self.definition)), (SCRIPT, self.script.as_ref())]);
        text.truncate(VERSION_DIGITS);
        text
    }

    /// Hash of everything that was read.
    pub(crate) fn fingerprint(&self) -> String {
        self.digest(&[
            (DEFINITION, Some(&self.definition)),
            (SCRIPT, self.script.as_ref()),
            (GUIDE, self.guide.as_ref()),
        ])
    }

    /// Names and lengths are hashed with the contents, so that no two folders share a hash by
    /// moving text from one file to the next.
    fn digest(&self, files: &[(&str, Option<&String>)]) -> String {
        let schemas = self.schemas.iter().map(|(name, text)| (name.as_str(), Some(text)));
        let mut hash = Sha256::new();
        for (name, text) in files.iter().copied().chain(schemas) {
            let Some(text) = text else { continue };
            hash.update(format!("{name}\n{}\n", text.len()));
            hash.update(text);
        }
        HEXLOWER.encode(&hash.finalize())
    }
}

/// Whether nothing was written to the folder just now.
fn settled(root: &Path, slug: &str) -> bool {
    [DEFINITION, SCRIPT].iter().all(|name| {
        let written = fs::metadata(root.join(slug).join(name)).and_then(|about| about.modified());
        // A file that is not there, or dated in the future, says nothing of being written.
        written.map_or(true, |written| written.elapsed().is_ok_and(|age| age > PAUSE * 2))
    })
}

fn read_schemas(root: &Path, slug: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut schemas = BTreeMap::new();
    let folder = root.join(slug).join(SCHEMAS);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(schemas),
        Err(error) => return Err(unreadable(&format!("{slug}/{SCHEMAS}"), &error)),
    };
    for entry in entries.filter_map(Result::ok).take(SCHEMA_FILES) {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if Path::new(&name).extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let path = format!("{SCHEMAS}/{name}");
        if let Some(text) = read_text(root, &format!("{slug}/{path}"), SCHEMA_BYTES)? {
            schemas.insert(path, text);
        }
    }
    Ok(schemas)
}

/// Reads a file below `root` as text; `None` if there is none. What is not a plain file within
/// the apps folder is refused before it is opened: a pipe would block the reader for ever.
pub(crate) fn read_text(root: &Path, file: &str, limit: u64) -> Result<Option<String>, Problem> {
    let path = root.join(file);
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(file, &error)),
    };
    let inside = root.canonicalize().is_ok_and(|root| real.starts_with(root));
    if !inside {
        return Err(Problem::new(file, "this link leads out of the apps folder")
            .hint("Copy the file into the folder instead."));
    }
    let about = fs::metadata(&real).map_err(|error| unreadable(file, &error))?;
    if !about.is_file() {
        return Err(Problem::new(file, "this is not a plain file"));
    }
    if about.len() > limit {
        let message = format!("the file is larger than {} KiB", limit >> 10);
        return Err(Problem::new(file, message));
    }
    let bytes = fs::read(&real).map_err(|error| unreadable(file, &error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Problem::new(file, "the file is not UTF-8 text").hint("Save it as UTF-8."))?;
    Ok(Some(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned)))
}

fn unreadable(file: &str, error: &io::Error) -> Problem {
    Problem::new(file, format!("the file cannot be read: {error}"))
}
