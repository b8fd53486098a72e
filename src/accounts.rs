//! Linked accounts and the provider apps they are linked through.
//!
//! [`vault`] seals their [`credentials`], [`opened`] makes them ready for their app's calls, by
//! [`asking`] the provider [`linking`] learns whose they are. [`oauth`] links them by authorisation flows, and
//! [`renewal`] keeps the tokens that come of it fresh, both by calls of the [`token`] endpoint.

pub mod asking;
pub mod credentials;
pub mod linking;
pub mod oauth;
pub mod opened;
pub mod renewal;
pub mod token;
pub mod vault;

use std::sync::Arc;

use axum::http::{StatusCode, header};
use hearken_engine::{App, definition::AuthKind};
use thiserror::Error;
use tracing::error;

pub use self::{
    opened::{Opened, OpenedApp},
    renewal::Renewals,
    vault::Vault,
};
use crate::{
    api::problem::Problem,
    context::Shared,
    store::{StoreError, model::LinkedAccount},
};

/// An account cannot be used for a call now.
#[derive(Debug, Clone, Error)]
pub enum AccountError {
    /// Only its owner can help: by connecting it again.
    #[error("the linked account {id} must be connected again: {reason}")]
    NeedsReconnect {
        /// The account.
        id: String,
        /// Why.
        reason: String,
    },
    /// Its token could not be renewed; trying again later may help.
    #[error("the access token of {id} could not be renewed: {reason}")]
    Unavailable {
        /// The account.
        id: String,
        /// Why.
        reason: String,
        /// Seconds after which to try again.
        retry_after: u64,
    },
    /// It was deleted meanwhile.
    #[error("the linked account {0} was deleted")]
    Gone(String),
    /// What is sealed of it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] credentials::Unreadable),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NeedsReconnect { .. } => {
                Self::new(StatusCode::CONFLICT, "needs_reconnect", error.to_string()).because(
                    "See POST /v1/linked-accounts/oauth2/start, or send it new credentials.",
                )
            }
            AccountError::Unavailable { retry_after, .. } => {
                Self::new(StatusCode::BAD_GATEWAY, "token_not_renewed", error.to_string())
                    .with_header(header::RETRY_AFTER, retry_after.to_string())
            }
            AccountError::Gone(_) => Self::conflict(error.to_string()),
            AccountError::Unreadable(unreadable) => {
                error!(error = %unreadable, "sealed credentials cannot be used");
                Self::internal()
            }
            AccountError::Store(error) => error.into(),
        }
    }
}

/// An account whose access token the provider has just refused, with another one; none where its
/// kind has no tokens to renew.
pub async fn renewed(
    context: &Shared,
    app: &Arc<App>,
    refused: &LinkedAccount,
) -> Result<Option<Opened>, AccountError> {
    if refused.kind != AuthKind::OAuth2.name() {
        return Ok(None);
    }
    let account = renewal::renew(context, app, refused.clone()).await?;
    opened::open(context, account).await.map(Some)
}

/// An account for its app's calls: its access token renewed if it is due, opened, with the
/// provider app it is linked through.
pub async fn ready(
    context: &Shared,
    app: &Arc<App>,
    account: LinkedAccount,
) -> Result<Opened, AccountError> {
    let account = renewal::fresh(context, app, account).await?;
    opened::open(context, account).await
}
