//! The outline of a script's text: which functions and constants stand at its top level, and
//! where. The script engine keeps neither places of functions nor a way to tell stray statements.

use std::ops::Range;

/// What stands at the top level.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) functions: Vec<Function>,
    /// Where each `const` statement stands in the text.
    pub(super) constants: Vec<Range<usize>>,
    /// Byte offsets of statements that are neither.
    pub(super) strays: Vec<usize>,
    /// The text with comments and the insides of strings blanked out.
    pub(crate) code: String,
}

/// A function's name and where it stands.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) offset: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

impl Outline {
    /// Reads the outline of a text. The text need not be correct: this never fails.
    pub(crate) fn of(source: &str) -> Self {
        let code = blank(source, true);
        let mut outline = Self::default();
        let mut rest = 0;
        while let Some(start) = code[rest..].find(|c: char| !c.is_whitespace() && c != ';') {
            let start = rest + start;
            let word = word(&code[start..]);
            let function = match word {
                "fn" => Some(start + word.len()),
                "private" => code[start..].find("fn").map(|at| start + at + "fn".len()),
                _ => None,
            };
            rest = match (function, word) {
                (Some(name), _) => outline.function(&code, name),
                (None, "const") => {
                    let end = statement_end(&code, start);
                    outline.constants.push(start..end);
                    end
                }
                (None, _) => {
                    outline.strays.push(start);
                    statement_end(&code, start)
                }
            };
        }
        outline.code = code;
        outline
    }

    /// Notes the function whose name comes at `after`, and returns where it ends.
    fn function(&mut self, code: &str, after: usize) -> usize {
        let offset = after + code[after..].len() - code[after..].trim_start().len();
        let end = match code[offset..].find('{') {
            Some(brace) => block_end(code, offset + brace),
            None => code.len(),
        };
        self.functions.push(Function { name: word(&code[offset..]).to_owned(), offset, end });
        end
    }

    /// Whether the text calls, or passes on by name, a function of this name.
    pub(crate) fn uses(&self, source: &str, name: &str) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        source.match_indices(name).any(|(at, _)| {
            let defined = self.functions.iter().any(|function| function.offset == at);
            let whole =
                !source[..at].ends_with(is_word) && !source[at + name.len()..].starts_with(is_word);
            // Blanked, it is in a comment or a string; only in a string can it be a use.
            let comment = self.code[at..].starts_with(' ')
                && !source[at + name.len()..].starts_with(['"', '`', '(']);
            whole && !defined && !comment
        })
    }
}

/// Line and column of a byte offset, both from 1, columns in characters.
pub(crate) fn place(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The end of the block that opens at `open`.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return open + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The end of the statement at `start`: its `;`, or the block that ends it.
fn statement_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code[start..].char_indices() {
        let end = start + at + c.len_utf8();
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '}' => {
                depth = depth.saturating_sub(1);
                let next = code[end..].trim_start();
                let goes_on = next.starts_with([';', '.', ')', ',', ']', '+'])
                    || ["else", "catch", "while", "until"].contains(&word(next));
                if depth == 0 && !goes_on {
                    return end;
                }
            }
            ';' if depth == 0 => return end,
            _ => {}
        }
    }
    code.len()
}

/// The text with its comments replaced by spaces, so that every place stays.
pub(crate) fn without_comments(source: &str) -> String {
    blank(source, false)
}

/// Replaces comments, and the insides of strings if told to, by spaces, byte for byte; lines stay
/// lines.
fn blank(source: &str, strings: bool) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let comment = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment_length(rest),
            _ => 0,
        };
        let length = match first {
            _ if comment > 0 => comment,
            '"' => string_length(rest, '"'),
            '\'' => string_length(rest, '\''),
            '`' => template_length(rest),
            '#' => raw_length(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if comment == 0 && !strings {
            out.push_str(&rest[..length]);
        } else {
            out.extend(rest[..length].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        rest = &rest[length..];
    }
    out
}

/// Block comments nest.
fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // A string ends with its line at the latest; the parser complains about it.
            '\n' => return at,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A text in backticks; `${…}` in it holds code, which may hold such texts again.
fn template_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '`' if depth == 0 => return at + 1,
            '`' | '"' if depth > 0 => {
                let inner = match c {
                    '`' => template_length(&text[at..]),
                    _ => string_length(&text[at..], '"'),
                };
                while chars.next_if(|(next, _)| *next < at + inner).is_some() {}
            }
            '{' if depth > 0 || text[..at].ends_with('$') => depth += 1,
            '}' if depth > 0 => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// A raw text `#"…"#`, with any number of `#`.
fn raw_length(text: &str) -> Option<usize> {
    let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
    let inside = text[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(match inside.find(&end) {
        Some(at) => hashes + 1 + at + end.len(),
        None => text.len(),
    })
}
