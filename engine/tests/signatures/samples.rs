//! Samples whose keys are fetched: what is asked for stands in the sample, and is answered by it.

use std::fs;

use hearken_engine::sample::{self, Report};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Vector, vectors};

const DEFINITION: &str = r"title: Keyed
category: testing
description: Tokens signed with a published key.
docs: https://keyed.example
facts: { grade: R1, checked: '2026-11-24', sources: [https://keyed.example] }
hosts: [keys.acme.example]
auth: [{ kind: none, title: Nothing }]
triggers:
  - name: CALLED
    type: called
    title: Called
    description: Whatever comes.
    match: {}
    config: { type: object }
    payload: {}
";

fn run(vector: &Vector, changes: &[(&str, Value)]) -> Report {
    let root = TempDir::new().unwrap();
    let folder = root.path().join("keyed");
    fs::create_dir_all(folder.join("samples")).unwrap();
    fs::write(folder.join("app.yaml"), DEFINITION).unwrap();
    // JSON is an object literal of the script's language but for the brace.
    let signature = vector.description().to_string().replace('{', "#{").replace("#{url}", "{url}");
    let signature = signature.replace("#{fact", "{fact");
    fs::write(folder.join("connector.rhai"), format!("fn signature() {{ {signature} }}")).unwrap();
    let (url, document) = vector.document();
    let mut case = json!({
        "case": "accepted",
        "title": "A token whose key is fetched",
        "trigger": "CALLED",
        "now": "2026-02-02T02:40:00Z",
        "url": "https://hearken.example/v1/webhooks/acme/trg_1",
        "account": { "kind": "none", "metadata": { "sender": "push@acme.example" } },
        "request": {
            "headers": {
                "content-type": "application/json",
                "authorization": vector.request.headers["Authorization"],
            },
            "body": "{\"id\":1}",
        },
        "http": [{
            "request": { "method": "GET", "url": url },
            "response": { "status": 200, "text": document },
        }],
        "expect": { "events": [{
            "type": "keyed.called",
            "id": "sha256:037c9214eef74cc3887f3a4f085b4e17d76280dafd273b0ee160c09c4ba1cfd4",
        }] },
    });
    for (member, value) in changes {
        case[*member] = value.clone();
    }
    fs::write(folder.join("samples/a.yaml"), case.to_string()).unwrap();
    sample::run(root.path(), "keyed").unwrap()
}

#[test]
fn a_delivery_is_answered_by_its_exchanges() {
    let vector = vectors().into_iter().find(|vector| vector.id == "jwt-rs256").unwrap();
    let differences = |changes: &[(&str, Value)]| -> Vec<String> {
        let told = &run(&vector, changes).cases[0].differences;
        told.iter().map(ToString::to_string).collect()
    };
    let refused = |code: &str| ("expect", json!({ "rejected": code }));
    let another = ("case", json!("ignored"));
    assert_eq!(differences(&[]), [] as [String; 0]);
    let told = differences(&[("http", json!([])), another.clone(), refused("key_unavailable")]);
    assert_eq!(told.len(), 1, "what is asked for must be in the sample: {told:?}");
    assert!(told[0].contains("found GET https://keys.acme.example/jwks.json"), "{told:?}");
    let unavailable = json!([{
        "request": { "method": "GET", "url": "https://keys.acme.example/jwks.json" },
        "response": { "status": 500 },
    }]);
    let changes = [("http", unavailable), another.clone(), refused("key_unavailable")];
    assert_eq!(differences(&changes), [] as [String; 0]);
    let elsewhere = json!({ "kind": "none", "metadata": { "sender": "other@acme.example" } });
    let changes = [("account", elsewhere), another, refused("wrong_claim")];
    assert_eq!(differences(&changes), [] as [String; 0]);
}
