//! The door through which lifecycle functions reach a provider: the server implements it behind
//! its guard against forbidden addresses, tests implement it in memory.

use std::fmt;

use secrecy::SecretString;
use thiserror::Error;

use crate::Headers;

/// Sends the requests of lifecycle functions. It is called on the thread that called the
/// lifecycle function, and may block.
pub trait HttpClient: Send + Sync {
    /// Sends one request and waits for the answer. Redirects are answers, not followed.
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// An outgoing request: its host is one the app lists, its header fields are well-formed.
pub struct HttpRequest {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Absolute URL. It may carry a secret: never log it whole.
    pub url: String,
    /// Header fields; values may be secret.
    pub headers: Vec<(String, SecretString)>,
    /// Body, at most 256 KB. It may carry a secret.
    pub body: Option<Vec<u8>>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = url::Url::parse(&self.url).ok();
        let host = host.as_ref().and_then(url::Url::host_str).unwrap_or("?");
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("host", &host)
            .finish_non_exhaustive()
    }
}

/// An answer.
#[derive(Debug)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// Body.
    pub body: Vec<u8>,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// The address or host may not be reached.
    #[error("{0}")]
    Denied(String),
    /// No connection, or it broke.
    #[error("{0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The answer is too large.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}
