//! A bad script harms nobody but its own app, and loses nothing that was genuine.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    database::fresh,
    eventually, github_signature,
    server::{Server, client},
};

const DEFINITION: &str = r"title: Local
category: testing
description: A script for a test.
docs: https://local.example
facts: { grade: R1, checked: '2026-11-24', sources: [https://local.example] }
auth: [{ kind: none, title: Nothing }]
secret: { generate: { bytes: 32, encoding: hex } }
triggers:
  - name: CALLED
    type: called
    title: Called
    description: Whatever comes.
    match: {}
    config: { type: object }
    payload: {}
";

fn write_app(apps: &Path, slug: &str, events: &str) {
    let folder = apps.join(slug);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("app.yaml"), DEFINITION).unwrap();
    let signature =
        r#"fn signature() { #{ kind: "hmac", header: "X-Signature", prefix: "sha256=" } }"#;
    fs::write(folder.join("connector.rhai"), format!("{signature}\n{events}\n")).unwrap();
}

struct Hook {
    url: String,
    secret: String,
}

async fn hook(server: &Server, name: &str) -> Hook {
    let trigger = server.post("/v1/triggers", json!({ "trigger": name })).await;
    let text = |field: &str| trigger[field].as_str().unwrap().to_owned();
    Hook { url: text("webhook_url"), secret: text("verification_secret") }
}

/// Sends one genuine delivery and tells what became of it.
async fn deliver(server: &Server, hook: &Hook, body: &Value) -> Value {
    let body = body.to_string().into_bytes();
    let answer = client()
        .post(&hook.url)
        .header("X-Signature", github_signature(&hook.secret, &body))
        .header("Content-Type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 202);
    let receipt = answer.json::<Value>().await.unwrap()["receipt"].as_str().unwrap().to_owned();
    server.get(&format!("/v1/receipts/{receipt}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_script_is_switched_off_until_it_is_mended() {
    let apps = TempDir::new().unwrap();
    write_app(apps.path(), "good", "fn events(request, trigger) { #{ data: request.body } }");
    write_app(apps.path(), "endless", "fn events(request, trigger) { loop {} }");
    let database = fresh("sqlite").await;
    let server =
        Server::start(&database, &[("HEARKEN_APPS_DIR", apps.path().to_str().unwrap())]).await;
    let (good, endless) =
        (hook(&server, "GOOD__CALLED").await, hook(&server, "ENDLESS__CALLED").await);
    for number in 0..6 {
        let receipt = deliver(&server, &endless, &json!({ "number": number })).await;
        assert_eq!(receipt["outcome"], "failed");
        assert_eq!(receipt["body"], json!({ "number": number }).to_string(), "the request is kept");
        let switched_off = receipt["reason"].as_str().unwrap().contains("switched off");
        assert_eq!(switched_off, number >= 3, "{receipt}");
        let receipt = deliver(&server, &good, &json!({ "number": number })).await;
        assert_eq!(receipt["outcome"], "stored", "the other app is untouched");
    }
    write_app(apps.path(), "endless", "fn events(request, trigger) { #{ data: request.body } }");
    let mut number = 100;
    eventually("the mended script runs", async || {
        number += 1;
        let receipt = deliver(&server, &endless, &json!({ "number": number })).await;
        (receipt["outcome"] == "stored").then_some(())
    })
    .await;
}
