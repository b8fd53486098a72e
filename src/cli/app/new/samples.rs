//! The samples of a new app folder, signed as its script says.

use anyhow::Context as _;
use data_encoding::BASE64;
use hearken_engine::{App, Headers, Request};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    answers::{Answers, Trigger},
    for_trigger,
    render::Values,
    scheme::Scheme,
};

/// The clock of the samples.
const NOW: &str = "2026-11-24T10:00:02Z";
const NOW_MICROS: i64 = 1_795_514_402_000_000;
/// When a delivery sent at that time is too old by any scheme's reckoning.
const LATER: &str = "2026-11-24T11:00:02Z";

/// A delivery to be written down.
struct Delivery<'a> {
    case: &'a str,
    title: &'a str,
    /// The body that was signed.
    signed: &'a str,
    /// The body that arrives.
    body: &'a str,
    secret: &'a str,
    now: &'a str,
    expect: Value,
}

/// All samples, by file name without its ending.
pub(super) fn all(
    app: &App,
    answers: &Answers,
    values: &Values,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut samples = Vec::new();
    let secret = answers.scheme.sample_secret();
    for trigger in &answers.triggers {
        let body = body(trigger, "obj_1");
        let event = json!({
            "type": format!("{}.{}", answers.slug, trigger.event_type),
            "id": "evt_1",
            "occurred_at": "2026-11-24T09:59:58Z",
            "data": { "id": "obj_1" },
        });
        let accepted = Delivery {
            case: "accepted",
            title: &trigger.title,
            signed: &body,
            body: &body,
            secret: &secret,
            now: NOW,
            expect: json!({ "events": [event] }),
        };
        let text = accepted.text(app, answers, &for_trigger(values, trigger))?;
        samples.push((trigger.name.to_lowercase(), text));
    }
    let Some(trigger) = answers.triggers.first() else { return Ok(samples) };
    let values = for_trigger(values, trigger);
    for delivery in
        refused(answers.scheme, &body(trigger, "obj_1"), &body(trigger, "obj_2"), &secret)
    {
        samples.push((delivery.case.to_owned(), delivery.text(app, answers, &values)?));
    }
    if answers.registers {
        for (name, template) in [
            ("register", include_str!("templates/register.yaml")),
            ("unregister", include_str!("templates/unregister.yaml")),
            ("status", include_str!("templates/status.yaml")),
        ] {
            samples.push((name.to_owned(), values.fill(template)));
        }
    }
    Ok(samples)
}

/// What must not get through.
fn refused<'a>(
    scheme: Scheme,
    good: &'a str,
    changed: &'a str,
    secret: &'a str,
) -> Vec<Delivery<'a>> {
    let refused = |case, title, body, now, code: &str| Delivery {
        case,
        title,
        signed: good,
        body,
        secret,
        now,
        expect: json!({ "rejected": code }),
    };
    let mut samples = Vec::new();
    if scheme != Scheme::None {
        // A bare secret says nothing of the body, so only the secret can be tampered with.
        let title = "Changed on the way";
        let mut tampered = refused("tampered", title, changed, NOW, "bad_signature");
        let mut wrong =
            refused("wrong_secret", "Signed with another secret", good, NOW, "bad_signature");
        wrong.secret = match scheme {
            Scheme::StandardWebhooks => "whsec_YW5vdGhlciBvbmUsIG5vIHNlY3JldA==",
            Scheme::Basic => "user:another",
            _ => "another",
        };
        if matches!(scheme, Scheme::Token | Scheme::Basic) {
            tampered.title = "Sent by somebody who does not know all of the secret";
            tampered.secret = &secret[..secret.len() - 1];
        }
        samples.extend([tampered, wrong]);
    }
    if scheme.has_timestamp() {
        samples.push(refused("stale", "Sent again an hour later", good, LATER, "stale"));
    }
    samples
}

fn body(trigger: &Trigger, id: &str) -> String {
    let kind = &trigger.event_type;
    format!(
        r#"{{"id":"evt_1","type":"{kind}","created_at":"2026-11-24T09:59:58Z","data":{{"id":"{id}"}}}}"#
    )
}

impl Delivery<'_> {
    fn text(&self, app: &App, answers: &Answers, values: &Values) -> anyhow::Result<String> {
        let mut values = values.clone();
        values.set("case", self.case);
        values.set("title", super::yaml(self.title));
        values.set("now", self.now);
        values.set("body", self.body);
        let headers = self.headers(app, answers)?.into_iter();
        let headers = headers
            .map(|(name, value)| format!("    {}: {}", name.to_lowercase(), Value::from(value)));
        values.set("headers", headers.collect::<Vec<_>>().join("\n"));
        let expect = hearken_engine::to_yaml(&json!({ "expect": self.expect }));
        values.set("expect", expect.trim_end());
        Ok(values.fill(include_str!("templates/delivery.yaml")))
    }

    /// The header fields that carry the signature.
    fn headers(&self, app: &App, answers: &Answers) -> anyhow::Result<Vec<(String, String)>> {
        if answers.scheme == Scheme::Basic {
            let value = format!("Basic {}", BASE64.encode(self.secret.as_bytes()));
            return Ok(vec![("authorization".to_owned(), value)]);
        }
        let mut headers = Vec::new();
        if answers.scheme == Scheme::StandardWebhooks {
            headers.push(("webhook-id".to_owned(), "msg_1".to_owned()));
        }
        let request = Request {
            method: "POST".to_owned(),
            url: "https://hearken.example/v1/webhooks/app/trg_sample".to_owned(),
            query: Vec::new(),
            headers: Headers::new(headers.clone()),
            body: self.signed.as_bytes().to_vec(),
            received_at: NOW_MICROS,
        };
        let signature = app.scheme().sign(&request, &SecretString::from(self.secret.to_owned()));
        headers.extend(signature.context("the example cannot be signed")?);
        Ok(headers)
    }
}
