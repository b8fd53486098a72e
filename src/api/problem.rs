//! Problem documents (RFC 9457): the one form in which the API says that something is wrong.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearken_engine::schema::Violation;
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::store::StoreError;

/// What is wrong, for programs (`code`) and for people (`detail`).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemDocument {
    /// Kind of problem as a URI reference: `/problems/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code, such as `provider_refused`.
    pub code: String,
    /// One sentence on this occurrence, and what to do.
    pub detail: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What the provider said, where it spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderSaid>,
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body (`/config/owner`), or the name of a query parameter or header.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A provider's refusal in its own words.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProviderSaid {
    /// HTTP status it answered with.
    pub status: u16,
    /// Its own words, at most 500 characters.
    pub message: String,
}

/// A problem on its way out.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    document: Box<ProblemDocument>,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    /// A problem with a stable code and one sentence.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        let document = ProblemDocument {
            kind: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            provider: None,
        };
        Self { status, document: Box::new(document), headers: Vec::new() }
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its stable code.
    pub fn code(&self) -> &str {
        &self.document.code
    }

    /// Its sentence.
    pub fn detail(&self) -> &str {
        &self.document.detail
    }

    /// The fields at fault.
    pub fn errors(&self) -> &[FieldError] {
        &self.document.errors
    }

    /// Adds a header field to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names fields at fault.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.document.errors = errors;
        self
    }

    /// Quotes the provider.
    #[must_use]
    pub fn with_provider(mut self, status: u16, message: String) -> Self {
        self.document.provider = Some(ProviderSaid { status, message });
        self
    }

    /// Adds a sentence on what follows from it.
    #[must_use]
    pub fn because(mut self, sentence: &str) -> Self {
        let detail = self.document.detail.trim_end_matches('.');
        self.document.detail = format!("{detail}. {sentence}");
        self
    }

    /// One field of the request is not acceptable.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = format!("{field}: {message}");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail)
            .with_errors(vec![FieldError { field: field.to_owned(), message }])
    }

    /// A part of the body does not fit its schema; `pointer` is where that part stands.
    pub fn violations(pointer: &str, violations: Vec<Violation>) -> Self {
        let errors: Vec<FieldError> = violations
            .into_iter()
            .map(|violation| FieldError {
                field: format!("{pointer}{}", violation.pointer),
                message: violation.message,
            })
            .collect();
        let told: Vec<String> =
            errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", told.join("; "))
            .with_errors(errors)
    }

    /// The query string is not acceptable.
    pub fn query(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = format!("the query parameter `{name}`: {message}");
        Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
            .with_errors(vec![FieldError { field: name.to_owned(), message }])
    }

    /// There is no such thing, or not for this caller.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The path exists, the method does not.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "this path does not know that method; see /openapi.json",
        )
    }

    /// No key, or not a good one.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"hearken\"")
    }

    /// The key may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The state of things does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The body is too large.
    pub fn payload_too_large(limit: usize) -> Self {
        let detail = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
    }

    /// More requests than the limit allows.
    pub fn too_many_requests(seconds: u64) -> Self {
        let detail = format!("too many requests; try again in {seconds} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
            .with_header(header::RETRY_AFTER, seconds.to_string())
    }

    /// The server cannot do it now.
    pub fn unavailable(seconds: u64) -> Self {
        let detail = format!("the database cannot be used right now; try again in {seconds} s");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .with_header(header::RETRY_AFTER, seconds.to_string())
    }

    /// A mistake of ours. What happened is in the log, not in the answer.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server made a mistake; its log says more",
        )
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(detail) => Self::conflict(detail),
            StoreError::Unavailable(_) => {
                error!(%error, "a request could not be answered");
                Self::unavailable(5)
            }
            StoreError::Corrupt(_) => {
                error!(%error, "a stored row cannot be read");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.document)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
