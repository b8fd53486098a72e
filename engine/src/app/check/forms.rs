//! Checks of how bodies are read and handshakes answered that go beyond the form of `app.yaml`.

use serde_json::Value;

use super::Checks;
use crate::{
    challenge,
    definition::{ContentType, Definition, PlainText, SecretScope},
};

impl Checks<'_> {
    /// Checks every challenge as written; returns whether all are good.
    pub(super) fn challenges(&mut self, written: &Value) -> bool {
        let before = self.problems.len();
        let challenges = written["challenges"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (index, challenge) in challenges.iter().enumerate() {
            for (pointer, message, hint) in challenge::mistakes(challenge) {
                self.note(&format!("/challenges/{index}{pointer}"), message, hint);
            }
        }
        self.problems.len() == before
    }

    /// Checks that what is said of bodies and secrets fits together.
    pub(super) fn forms(&mut self, definition: &Definition) {
        let ingress = &definition.ingress;
        let takes = |kind: ContentType| ingress.content_types.contains(&kind);
        if ingress.text == PlainText::Json && !takes(ContentType::Text) {
            let hint = "Add `text` to the content types.".to_owned();
            self.note("/ingress/text", "no `text/plain` body is accepted", Some(hint));
        }
        let has_fields = takes(ContentType::Form) || takes(ContentType::Multipart);
        if ingress.form_field.is_some() && !has_fields {
            let hint = "Add `form` or `multipart` to the content types.".to_owned();
            self.note("/ingress/form_field", "no body with fields is accepted", Some(hint));
        }
        if definition.secret.scope == SecretScope::Trigger {
            return;
        }
        for (index, challenge) in definition.challenges.iter().enumerate() {
            if challenge.hands_over_secret() {
                let message = "a secret that is handed over is the trigger's own, and deliveries \
                               are verified with another";
                let hint = "Leave out `secret.scope`.".to_owned();
                self.note(&format!("/challenges/{index}"), message, Some(hint));
            }
        }
    }
}
