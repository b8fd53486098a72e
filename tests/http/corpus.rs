//! Every example payload GitHub's library publishes, signed by GitHub's library: the eight event
//! kinds give exactly the events they should, all others give none, nothing gives a 5xx.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{database::Database, on_both_databases, server::Server, simulator::Simulator};

on_both_databases!(every_published_example);

const TRIGGERS: [&str; 8] = [
    "PUSH",
    "PULL_REQUEST_OPENED",
    "PULL_REQUEST_MERGED",
    "ISSUE_OPENED",
    "ISSUE_CLOSED",
    "STAR_ADDED",
    "RELEASE_PUBLISHED",
    "WORKFLOW_RUN_COMPLETED",
];

/// What GitHub's documentation says each trigger is about, told here a second time.
fn is_about(trigger: &str, example: &Value) -> bool {
    let is = |event: &str, action: &str| example["event"] == event && example["action"] == action;
    match trigger {
        "PUSH" => example["event"] == "push",
        "PULL_REQUEST_OPENED" => is("pull_request", "opened"),
        "PULL_REQUEST_MERGED" => is("pull_request", "closed") && example["merged"] == true,
        "ISSUE_OPENED" => is("issues", "opened"),
        "ISSUE_CLOSED" => is("issues", "closed"),
        "STAR_ADDED" => is("star", "created"),
        "RELEASE_PUBLISHED" => is("release", "published"),
        "WORKFLOW_RUN_COMPLETED" => is("workflow_run", "completed"),
        _ => unreachable!("a trigger without a rule here: {trigger}"),
    }
}

async fn every_published_example(database: &Database) {
    let simulator = Simulator::start().await;
    let server = Server::start(database, &simulator.settings()).await;
    let account = server.link_account("ghp_valid").await;
    let mut matched = BTreeMap::new();
    for name in TRIGGERS {
        let trigger = server.create_trigger(&account, &format!("GITHUB__{name}")).await;
        let url = trigger["webhook_url"].as_str().unwrap();
        let hooks = simulator.hooks().await;
        let hook = hooks.iter().find(|hook| hook["url"] == url).expect("the hook has our URL");
        let sent =
            simulator.control("corpus", json!({ "url": url, "secret": hook["secret"] })).await;
        let sent = sent.as_array().unwrap();
        assert!(sent.len() > 200, "the corpus has {} examples", sent.len());
        for answer in sent {
            let status = answer["status"].as_u64().unwrap();
            assert!((200..300).contains(&status), "{name}: {answer}");
        }
        let mut expected: Vec<&str> = sent
            .iter()
            .filter(|example| is_about(name, example))
            .map(|example| example["delivery"].as_str().unwrap())
            .collect();
        let path = format!("/v1/triggers/{}/events", trigger["id"].as_str().unwrap());
        let stored = server.all(&path).await;
        let mut found: Vec<&str> =
            stored.iter().map(|event| event["external_event_id"].as_str().unwrap()).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{name}");
        matched.insert(name, expected.len());
    }
    // The corpus itself is the witness that the test is not empty.
    assert_eq!(matched["PUSH"], 7);
    assert_eq!(matched["PULL_REQUEST_OPENED"], 4);
    assert_eq!(matched["ISSUE_OPENED"], 4);
    assert_eq!(matched["WORKFLOW_RUN_COMPLETED"], 3);
}
