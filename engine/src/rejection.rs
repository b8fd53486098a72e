//! Why a request was turned away: a closed list with stable codes, which receipts and problem
//! documents show.

use thiserror::Error;

/// A request the engine did not accept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The header or field that carries the signature is missing or empty.
    #[error("the signature is missing: expected {0}")]
    MissingSignature(String),
    /// The signature came more than once; which one counts would be a guess.
    #[error("{0} came more than once")]
    DuplicateSignature(String),
    /// The signature is not of the declared form.
    #[error("the signature is malformed: {0}")]
    MalformedSignature(String),
    /// The signature does not match the body with any current secret.
    #[error("the signature does not match")]
    BadSignature,
    /// The signed timestamp is missing or unreadable.
    #[error("the timestamp is missing or unreadable: expected {0}")]
    BadTimestamp(String),
    /// The signed timestamp lies outside the window against replay.
    #[error("the timestamp is {skew_seconds} s away from now; {tolerance_seconds} s are allowed")]
    Stale {
        /// Distance from now in seconds; positive means in the past.
        skew_seconds: i64,
        /// The window in that direction.
        tolerance_seconds: i64,
    },
    /// No secret is stored that could verify the request.
    #[error("no secret is known for this trigger")]
    NoSecret,
    /// How deliveries are signed cannot be told for the trigger's configuration.
    #[error("how deliveries to this trigger are signed cannot be told: {0}")]
    NoScheme(String),
    /// A public fact of the recipient that is signed, or that a token must name, is not known.
    #[error("the linked account or provider app does not say its `{0}`, which is signed")]
    MissingFact(String),
    /// The token names a public key that the provider does not publish, or none where there are
    /// several, or a certificate is not valid at this time.
    #[error("the signature was made with a key that the provider does not publish")]
    UnknownKey,
    /// The public key that could verify the request cannot be fetched now; the sender should try
    /// again.
    #[error("the public key cannot be fetched from {0} now")]
    KeyUnavailable(String),
    /// A signed token is meant for somebody else, or comes from somebody else.
    #[error("the token's `{0}` is not the expected one")]
    WrongClaim(String),
    /// The content type is not one the app declares.
    #[error("the content type `{0}` is not accepted here")]
    UnsupportedContentType(String),
    /// The content coding is not one the app declares.
    #[error("the content encoding `{0}` is not accepted here")]
    UnsupportedEncoding(String),
    /// The body unpacks to more than is accepted.
    #[error("the body unpacks to more than {limit} bytes")]
    BodyTooLarge {
        /// What is accepted of it, in bytes.
        limit: usize,
    },
    /// The body cannot be parsed as its content type says.
    #[error("the body is not valid: {0}")]
    MalformedBody(String),
    /// The trigger has a secret, and only the provider that knows it may change it.
    #[error("the trigger has a secret already; an unsigned request cannot replace it")]
    SecretKnown,
    /// A URL that was to be called is not on a host the app lists.
    #[error("{0}")]
    UrlNotAllowed(String),
    /// The app's script failed on the request.
    #[error("the app's script failed: {0}")]
    ScriptFailed(String),
}

impl Rejection {
    /// Stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingSignature(_) => "missing_signature",
            Self::DuplicateSignature(_) => "duplicate_signature",
            Self::MalformedSignature(_) => "malformed_signature",
            Self::BadSignature => "bad_signature",
            Self::BadTimestamp(_) => "bad_timestamp",
            Self::Stale { .. } => "stale",
            Self::NoSecret => "no_secret",
            Self::NoScheme(_) => "no_scheme",
            Self::MissingFact(_) => "missing_fact",
            Self::UnknownKey => "unknown_key",
            Self::KeyUnavailable(_) => "key_unavailable",
            Self::WrongClaim(_) => "wrong_claim",
            Self::UnsupportedContentType(_) => "unsupported_content_type",
            Self::UnsupportedEncoding(_) => "content_encoding",
            Self::BodyTooLarge { .. } => "payload_too_large",
            Self::SecretKnown => "secret_known",
            Self::UrlNotAllowed(_) => "url_not_allowed",
            Self::MalformedBody(_) => "malformed_body",
            Self::ScriptFailed(_) => "script_failed",
        }
    }
}
