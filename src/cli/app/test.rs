//! `hearken app test`: runs the samples of app folders.

use hearken_engine::sample::{self, Report};
use serde_json::{Value, json};

use super::{Target, check::print_problem};
use crate::cli::{
    exit::Exit,
    output::{Output, Tone},
};

/// Cases that passed, and what did not: failed cases, missing samples, problems.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

pub(super) fn run(target: &Target, output: Output) -> Exit {
    let mut tally = Tally::default();
    let mut data = Vec::new();
    for slug in &target.slugs {
        match sample::run(&target.root, slug) {
            Ok(report) => {
                tally.add(&report);
                if !output.is_json() {
                    print(&report, output);
                }
                data.push(to_json(&report));
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
        for difference in case.differences.iter().flat_map(|text| text.lines()) {
            output.line(format!("      {difference}"));
        }
    }
    for missing in &report.missing {
        output.line(format!("  {} missing: {missing}", output.mark(false)));
    }
}

fn to_json(report: &Report) -> Value {
    let cases = report.cases.iter().map(|case| {
        json!({
            "file": case.file,
            "title": case.title,
            "passed": case.passed,
            "differences": case.differences,
        })
    });
    json!({ "app": report.slug, "cases": cases.collect::<Vec<_>>(), "missing": report.missing })
}
