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
            let told = text.split_once("target type: ").map_or(text.as_str(), |(_, told)| told);
            let (path, message) =
                told.split_once(": ").filter(|(path, _)| !path.contains(' ')).unwrap_or(("", told));
            let field = pointer(path, message);
            let message = without_text(message);
            let detail =
                if field.is_empty() { message.clone() } else { format!("{field}: {message}") };
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail)
                .with_errors(vec![FieldError { field, message }])
        }
        status => Problem::new(status, "invalid_body", text),
    }
}

/// The JSON pointer to the field at fault: the decoder's `path`, and the field that its message
/// names where the path does not get as far.
fn pointer(path: &str, message: &str) -> String {
    let steps = path.split('.').chain(named(message));
    let mut steps: Vec<&str> = steps.filter(|step| !step.is_empty() && *step != "?").collect();
    steps.dedup();
    if steps.is_empty() { String::new() } else { format!("/{}", steps.join("/")) }
}

/// The message without the text it quotes from the body, which may be a secret in the wrong place.
fn without_text(message: &str) -> String {
    let quoted = message.split_once("string \"");
    let around = quoted.and_then(|(head, rest)| Some((head, rest.rsplit_once("\", expected")?.1)));
    around.map_or_else(|| message.to_owned(), |(head, tail)| format!("{head}text, expected{tail}"))
}

/// The field a message such as "missing field `name`" is about.
fn named(message: &str) -> Option<&str> {
    let kinds = ["missing field `", "unknown field `", "duplicate field `"];
    let rest = kinds.iter().find_map(|kind| message.strip_prefix(kind))?;
    rest.split('`').next()
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
                let (path, message) = told.split_once(": ").unwrap_or((told, told));
                Err(Problem::query(named(message).or(named(told)).unwrap_or(path), message))
            }
        }
    }
}

/// The name of an app in the path. Only names in the catalogue are ever looked for, so that it
/// needs no form; what cannot be read as text is none of them.
pub(super) struct Slug(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Slug {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(slug)) => Ok(Self(slug)),
            Err(_) => Err(Problem::not_found("there is no such app; see GET /v1/apps")),
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
        let known = [
            ids::PROJECT,
            ids::KEY,
            ids::PROVIDER_APP,
            ids::ACCOUNT,
            ids::TRIGGER,
            ids::EVENT,
            ids::RECEIPT,
        ];
        if known.iter().any(|prefix| ids::valid(prefix, &id)) {
            Ok(Self(id))
        } else {
            Err(unknown())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{body, http::header};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Wanted {
        name: String,
        inner: Option<Inner>,
        limit: Option<u32>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is of interest")]
    struct Inner {
        days: u32,
    }

    fn request(path: &str, kind: &str, text: &str) -> Request {
        let body = body::Body::from(text.to_owned());
        let request = Request::builder().uri(path).header(header::CONTENT_TYPE, kind).body(body);
        request.unwrap_or_else(|error| unreachable!("the test's request is sound: {error}"))
    }

    async fn body(kind: &str, text: &str) -> (u16, String) {
        let read = Body::<Wanted>::from_request(request("/", kind, text), &()).await;
        told(read.map(|Body(wanted)| wanted))
    }

    async fn query(text: &str) -> (u16, String) {
        let (mut parts, _) = request(&format!("/?{text}"), "text/plain", "").into_parts();
        told(Params::<Wanted>::from_request_parts(&mut parts, &()).await.map(|Params(it)| it))
    }

    /// The status and the field that a problem names.
    fn told(read: Result<Wanted, Problem>) -> (u16, String) {
        match read {
            Ok(_) => (200, String::new()),
            Err(problem) => {
                let field = problem.errors().first().map(|error| error.field.clone());
                (problem.status().as_u16(), field.unwrap_or_default())
            }
        }
    }

    #[tokio::test]
    async fn a_bad_body_names_its_field() {
        let json = "application/json";
        for (text, status, field) in [
            (r#"{"name": "a"}"#, 200, ""),
            (r#"{"name": 1}"#, 422, "/name"),
            ("{}", 422, "/name"),
            (r#"{"name": "a", "nmae": 1}"#, 422, "/nmae"),
            (r#"{"name": "a", "name": "b"}"#, 422, "/name"),
            (r#"{"name": "a", "inner": {"days": "x: y"}}"#, 422, "/inner/days"),
            (r#"{"name": "a", "inner": {}}"#, 422, "/inner/days"),
            (r#"{"name": "a", "inner": {"days": 1, "d": 2}}"#, 422, "/inner/d"),
            ("[]", 422, ""),
            (r#"{"name": "#, 400, ""),
        ] {
            assert_eq!(body(json, text).await, (status, field.to_owned()), "{text}");
        }
        assert_eq!(body("text/plain", r#"{"name": "a"}"#).await.0, 415);
    }

    #[tokio::test]
    async fn text_in_the_wrong_place_is_not_repeated() {
        for text in [
            r#"{"name": "a", "inner": "s3cret"}"#,
            r#"{"name": "a", "inner": {"days": "s3cret\", expected a"}}"#,
            r#"{"name": "a", "inner": {"days": "\"s3cret: type: "}}"#,
        ] {
            let read = Body::<Wanted>::from_request(request("/", "application/json", text), &());
            let shown = format!("{:?}", read.await.map(|Body(wanted)| wanted));
            assert!(shown.contains("/inner") && !shown.contains("s3cret"), "{shown}");
        }
    }

    #[tokio::test]
    async fn a_bad_query_names_its_parameter() {
        for (text, status, field) in [
            ("name=a", 200, ""),
            ("name=a&limit=x", 400, "limit"),
            ("name=a&limit=-1", 400, "limit"),
            ("name=a&lmit=1", 400, "lmit"),
            ("name=a&name=b", 400, "name"),
            ("limit=1", 400, "name"),
        ] {
            assert_eq!(query(text).await, (status, field.to_owned()), "{text}");
        }
    }
}
