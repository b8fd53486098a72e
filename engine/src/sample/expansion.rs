//! Samples of `expand`: what a look at a recorded provider must find.

use serde::Deserialize;
use serde_json::Value;

use super::{
    case::{Case, Expectation, ExpectedEvent, some},
    compare::{differences, same},
    http::Recorded,
};
use crate::{App, Expanded, LifecycleError, document::Document};

/// What must come of a look at the provider.
#[derive(Debug, Deserialize)]
pub(super) struct ExpectedExpansion {
    #[serde(default)]
    events: Vec<ExpectedEvent>,
    #[serde(default, deserialize_with = "some")]
    cursor: Option<Value>,
    #[serde(default)]
    more: bool,
}

/// Runs the sample, and says what differed from what it expects.
pub(super) fn check_expansion(case: &Case, app: &App) -> Vec<String> {
    let recorded = Recorded::new(&case.http);
    let result = expand(case, app, &recorded);
    let mut told = recorded.differences();
    match (&case.expect, result) {
        (Expectation::Expansion(expected), Ok(found)) => {
            told.extend(case.check_events(app, &expected.events, &found.events));
            if let Some(cursor) = &expected.cursor {
                let found = found.cursor.unwrap_or_default();
                told.extend(differences("expect.expansion.cursor", cursor, &found));
            }
            told.extend(same("expect.expansion.more", &expected.more, &found.more));
        }
        (expected, Ok(found)) => {
            told.push(format!("expect: expected {expected:?}, found {found:?}"));
        }
        (_, Err(error)) => told.extend(case.check_error(&error)),
    }
    told
}

/// Makes the call.
pub(super) fn expand(
    case: &Case,
    app: &App,
    recorded: &Recorded,
) -> Result<Expanded, LifecycleError> {
    let notice = case.notice.clone().map(Document::new);
    app.expand(recorded, &case.lifecycle(app), notice.as_ref())
}
