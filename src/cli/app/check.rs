//! `hearken app check`: loads app folders as the server would.

use hearken_engine::{App, Problem, definition::Grade};
use serde_json::{Value, json};

use super::{Target, excerpt::excerpt};
use crate::cli::{
    exit::Exit,
    output::{Output, Tone},
};

pub(super) fn run(target: &Target, output: Output) -> Exit {
    let mut data = Vec::new();
    let mut found = 0;
    for slug in &target.slugs {
        match App::load(&target.root, slug) {
            Ok(app) => data.push(report_good(target, &app, output)),
            Err(problems) => {
                found += problems.len();
                data.push(report_bad(target, slug, &problems, output));
            }
        }
    }
    if output.is_json() {
        output.json(&data);
    } else if found > 0 {
        let plural = if found == 1 { "problem" } else { "problems" };
        output.line(format!("\n{found} {plural} in {} apps", target.slugs.len()));
    }
    Exit::ok_if(found == 0)
}

fn report_good(target: &Target, app: &App, output: Output) -> Value {
    let notes = notes(target, app);
    if !output.is_json() {
        let triggers = app.triggers().len();
        let noun = if triggers == 1 { "trigger" } else { "triggers" };
        let about = format!("{triggers} {noun}, version {}", app.version);
        let mark = output.mark(true);
        output.line(format!("{mark} {}  {}", app.slug, output.paint(Tone::Faint, about)));
        for note in &notes {
            output.line(format!("  {} {note}", output.paint(Tone::Doubtful, "note:")));
        }
    }
    json!({
        "app": app.slug,
        "version": app.version,
        "triggers": app.triggers().iter().map(|trigger| &trigger.name).collect::<Vec<_>>(),
        "problems": [],
        "notes": notes,
    })
}

fn report_bad(target: &Target, slug: &str, problems: &[Problem], output: Output) -> Value {
    if !output.is_json() {
        output.line(format!("{} {slug}", output.mark(false)));
        for problem in problems {
            print_problem(target, problem, output);
        }
    }
    json!({ "app": slug, "problems": problems, "notes": [] })
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

/// What keeps no app from working, but its author should know.
fn notes(target: &Target, app: &App) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |applies: bool, text: &str| {
        if applies {
            notes.push(text.to_owned());
        }
    };
    let samples = target.root.join(&app.slug).join("samples");
    let registers = app.script().has("register");
    note(!samples.is_dir(), "there are no samples: nothing proves that it works");
    note(app.guide.is_none(), "there is no README.md: users find no set-up guide");
    note(app.definition.unverified.is_some(), "deliveries are not verified, and it is shown so");
    note(
        app.definition.facts.grade < Grade::R3,
        "its facts are below grade R3, so it is not called verified",
    );
    note(
        registers && !app.script().has("unregister"),
        "it registers subscriptions but never removes them: add `unregister`",
    );
    note(
        registers && !app.script().has("status"),
        "the health of a subscription cannot be asked for: add `status`",
    );
    notes
}
