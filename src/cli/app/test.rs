//! `hearken app test`: runs the samples of app folders, once or whenever a file changes.

mod watch;

use clap::Args;
use hearken_engine::{
    Problem,
    sample::{self, Difference, Report},
};
use serde_json::{Value, json};

use super::{Folder, Target, check::print_problem};
use crate::cli::{
    exit::Exit,
    output::{Output, Tone},
};

/// Which samples, and what to do with them.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) folder: Folder,
    /// Only samples whose file name contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Run again whenever a file changes, until interrupted.
    #[arg(long)]
    watch: bool,
    /// Write what was found into samples that say `expect: {}`; read it before you commit it.
    #[arg(long)]
    bless: bool,
    /// With --bless, also into samples that expect something else.
    #[arg(long, requires = "bless")]
    overwrite: bool,
}

/// Cases that passed, and what did not: failed cases, missing samples, problems.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

pub(super) fn run(arguments: &Arguments, target: &Target, output: Output) -> Exit {
    if !arguments.watch {
        return once(arguments, target, output);
    }
    loop {
        let before = watch::fingerprint(target);
        once(arguments, target, output);
        output.line(output.paint(Tone::Faint, "waiting for a change"));
        watch::until_changed(target, &before);
    }
}

fn once(arguments: &Arguments, target: &Target, output: Output) -> Exit {
    let mut tally = Tally::default();
    let mut data = Vec::new();
    for slug in &target.slugs {
        let (blessed, refused) = bless(arguments, target, slug);
        if !output.is_json() {
            for file in &blessed {
                output.line(format!("{} {file}", output.paint(Tone::Doubtful, "written:")));
            }
        }
        let report = match &arguments.only {
            Some(part) => sample::run_some(&target.root, slug, part),
            None => sample::run(&target.root, slug),
        };
        match report {
            Ok(report) => {
                tally.add(&report);
                if !output.is_json() {
                    print(&report, output);
                    for problem in &refused {
                        print_problem(target, problem, output);
                    }
                }
                data.push(to_json(&report, &blessed, &refused));
            }
            Err(problems) => {
                tally.failed += problems.len();
                if !output.is_json() {
                    output.line(format!("{} {slug} does not load", output.mark(false)));
                    for problem in &problems {
                        print_problem(target, problem, output);
                    }
                }
                data.push(json!({ "app": slug, "problems": problems }));
            }
        }
    }
    if output.is_json() {
        output.json(&data);
    } else {
        output.line(format!("\n{} passed, {} failed", tally.passed, tally.failed));
    }
    Exit::ok_if(tally.failed == 0)
}

/// The samples that were written, and what stood in the way of others.
fn bless(arguments: &Arguments, target: &Target, slug: &str) -> (Vec<String>, Vec<Problem>) {
    if !arguments.bless {
        return Default::default();
    }
    let part = arguments.only.as_deref().unwrap_or_default();
    match sample::bless(&target.root, slug, part, arguments.overwrite) {
        Ok(written) => (written, Vec::new()),
        Err(problems) => (Vec::new(), problems),
    }
}

impl Tally {
    fn add(&mut self, report: &Report) {
        let passed = report.cases.iter().filter(|case| case.passed).count();
        self.passed += passed;
        self.failed += report.cases.len() - passed + report.missing.len();
    }
}

fn print(report: &Report, output: Output) {
    output.line(output.paint(Tone::Strong, &report.slug));
    for case in &report.cases {
        let file = output.paint(Tone::Faint, &case.file);
        output.line(format!("  {} {}  {file}", output.mark(case.passed), case.title));
        for difference in &case.differences {
            print_difference(difference, output);
        }
    }
    for missing in &report.missing {
        output.line(format!("  {} missing: {missing}", output.mark(false)));
    }
}

/// The place, and below it what was expected and what was found, one under the other.
fn print_difference(difference: &Difference, output: Output) {
    let Difference { at, expected, found, message } = difference;
    let message = message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    output.line(format!("      {at}{message}"));
    let side = |label: &str, tone, text: &Option<String>| {
        for (index, line) in text.iter().flat_map(|text| text.lines()).enumerate() {
            let label = if index == 0 { label } else { "" };
            output.line(format!("        {label:<8} {}", output.paint(tone, line)));
        }
    };
    side("expected", Tone::Good, expected);
    side("found", Tone::Bad, found);
}

fn to_json(report: &Report, blessed: &[String], refused: &[Problem]) -> Value {
    json!({
        "app": report.slug,
        "cases": report.cases,
        "missing": report.missing,
        "written": blessed,
        "problems": refused,
    })
}
