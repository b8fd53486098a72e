//! `hearken app check`: loads app folders as the server would, and looks for what their authors
//! should know besides.

use clap::Args;
use hearken_engine::{
    Problem,
    lint::{self, Checked, Level, Warning},
};
use serde_json::{Value, json};

use super::{Folder, Target, excerpt::excerpt};
use crate::cli::{
    exit::Exit,
    output::{Output, Tone},
};

/// How strict to be, and on which folders.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) folder: Folder,
    /// Fail for warnings too. Notes never fail.
    #[arg(long)]
    strict: bool,
}

/// What was found in all folders.
#[derive(Default)]
struct Tally {
    problems: usize,
    warnings: usize,
    notes: usize,
}

pub(super) fn run(arguments: &Arguments, target: &Target, output: Output) -> Exit {
    let mut tally = Tally::default();
    let mut data = Vec::new();
    for slug in &target.slugs {
        data.push(match lint::check(&target.root, slug) {
            Ok(checked) => {
                tally.add(&checked);
                report_loaded(target, &checked, output)
            }
            Err(problems) => {
                tally.problems += problems.len();
                report_broken(target, slug, &problems, output)
            }
        });
    }
    if output.is_json() {
        output.json(&data);
    } else if tally.problems + tally.warnings + tally.notes > 0 {
        output.line(format!("\n{} in {}", tally.in_words(), count(target.slugs.len(), "app")));
    }
    Exit::ok_if(tally.problems == 0 && (!arguments.strict || tally.warnings == 0))
}

impl Tally {
    fn add(&mut self, checked: &Checked) {
        let of = |level| checked.warnings.iter().filter(|one| one.level == level).count();
        self.problems += checked.problems.len();
        self.warnings += of(Level::Warning);
        self.notes += of(Level::Note);
    }

    fn in_words(&self) -> String {
        let counts = [(self.problems, "problem"), (self.warnings, "warning"), (self.notes, "note")];
        let counts = counts.iter().filter(|(number, _)| *number > 0);
        counts.map(|(number, noun)| count(*number, noun)).collect::<Vec<_>>().join(", ")
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn report_loaded(target: &Target, checked: &Checked, output: Output) -> Value {
    let Checked { app, problems, warnings } = checked;
    if !output.is_json() {
        let triggers = count(app.triggers().len(), "trigger");
        let about = format!("{triggers}, version {}", app.version);
        let mark = output.mark(problems.is_empty());
        output.line(format!("{mark} {}  {}", app.slug, output.paint(Tone::Faint, about)));
        for problem in problems {
            print_problem(target, problem, output);
        }
        for warning in warnings {
            print_warning(target, warning, output);
        }
    }
    json!({
        "app": app.slug,
        "version": app.version,
        "triggers": app.triggers().iter().map(|trigger| &trigger.name).collect::<Vec<_>>(),
        "problems": problems,
        "warnings": warnings,
    })
}

fn report_broken(target: &Target, slug: &str, problems: &[Problem], output: Output) -> Value {
    if !output.is_json() {
        output.line(format!("{} {slug}", output.mark(false)));
        for problem in problems {
            print_problem(target, problem, output);
        }
    }
    json!({ "app": slug, "problems": problems, "warnings": [] })
}

fn print_warning(target: &Target, warning: &Warning, output: Output) {
    let mut problem = warning.problem.clone();
    let field = problem.field.take().map(|field| format!("{field}: ")).unwrap_or_default();
    problem.message = format!("{}[{}]: {field}{}", warning.level, warning.rule, problem.message);
    print_problem(target, &problem, output);
    output.line(format!("    {} {}", output.paint(Tone::Faint, "why:"), warning.why));
}

/// One problem: what and where on the first line, the place in the source below, then the way out.
pub(super) fn print_problem(target: &Target, problem: &Problem, output: Output) {
    let mut heading = problem.clone();
    heading.hint = None;
    output.line(format!("  {heading}"));
    if let Some(excerpt) = excerpt(&target.root, problem) {
        for line in excerpt.lines() {
            output.line(format!("    {}", output.paint(Tone::Faint, line)));
        }
    }
    if let Some(hint) = &problem.hint {
        output.line(format!("    {} {hint}", output.paint(Tone::Strong, "help:")));
    }
}
