//! The rule about plain scalars that YAML readers disagree on: `yes`, `on`, `0123`, `12:30`. The
//! reader keeps no trace of how a scalar was written, so this looks at the text itself.

use std::sync::LazyLock;

use regex::Regex;

use super::{Linter, Rule};
use crate::Problem;

/// What YAML 1.1 reads as a truth value, an octal or a sexagesimal number, and YAML 1.2 as another.
static AMBIGUOUS: LazyLock<Regex> = LazyLock::new(|| {
    let words = "yes|no|on|off|y|n|Yes|No|On|Off|Y|N|YES|NO|ON|OFF";
    let numbers = "[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+|[-+]?[0-9]+_[0-9_]*";
    Regex::new(&format!("^(?:{words}|{numbers})$")).expect("it is a pattern")
});

pub(super) fn check(linter: &mut Linter<'_>, name: &str, text: &str) {
    for found in scalars(text).filter(|found| AMBIGUOUS.is_match(&found.text)) {
        let message = format!("`{}` means different things to different readers", found.text);
        let hint = format!("Write \"{0}\" for the text, or the value that is meant.", found.text);
        let problem = Problem::new(linter.path(name), message).at(found.line, found.column);
        linter.add(Rule::ScalarAmbiguous, problem.hint(hint));
    }
}

/// A plain scalar and its place.
struct Scalar {
    line: usize,
    column: usize,
    text: String,
}

/// The plain scalars of a text, keys among them; what stands in quotes or in blocks is not plain.
fn scalars(text: &str) -> impl Iterator<Item = Scalar> {
    let mut found = Vec::new();
    // The indentation of the line that began a block of literal text.
    let mut block: Option<usize> = None;
    for (index, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        if block.is_some_and(|outer| indent > outer || line.trim().is_empty()) {
            continue;
        }
        let tokens = tokens(line);
        let opens = tokens.last().is_some_and(|(_, last)| last.starts_with(['|', '>']));
        block = opens.then_some(indent);
        found.extend(tokens.into_iter().map(|(at, text)| Scalar {
            line: index + 1,
            column: line[..at].chars().count() + 1,
            text: text.to_owned(),
        }));
    }
    found.into_iter()
}

/// The plain scalars of one line, with their byte offsets.
fn tokens(line: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    let mut quote: Option<char> = None;
    let mut cut = |from: usize, to: usize| {
        let text = after_dashes(&line[from..to]);
        let at = to - text.len();
        let text = text.trim_end();
        if !text.is_empty() && !text.contains(['"', '\'']) {
            tokens.push((at, text));
        }
    };
    for (at, c) in line.char_indices() {
        let next = line[at + c.len_utf8()..].chars().next();
        let before = line[..at].chars().next_back();
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            // Within quotes nothing else counts.
            (Some(_), _) => (),
            (None, '"' | '\'') if after_dashes(&line[start..at]).is_empty() => {
                quote = Some(c);
            }
            (None, '#') if before.is_none_or(char::is_whitespace) => {
                cut(start, at);
                return tokens;
            }
            (None, ':') if next.is_none_or(char::is_whitespace) => {
                cut(start, at);
                start = at + 1;
            }
            (None, '[' | '{') if after_dashes(&line[start..at]).is_empty() => {
                depth += 1;
                start = at + 1;
            }
            (None, ']' | '}' | ',') if depth > 0 => {
                cut(start, at);
                depth -= usize::from(c != ',');
                start = at + 1;
            }
            _ => {}
        }
    }
    cut(start, line.len());
    tokens
}

/// What follows the dashes of list items.
fn after_dashes(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some(rest) =
        text.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' '))
    {
        text = rest.trim_start();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ambiguous(text: &str) -> Vec<String> {
        scalars(text).map(|one| one.text).filter(|text| AMBIGUOUS.is_match(text)).collect()
    }

    #[test]
    fn finds_what_readers_disagree_on() {
        assert_eq!(ambiguous("a: yes"), ["yes"]);
        assert_eq!(ambiguous("- off # why"), ["off"]);
        assert_eq!(ambiguous("a: { b: no, c: [on, 007] }"), ["no", "on", "007"]);
        assert_eq!(ambiguous("on: push"), ["on"]);
        assert_eq!(ambiguous("- - -05:00"), ["-05:00"]);
        assert_eq!(ambiguous("at: 12:30\nbig: 1_000"), ["12:30", "1_000"]);
    }

    #[test]
    fn leaves_alone_what_is_clear() {
        for text in [
            "a: \"yes\"",
            "a: 'no'",
            "a: { b: \"off\" }",
            "a: |\n  no\n  on: 007\nb: 1",
            "a: yes please",
            "a: 2026-11-24T10:00:02Z",
            "a: https://acme.example:443/x",
            "a: 0",
            "a: 0.5",
            "a: it is off",
            "# a: yes",
            "a: '{\"x\":{\"no\":1}}'",
        ] {
            assert_eq!(ambiguous(text), Vec::<String>::new(), "{text}");
        }
    }
}
