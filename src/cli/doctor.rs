//! `hearken doctor`: looks at everything a server needs and says what to do about what is wrong.

mod checks;

use serde::Serialize;

use super::{
    exit::Exit,
    output::{Output, Tone},
    wait,
};
use crate::config::{Config, ConfigError};

/// What was looked at, and what was found.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    what: &'static str,
    /// How it is.
    state: State,
    /// What was found.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// In order.
    Ok,
    /// Works, but probably not as wanted.
    Doubtful,
    /// Does not work.
    Bad,
}

impl Finding {
    fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, state: State::Ok, detail: detail.into(), advice: None }
    }

    fn doubtful(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        Self { what, state: State::Doubtful, detail: detail.into(), advice }
    }

    fn bad(what: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, state: State::Bad, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// A configuration that cannot be read is a finding here, not a failure of the command.
pub(super) fn run(config: Result<Config, ConfigError>, output: Output) -> anyhow::Result<Exit> {
    match config {
        Ok(config) => wait(config, async |config| {
            let findings = checks::all(&config).await;
            Ok(report(&findings, output))
        }),
        Err(error) => {
            let advice = "docs/configuration.md lists every setting.";
            Ok(report(&[Finding::bad("configuration", error.to_string(), advice)], output))
        }
    }
}

fn report(findings: &[Finding], output: Output) -> Exit {
    if output.is_json() {
        output.json(&findings);
    } else {
        for finding in findings {
            print(finding, output);
        }
    }
    Exit::ok_if(findings.iter().all(|finding| finding.state != State::Bad))
}

fn print(finding: &Finding, output: Output) {
    let mark = match finding.state {
        State::Ok => output.mark(true),
        State::Doubtful => output.paint(Tone::Doubtful, "!"),
        State::Bad => output.mark(false),
    };
    output.line(format!("{mark} {:<14} {}", finding.what, finding.detail));
    if let Some(advice) = &finding.advice {
        output.line(format!("  {:<14} {}", "", output.paint(Tone::Faint, advice)));
    }
}
