//! The walk of one webhook: account linked, trigger created, delivery signed by GitHub's own
//! library, event read and marked processed; and what is turned away.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{database::Database, on_both_databases, server::Server, simulator::Simulator};

on_both_databases!(
    a_signed_delivery_becomes_an_event,
    forged_deliveries_leave_a_receipt_and_no_event,
    one_delivery_sent_fifty_times_is_one_event,
    two_triggers_on_one_repository_each_get_theirs,
    a_merge_is_not_a_close,
    filters_say_why_they_dropped,
    a_paused_trigger_stores_nothing,
);

async fn ready(database: &Database, trigger: &str) -> (Simulator, Server, Value) {
    let simulator = Simulator::start().await;
    let server = Server::start(database, &simulator.settings()).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server.create_trigger(&account, trigger).await;
    (simulator, server, trigger)
}

async fn events(server: &Server, trigger: &Value) -> Vec<Value> {
    server.all(&format!("/v1/triggers/{}/events", trigger["id"].as_str().unwrap())).await
}

async fn a_signed_delivery_becomes_an_event(database: &Database) {
    let (simulator, server, trigger) = ready(database, "GITHUB__PUSH").await;
    assert_eq!(trigger["status"], "active");
    let hooks = simulator.hooks().await;
    assert_eq!(hooks.len(), 1);
    let sent = simulator
        .control("deliver", json!({ "hook_id": hooks[0]["id"], "event": "push", "example": { "event": "push", "index": 0 } }))
        .await;
    assert_eq!(sent[0]["status"], 202, "{sent}");

    let stored = events(&server, &trigger).await;
    assert_eq!(stored.len(), 1);
    let event = &stored[0];
    assert_eq!(event["type"], "github.push");
    assert_eq!(event["status"], "pending");
    assert_eq!(event["external_event_id"], sent[0]["delivery"]);
    let id = event["id"].as_str().unwrap();
    let whole = server.get(&format!("/v1/trigger-events/{id}")).await;
    assert!(whole["data"]["repository"]["full_name"].is_string(), "{whole}");

    for _ in 0..2 {
        let (status, processed) =
            server.call(Method::DELETE, &format!("/v1/trigger-events/{id}"), None).await;
        assert_eq!((status.as_u16(), &processed["status"]), (200, &json!("processed")));
    }
    assert_eq!(server.all("/v1/trigger-events?status=pending").await.len(), 0);
    assert_eq!(server.all("/v1/triggers/events/all?status=processed").await.len(), 1);
    let health =
        server.get(&format!("/v1/triggers/{}/health", trigger["id"].as_str().unwrap())).await;
    assert!(health["last_proof_at"].is_string(), "{health}");
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn forged_deliveries_leave_a_receipt_and_no_event(database: &Database) {
    let (simulator, server, trigger) = ready(database, "GITHUB__PUSH").await;
    let hook = simulator.hooks().await[0]["id"].clone();
    let forgeries = [
        ("body", "bad_signature"),
        ("signature", "bad_signature"),
        ("wrong_secret", "bad_signature"),
        ("truncate", "malformed_signature"),
        ("missing", "missing_signature"),
        ("double", "duplicate_signature"),
        ("sha1_only", "missing_signature"),
    ];
    for (tamper, code) in forgeries {
        let sent = simulator
            .control("deliver", json!({ "hook_id": hook, "event": "push", "example": { "event": "push", "index": 0 }, "tamper": tamper }))
            .await;
        assert_eq!(sent[0]["status"], 401, "{tamper}: {sent}");
        let body = &sent[0]["body"];
        let problem =
            body.as_str().map_or_else(|| body.clone(), |text| serde_json::from_str(text).unwrap());
        assert_eq!(problem["code"], code, "{tamper}: {problem}");
        let receipts = server.all("/v1/receipts?outcome=rejected").await;
        assert_eq!(receipts[0]["reason"], code, "{tamper}");
        assert_eq!(receipts[0]["answered"], 401, "{tamper}");
    }
    assert_eq!(server.all("/v1/receipts?outcome=rejected").await.len(), forgeries.len());
    assert_eq!(events(&server, &trigger).await, Vec::<Value>::new());
}

async fn one_delivery_sent_fifty_times_is_one_event(database: &Database) {
    let (simulator, server, trigger) = ready(database, "GITHUB__PUSH").await;
    let hook = simulator.hooks().await[0]["id"].clone();
    let sent = simulator
        .control(
            "deliver",
            json!({
                "hook_id": hook, "event": "push", "example": { "event": "push", "index": 0 },
                "delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "count": 50, "concurrency": 50,
            }),
        )
        .await;
    let sent = sent.as_array().unwrap();
    assert_eq!(sent.len(), 50);
    assert!(sent.iter().all(|answer| answer["status"] == 202), "{sent:?}");
    assert_eq!(events(&server, &trigger).await.len(), 1);
    let outcome = |name: &str| format!("/v1/receipts?outcome={name}");
    assert_eq!(server.all(&outcome("stored")).await.len(), 1);
    assert_eq!(server.all(&outcome("duplicate")).await.len(), 49);
}

async fn two_triggers_on_one_repository_each_get_theirs(database: &Database) {
    let (simulator, server, push) = ready(database, "GITHUB__PUSH").await;
    let account = push["linked_account_id"].as_str().unwrap().to_owned();
    let star = server.create_trigger(&account, "GITHUB__STAR_ADDED").await;
    let again = server.create_trigger(&account, "GITHUB__PUSH").await;
    let hooks = simulator.hooks().await;
    assert_eq!(hooks.len(), 3);
    for hook in &hooks {
        for (event, example) in [("push", 0), ("star", 0)] {
            let sent = simulator
                .control("deliver", json!({
                    "hook_id": hook["id"], "event": event, "example": { "event": event, "index": example },
                    "delivery": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
                }))
                .await;
            assert_eq!(sent[0]["status"], 202, "{sent}");
        }
    }
    for (trigger, kind) in
        [(&push, "github.push"), (&again, "github.push"), (&star, "github.star.added")]
    {
        let stored = events(&server, trigger).await;
        assert_eq!(stored.len(), 1, "{kind}");
        assert_eq!(stored[0]["type"], kind);
    }
}

async fn a_merge_is_not_a_close(database: &Database) {
    let (simulator, server, trigger) = ready(database, "GITHUB__PULL_REQUEST_MERGED").await;
    let hook = simulator.hooks().await[0]["id"].clone();
    let repository = json!({ "full_name": "octocat/hello-world" });
    for merged in [false, true] {
        let payload = json!({
            "action": "closed", "number": 1, "repository": repository,
            "pull_request": { "number": 1, "merged": merged, "merged_at": if merged { json!("2026-11-24T10:00:00Z") } else { Value::Null } },
        });
        let sent = simulator
            .control(
                "deliver",
                json!({ "hook_id": hook, "event": "pull_request", "payload": payload }),
            )
            .await;
        assert_eq!(sent[0]["status"], 202, "{sent}");
    }
    let stored = events(&server, &trigger).await;
    assert_eq!(stored.len(), 1);
    let id = stored[0]["id"].as_str().unwrap();
    let event = server.get(&format!("/v1/trigger-events/{id}")).await;
    assert_eq!(event["data"]["pull_request"]["merged"], true);
}

async fn filters_say_why_they_dropped(database: &Database) {
    let simulator = Simulator::start().await;
    let server = Server::start(database, &simulator.settings()).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server
        .post(
            "/v1/triggers",
            json!({
                "trigger": "GITHUB__PUSH", "linked_account_id": account,
                "config": { "owner": "octocat", "repo": "hello-world" },
                "filter": { "all": [
                    { "path": "$.ref", "equals": "refs/heads/main" },
                    { "path": "$.commits[*].author.name", "regex": "^Mona" },
                ] },
            }),
        )
        .await;
    let hook = simulator.hooks().await[0]["id"].clone();
    for (branch, author) in [("main", "Mona Lisa"), ("main", "Leonardo"), ("dev", "Mona Lisa")] {
        let payload = json!({ "ref": format!("refs/heads/{branch}"), "commits": [{ "author": { "name": author } }] });
        simulator
            .control("deliver", json!({ "hook_id": hook, "event": "push", "payload": payload }))
            .await;
    }
    assert_eq!(events(&server, &trigger).await.len(), 1);
    let filtered = server.all("/v1/receipts?outcome=filtered").await;
    assert_eq!(filtered.len(), 2);
    let id = filtered[0]["id"].as_str().unwrap();
    let clause = server.get(&format!("/v1/receipts/{id}")).await["detail"]["filtered"][0]["verdict"]["clause"].clone();
    assert_eq!(clause["pointer"], "/all/0");
    assert_eq!(clause["operator"], "equals");
    assert_eq!(clause["expected"], "refs/heads/main");
    assert!(clause["actual"].to_string().contains("refs/heads/dev"), "{clause}");
}

async fn a_paused_trigger_stores_nothing(database: &Database) {
    let (simulator, server, trigger) = ready(database, "GITHUB__PUSH").await;
    let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
    let hook = simulator.hooks().await[0]["id"].clone();
    let delivery =
        json!({ "hook_id": hook, "event": "push", "example": { "event": "push", "index": 0 } });
    for (status, expected) in [("paused", 0), ("active", 1)] {
        let (code, patched) =
            server.call(Method::PATCH, &path, Some(&json!({ "status": status }))).await;
        assert_eq!((code.as_u16(), &patched["status"]), (200, &json!(status)), "{patched}");
        let sent = simulator.control("deliver", delivery.clone()).await;
        assert_eq!(sent[0]["status"], 202, "{sent}");
        assert_eq!(events(&server, &trigger).await.len(), expected, "while {status}");
    }
}
