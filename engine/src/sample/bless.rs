//! Writing what was found into a sample: only its `expect`, and only where nothing was written
//! yet, unless told otherwise. Every other byte of the file stays, comments among them.

use std::{fs, path::Path};

use serde_json::Value;

use super::{Case, FILE_BYTES, cases, is_named};
use crate::{App, Problem, app::read_text, yaml};

/// Writes what was found into the samples whose file name contains `part`: into those that say
/// `expect: {}`, and with `all` into those that differ too. Returns the files written.
pub fn bless(root: &Path, slug: &str, part: &str, all: bool) -> Result<Vec<String>, Vec<Problem>> {
    let app = App::load(root, slug)?;
    let (mut written, mut problems) = (Vec::new(), Vec::new());
    for (file, case) in cases(root, slug)? {
        let wanted = case.expects_nothing() || (all && !case.run(&app).is_empty());
        if !is_named(&file, part) || !wanted {
            continue;
        }
        match write(root, &file, &case, &app) {
            Ok(()) => written.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(written) } else { Err(problems) }
}

fn write(root: &Path, file: &str, case: &Case, app: &App) -> Result<(), Problem> {
    let found = case.found(app).map_err(|why| {
        Problem::new(file, why).hint("Mend the sample or the app; there is nothing to write down.")
    })?;
    let text = read_text(root, file, FILE_BYTES)?.unwrap_or_default();
    let text = with_expectation(&text, &found).ok_or_else(|| {
        Problem::new(file, "`expect` does not begin a line of its own, so it cannot be replaced")
            .hint("Write `expect: {}` on a line of its own.")
    })?;
    fs::write(root.join(file), text)
        .map_err(|error| Problem::new(file, format!("the file cannot be written: {error}")))
}

/// The text with another value of `expect`, the rest as it was.
fn with_expectation(text: &str, expect: &Value) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let start = lines.iter().position(|line| line.starts_with("expect:"))?;
    let rest = &lines[start + 1..];
    let inside =
        rest.iter().take_while(|line| line.starts_with([' ', '\t']) || line.trim().is_empty());
    let length = inside.collect::<Vec<_>>().iter().rposition(|line| !line.trim().is_empty());
    let (before, after) = (&lines[..start], &rest[length.map_or(0, |last| last + 1)..]);
    let mut new = "expect:\n".to_owned();
    for line in yaml::write(expect).lines() {
        new.extend(["  ", line, "\n"]);
    }
    Some([before.concat(), new, after.concat()].concat())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_expectation_is_replaced() {
        let text = "# why\ncase: accepted # kept\nexpect: {}\n# the end\nnow: x\n";
        assert_eq!(
            with_expectation(text, &json!({ "rejected": "stale" })).unwrap(),
            "# why\ncase: accepted # kept\nexpect:\n  rejected: stale\n# the end\nnow: x\n"
        );
        let text = "case: accepted\nexpect:\n  events:\n    - type: a\n      id: 'no'\n";
        assert_eq!(
            with_expectation(text, &json!({ "ignored": "no" })).unwrap(),
            "case: accepted\nexpect:\n  ignored: \"no\"\n"
        );
        assert_eq!(with_expectation("{ case: accepted, expect: {} }", &json!({})), None);
    }
}
