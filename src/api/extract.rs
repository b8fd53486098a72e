//! What handlers take from a request, with every failure told as a problem document.

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::problem::{FieldError, Problem};
use crate::ids;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(body_problem(&rejection)),
        }
    }
}

fn body_problem(rejection: &JsonRejection) -> Problem {
    let text = rejection.body_text();
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::payload_too_large(super::BODY_LIMIT),
        StatusCode::UNPROCESSABLE_ENTITY => {
            // "Failed to deserialize the JSON body into the target type: config: invalid type…"
            let told = text.split_once("type: ").map_or(text.as_str(), |(_, told)| told);
            let (path, message) =
                told.split_once(": ").filter(|(path, _)| !path.contains(' ')).unwrap_or(("", told));
            let field = path.split('.').fold(String::new(), |field, step| {
                if step.is_empty() { field } else { format!("{field}/{step}") }
            });
            let error = FieldError { field, message: message.to_owned() };
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", told)
                .with_errors(vec![error])
        }
        status => Problem::new(status, "invalid_body", text),
    }
}

/// A query string.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let text = rejection.body_text();
                let told =
                    text.rsplit_once("query string: ").map_or(text.as_str(), |(_, told)| told);
                let name = told
                    .split(['`', ':'])
                    .nth(usize::from(told.starts_with("unknown")))
                    .unwrap_or_default();
                Err(Problem::query(name, told))
            }
        }
    }
}

/// An id in the path; one of another form names nothing, and is told so without a look-up.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unknown = || Problem::not_found("there is nothing with this id");
        let Path(id) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| unknown())?;
        let known = [ids::PROJECT, ids::KEY, ids::ACCOUNT, ids::TRIGGER, ids::EVENT, ids::RECEIPT];
        if known.iter().any(|prefix| ids::valid(prefix, &id)) {
            Ok(Self(id))
        } else {
            Err(unknown())
        }
    }
}
