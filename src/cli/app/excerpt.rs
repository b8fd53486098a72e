//! The lines of a file around a problem, with a caret under the place.

use std::{fmt::Write as _, fs, path::Path};

use hearken_engine::Problem;

/// Columns of a line that are shown; the place is always among them.
const WIDTH: usize = 110;
const TAB: &str = "    ";

/// The line a problem is in, the one before it, and a caret; nothing where it has no place.
pub(super) fn excerpt(root: &Path, problem: &Problem) -> Option<String> {
    let line = problem.line?;
    let column = problem.column.unwrap_or(1);
    let text = fs::read_to_string(root.join(&problem.file)).ok()?;
    let gutter = line.to_string().len().max(3);
    let mut shown = String::new();
    for number in line.saturating_sub(1).max(1)..=line {
        let source = text.lines().nth(number - 1)?;
        let skipped = skipped(column);
        let visible: String = source.chars().skip(skipped).take(WIDTH).collect();
        let _ = writeln!(shown, "{number:>gutter$} | {}", visible.replace('\t', TAB));
    }
    let before = text.lines().nth(line - 1)?.chars().skip(skipped(column));
    let before = before.take((column - 1).saturating_sub(skipped(column)));
    let indent: usize = before.map(|c| if c == '\t' { TAB.len() } else { 1 }).sum();
    let _ = write!(shown, "{:>gutter$} | {:indent$}^", "", "");
    Some(shown)
}

/// Characters left out at the start of long lines.
fn skipped(column: usize) -> usize {
    if column > WIDTH { column - WIDTH / 2 } else { 0 }
}
