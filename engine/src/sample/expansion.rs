//! Samples of `expand`: what a look at a recorded provider must find.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    case::Case,
    compare::{Difference, differences, same},
    http::Recorded,
    verdict::{Expectation, ExpectedEvent, some},
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
pub(super) fn check_expansion(case: &Case, app: &App) -> Vec<Difference> {
    let recorded = Recorded::new(&case.http);
    let result = expand(case, app, &recorded);
    let mut told = recorded.differences();
    match (case.expectation(), result) {
        (Err(difference), _) => told.push(difference),
        (Ok(Expectation::Expansion(expected)), Ok(found)) => {
            told.extend(case.check_events(app, &expected.events, &found.events));
            if let Some(cursor) = &expected.cursor {
                let found = found.cursor.unwrap_or_default();
                told.extend(differences("expect.expansion.cursor", cursor, &found));
            }
            told.extend(same("expect.expansion.more", &expected.more, &found.more));
        }
        (Ok(_), Ok(found)) => {
            let found = as_expected(case, found).to_string();
            told.push(Difference::between("expect", case.expect.to_string(), found));
        }
        (Ok(expected), Err(error)) => told.extend(case.check_error(&expected, &error)),
    }
    told
}

/// What was found, in the form in which samples expect it.
pub(super) fn as_expected(case: &Case, found: Expanded) -> Value {
    let mut expected = json!({ "events": case.as_expected(&found.events) });
    if let Some(cursor) = found.cursor {
        expected["cursor"] = cursor;
    }
    if found.more {
        expected["more"] = true.into();
    }
    json!({ "expansion": expected })
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
