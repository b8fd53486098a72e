//! A request as it arrives: admitted, and read within the limits.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearken_engine::{App, Headers, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{api::problem::Problem, clock, context::Shared};

/// A request as it arrived, its body not yet read.
pub(super) struct Arrived<'a> {
    pub(super) method: &'a Method,
    pub(super) query: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Body,
}

impl Arrived<'_> {
    /// Reads the body within the limits, and gives the request as the engine sees it. Its URL is
    /// the one registered at the provider, never what a `Host` header claims.
    pub(super) async fn read(
        self,
        context: &Shared,
        app: &App,
        id: &str,
        url: &str,
    ) -> Result<Request, Response> {
        if let Err(seconds) = context.subscribers.admit(id) {
            return Err(Problem::too_many_requests(seconds).into_response());
        }
        let Self { method, query, headers, body } = self;
        let body = read_body(app, headers, body).await?;
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Ok(Request {
            method: method.as_str().to_owned(),
            url: query.map_or_else(|| url.to_owned(), |query| format!("{url}?{query}")),
            query: pairs.into_owned().collect(),
            headers: Headers::new(headers.iter().map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })),
            body: body.into(),
            received_at: clock::now(),
        })
    }
}

async fn read_body(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, Response> {
    let packed = headers.contains_key(header::CONTENT_ENCODING);
    if packed && app.definition.ingress.compression.is_empty() {
        let detail = "compressed bodies are not accepted at this URL";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding", detail)
            .into_response());
    }
    let limit = app.definition.ingress.body_limit;
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::payload_too_large(limit).into_response())
        }
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_incomplete",
            "the body did not arrive in full and in time",
        )
        .into_response()),
    }
}
