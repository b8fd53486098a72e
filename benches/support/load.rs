//! A load of signed deliveries, and an app that takes them and needs no provider.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::server::{KEY, client};

/// Where deliveries go, and what signs them.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) secret: String,
}

/// What one round measured.
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Creates a trigger of an app made by [`write_app`].
pub(crate) async fn trigger(server: &str, name: &str) -> Target {
    let request = client().post(format!("{server}/v1/triggers")).bearer_auth(KEY);
    let answer = request.json(&json!({ "trigger": name })).send().await.unwrap();
    let trigger: Value = answer.json().await.unwrap();
    let text =
        |field: &str| trigger[field].as_str().unwrap_or_else(|| panic!("{trigger}")).to_owned();
    Target { url: text("webhook_url"), secret: text("verification_secret") }
}

/// An app whose secret is copied by hand, so that no provider takes part in the measurement.
pub(crate) fn write_app(folder: &Path, slug: &str, events: &str) {
    let app = folder.join("apps").join(slug);
    fs::create_dir_all(&app).unwrap();
    let definition = json!({
        "title": slug, "category": "testing", "description": "Receives what the bench sends.",
        "docs": "https://bench.example",
        "facts": { "grade": "R1", "checked": "2026-11-24", "sources": ["https://bench.example"] },
        "auth": [{ "kind": "none", "title": "Nothing" }],
        "secret": { "scope": "trigger", "generate": { "bytes": 32, "encoding": "hex" } },
        "triggers": [{
            "name": "PUSH", "type": "push", "title": "Push", "description": "Whatever comes.",
            "match": {}, "config": { "type": "object" }, "payload": { "type": "object" },
        }],
    });
    // JSON is YAML.
    fs::write(app.join("app.yaml"), definition.to_string()).unwrap();
    let signature = r#"fn signature() { #{ kind: "hmac", header: "X-Signature" } }"#;
    fs::write(app.join("connector.rhai"), format!("{signature}\n{events}\n")).unwrap();
}

/// Sends signed deliveries of about 2 KB over so many connections for so long.
pub(crate) async fn load(target: &Target, connections: usize, span: Duration) -> Round {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let started = Instant::now();
    let until = started + span;
    let senders = (0..connections).map(|_| {
        let target = target.clone();
        tokio::spawn(async move {
            let client = client();
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let body = body(number);
                let request = client
                    .post(&target.url)
                    .header("X-Signature", sign(&target.secret, &body))
                    .header("X-Delivery", format!("delivery-{number}"))
                    .header("Content-Type", "application/json")
                    .body(body);
                let sent = Instant::now();
                let answer = request.send().await.unwrap();
                assert!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await.unwrap();
                latencies.push(sent.elapsed());
            }
            latencies
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut latencies = Vec::new();
    for sender in senders {
        latencies.extend(sender.await.unwrap());
    }
    let elapsed = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = latencies.len() as f64 / elapsed;
    Round { per_second, p50: at(50), p99: at(99) }
}

/// The median of one figure over several rounds.
pub(crate) fn median(rounds: &[Round], figure: fn(&Round) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A payload of about 2 KB, as a push with a few commits has.
fn body(number: u64) -> Vec<u8> {
    let commit = |n: u64| json!({ "id": n, "message": "Make it work ".repeat(20), "author": { "name": "Mona" } });
    serde_json::to_vec(&json!({
        "ref": "refs/heads/main", "number": number,
        "commits": (0..6).map(commit).collect::<Vec<Value>>(),
    }))
    .unwrap()
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}
