//! The samples of a new app folder, signed as its script says.

use hearken_engine::App;
use serde_json::{Value, json};

use super::{
    answers::{Answers, Trigger},
    for_trigger,
    render::{Values, yaml},
    scheme::{Encoding, Scheme},
    signer::{NOW, Signed, Signer},
};

/// When a delivery of [`NOW`] is too old by any scheme's reckoning.
const LATER: &str = "2026-11-24T11:00:02Z";

/// What all samples have in common.
struct Samples<'a> {
    app: &'a App,
    answers: &'a Answers,
    prefix: &'a str,
    encoding: Encoding,
    /// What verifies deliveries.
    secret: String,
}

/// A delivery to be written down.
struct Delivery<'a> {
    case: &'a str,
    title: &'a str,
    /// The body that was signed.
    signed: &'a str,
    /// The body that arrives.
    body: &'a str,
    signer: &'a Signer,
    now: &'a str,
    expect: Value,
}

/// All samples, by file name without its ending.
pub(super) fn all(
    app: &App,
    answers: &Answers,
    (prefix, encoding): (&str, Encoding),
    values: &Values,
) -> anyhow::Result<Vec<(String, String)>> {
    let signer = Signer::new(answers.scheme)?;
    let with = Samples { app, answers, prefix, encoding, secret: signer.secret() };
    let mut samples = Vec::new();
    for trigger in &answers.triggers {
        let text = with.write(&accepted(answers, trigger, &signer), trigger, values)?;
        samples.push((trigger.name.to_lowercase(), text));
    }
    let Some(trigger) = answers.triggers.first() else { return Ok(samples) };
    let (good, changed) = (body(trigger, "obj_1"), body(trigger, "obj_2"));
    let (stranger, guesser) = (Signer::stranger(answers.scheme)?, signer.guesser());
    let mut refused: Vec<Delivery<'_>> = Vec::new();
    let mut refuse = |case, title, body, signer, now, code: &str| {
        let expect = json!({ "rejected": code });
        refused.push(Delivery { case, title, signed: &good, body, signer, now, expect });
    };
    match answers.scheme {
        Scheme::None => {}
        // A bare secret says nothing of the body, so only the secret can be tampered with.
        bare if bare.is_bare() => {
            let title = "Sent by somebody who does not know all of the secret";
            refuse("tampered", title, &good, &guesser, NOW, "bad_signature");
        }
        Scheme::Jwt => {
            refuse("tampered", "Changed on the way", &changed, &signer, NOW, "wrong_claim");
        }
        _ => refuse("tampered", "Changed on the way", &changed, &signer, NOW, "bad_signature"),
    }
    if answers.scheme != Scheme::None {
        let title = "Signed with another secret";
        refuse("wrong_secret", title, &good, &stranger, NOW, "bad_signature");
    }
    if answers.scheme.has_timestamp() {
        refuse("stale", "Sent again an hour later", &good, &signer, LATER, "stale");
    }
    for delivery in refused {
        samples.push((delivery.case.to_owned(), with.write(&delivery, trigger, values)?));
    }
    if answers.registers {
        let mut values = for_trigger(values, trigger);
        values.set("secret", yaml(&with.secret));
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

fn accepted<'a>(answers: &Answers, trigger: &'a Trigger, signer: &'a Signer) -> Delivery<'a> {
    let event = json!({
        "type": format!("{}.{}", answers.slug, trigger.event_type),
        "id": "evt_1",
        "occurred_at": "2026-11-24T09:59:58Z",
        "data": { "id": "obj_1" },
    });
    let expect = json!({ "events": [event] });
    // Both bodies are written by `write`, where none is given.
    Delivery {
        case: "accepted",
        title: &trigger.title,
        signed: "",
        body: "",
        signer,
        now: NOW,
        expect,
    }
}

fn body(trigger: &Trigger, id: &str) -> String {
    let kind = &trigger.event_type;
    format!(
        r#"{{"id":"evt_1","type":"{kind}","created_at":"2026-11-24T09:59:58Z","data":{{"id":"{id}"}}}}"#
    )
}

impl Samples<'_> {
    fn write(
        &self,
        delivery: &Delivery<'_>,
        trigger: &Trigger,
        values: &Values,
    ) -> anyhow::Result<String> {
        let usual = body(trigger, "obj_1");
        let or_usual =
            |text: &'_ str| if text.is_empty() { usual.clone() } else { text.to_owned() };
        let signed = Signed {
            body: &or_usual(delivery.signed),
            scheme: self.answers.scheme,
            header: &self.answers.header,
            prefix: self.prefix,
            encoding: self.encoding,
        };
        let headers = delivery.signer.sign(self.app, &signed)?.into_iter();
        let headers = headers
            .map(|(name, value)| format!("    {}: {}", name.to_lowercase(), Value::from(value)));
        let mut values = for_trigger(values, trigger);
        values.set("secret", yaml(&self.secret));
        values.set("case", delivery.case);
        values.set("title", yaml(delivery.title));
        values.set("now", delivery.now);
        values.set("body", or_usual(delivery.body));
        values.set("headers", headers.collect::<Vec<_>>().join("\n"));
        let expect = hearken_engine::to_yaml(&json!({ "expect": delivery.expect }));
        values.set("expect", expect.trim_end());
        Ok(values.fill(include_str!("templates/delivery.yaml")))
    }
}
