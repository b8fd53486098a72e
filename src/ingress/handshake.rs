//! Handshakes: what one asks for is done first, then it is answered.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hearken_engine::{Answer, App, Duty, HttpRequest, Rejection};
use secrecy::SecretString;
use tracing::{info, warn};

use super::{Reception, receipt::Draft, reply_response, unavailable};
use crate::{api::problem::Problem, context::Shared, lifecycle, store::StoreError};

impl Reception<'_> {
    /// Does what a handshake asks for, and answers it once that is on disk.
    pub(super) async fn shake_hands(&self, draft: Draft, answer: Answer) -> Response {
        let Answer { kind, reply, duty } = answer;
        match duty {
            None => {}
            Some(Duty::KeepSecret { secret, first_only }) => {
                match self.keep_secret(&secret, first_only).await {
                    Ok(true) => {}
                    Ok(false) => return self.reject(draft, &Rejection::SecretKnown).await,
                    Err(error) => return unavailable(&error),
                }
            }
            Some(Duty::CallUrl(url)) => {
                if let Err(why) = call(self.context, self.app, &url).await {
                    return self.not_confirmed(draft, &why).await;
                }
            }
        }
        let may_note = draft.is_verified()
            || self.context.subscribers.may_note_unverified(&self.subscriber.trigger.id);
        if !may_note {
            return reply_response(reply);
        }
        let draft = draft.outcome("challenge", Some(kind.to_owned())).answered(reply.status);
        self.commit(draft, |_| reply_response(reply)).await
    }

    async fn keep_secret(
        &self,
        secret: &SecretString,
        first_only: bool,
    ) -> Result<bool, StoreError> {
        let trigger = &self.subscriber.trigger;
        let kept = lifecycle::keep_handed_over(self.context, trigger, secret, first_only).await?;
        if kept {
            info!(trigger = %trigger.id, "the provider handed over the secret");
        }
        Ok(kept)
    }

    /// The provider will ask again.
    async fn not_confirmed(&self, draft: Draft, why: &str) -> Response {
        let (problem, reason) = unconfirmed(why);
        warn!(app = %self.app.slug, trigger = %self.subscriber.trigger.id, reason);
        let draft = draft.outcome("failed", Some(reason)).answered(problem.status().as_u16());
        self.commit(draft, |_| problem.into_response()).await
    }
}

/// Calls a URL by which a provider wants a subscription confirmed.
pub(super) async fn call(context: &Shared, app: &App, url: &str) -> Result<(), String> {
    let request = HttpRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
    };
    match context.way_out(app).call(request).await {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status)),
        Err(error) => Err(error.to_string()),
    }
}

/// What the provider and the receipt are told of a subscription that could not be confirmed.
pub(super) fn unconfirmed(why: &str) -> (Problem, String) {
    let reason = format!("the URL that confirms the subscription could not be called: {why}");
    (Problem::new(StatusCode::BAD_GATEWAY, "confirmation_failed", reason.clone()), reason)
}
