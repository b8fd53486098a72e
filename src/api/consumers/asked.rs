//! What callers ask of consumers, checked.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use crate::{
    api::problem::Problem,
    clock, ids,
    store::{Interest, Place},
};

/// Longest name of a consumer.
const NAME: usize = 64;
/// Most triggers or types to filter by.
const FILTERS: usize = 100;
/// Most deliveries or events in one request.
const MANY: usize = 1000;
/// Longest type of an event that is looked for.
const TYPE: usize = 200;

/// A consumer's name.
pub(super) struct ConsumerName(pub(super) String);

impl FromStr for ConsumerName {
    type Err = Problem;

    fn from_str(name: &str) -> Result<Self, Problem> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=NAME).contains(&name.len()) && name.bytes().all(known) {
            return Ok(Self(name.to_owned()));
        }
        Err(Problem::field(
            "/consumer",
            format!("give 1 to {NAME} letters, digits, dots, hyphens and underscores"),
        ))
    }
}

/// In the path, one of another form names nothing.
impl<S: Send + Sync> FromRequestParts<S> for ConsumerName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await.ok();
        name.and_then(|Path(name)| name.parse().ok()).ok_or_else(super::unknown)
    }
}

pub(super) fn check_range(field: &str, given: u32, least: u32, most: u32) -> Result<(), Problem> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(Problem::field(field, format!("give a number from {least} to {most}")))
}

pub(super) fn check_deliveries(deliveries: &[String]) -> Result<(), Problem> {
    check_ids("/deliveries", ids::DELIVERY, deliveries)
}

pub(super) fn check_ids(field: &str, prefix: &str, given: &[String]) -> Result<(), Problem> {
    if !(1..=MANY).contains(&given.len()) {
        return Err(Problem::field(field, format!("give 1 to {MANY} ids")));
    }
    match given.iter().position(|id| !ids::valid(prefix, id)) {
        None => Ok(()),
        Some(index) => Err(Problem::field(
            &format!("{field}/{index}"),
            format!("give an id of the form {prefix}_…"),
        )),
    }
}

/// What a consumer wants to see; none where nothing is said of it.
pub(in crate::api) fn interest(
    triggers: Option<Vec<String>>,
    types: Option<Vec<String>>,
) -> Result<Option<Interest>, Problem> {
    if triggers.is_none() && types.is_none() {
        return Ok(None);
    }
    let (mut triggers, mut types) = (triggers.unwrap_or_default(), types.unwrap_or_default());
    for (field, given) in [("/triggers", &triggers), ("/types", &types)] {
        if given.len() > FILTERS {
            return Err(Problem::field(field, format!("give at most {FILTERS}")));
        }
    }
    if !triggers.is_empty() {
        check_ids("/triggers", ids::TRIGGER, &triggers)?;
    }
    let sound = |name: &String| {
        let beginning = name.strip_suffix('*').unwrap_or(name);
        (1..=TYPE).contains(&name.len()) && !beginning.contains(['*', '\0'])
    };
    if let Some(index) = types.iter().position(|name| !sound(name)) {
        let told = "give an event type such as `acme.push`, or with one `*` at its end";
        return Err(Problem::field(&format!("/types/{index}"), told));
    }
    for given in [&mut triggers, &mut types] {
        given.sort();
        given.dedup();
    }
    Ok(Some(Interest { triggers, types }))
}

/// A place in the log.
pub(in crate::api) fn place(field: &str, text: &str) -> Result<Place, Problem> {
    match text {
        "beginning" => Ok(Place::Beginning),
        "now" => Ok(Place::Now),
        id if ids::valid(ids::EVENT, id) => Ok(Place::Event(id.to_owned())),
        time => clock::parse_rfc3339(time).map(Place::Time).map_err(|_| {
            let told = "give `beginning`, `now`, the id of an event, or a time of the form \
                        2026-11-24T10:00:00Z";
            Problem::field(field, told)
        }),
    }
}
