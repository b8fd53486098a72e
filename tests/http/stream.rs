//! The stream of events: in order, resumed without loss or repetition, and known to be alive.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    pull::{Setting, ready},
    support::{
        database::Database,
        on_both_databases,
        server::{ROOT_KEY, Server, client},
        simulator::Simulator,
    },
};

on_both_databases!(
    events_come_in_order_and_a_broken_stream_goes_on,
    a_quiet_stream_shows_that_it_lives,
    a_stream_has_what_it_was_asked_for,
);

/// A reader of server-sent events.
struct Reader {
    answer: Response,
    text: String,
}

impl Reader {
    async fn open(server: &Server, key: &str, query: &str, last: Option<&str>) -> Self {
        let url = format!("{}/v1/trigger-events/stream{query}", server.url);
        let mut request = client().get(url).bearer_auth(key);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// The next block, without the empty line at its end; none once the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = self.answer.chunk().await.unwrap()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The position and the content of the next event.
    async fn event(&mut self) -> (String, Value) {
        loop {
            let block = self.block().await.unwrap();
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
            };
            if let Some(data) = field("data: ") {
                let event: Value = serde_json::from_str(&data).unwrap();
                assert_eq!(field("event: ").unwrap(), event["type"]);
                return (field("id: ").unwrap(), event);
            }
        }
    }
}

/// Ids of all events, oldest first.
async fn stored(server: &Server) -> Vec<Value> {
    let mut all: Vec<Value> =
        server.all("/v1/trigger-events").await.iter().map(|event| event["id"].clone()).collect();
    all.reverse();
    all
}

async fn events_come_in_order_and_a_broken_stream_goes_on(database: &Database) {
    let setting = ready(database).await;
    let server = &setting.server;
    let mut reader = Reader::open(server, ROOT_KEY, "", None).await;
    setting.push(3).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(reader.event().await);
    }
    drop(reader);
    setting.push(2).await;
    let last = seen[1].0.clone();
    let mut reader = Reader::open(server, ROOT_KEY, "?from=beginning", Some(&last)).await;
    for _ in 0..3 {
        seen.push(reader.event().await);
    }
    let ids: Vec<Value> = seen.iter().map(|(_, event)| event["id"].clone()).collect();
    assert_eq!(ids, stored(server).await);
    assert!(seen[0].1["data"]["repository"].is_object(), "whole events: {}", seen[0].1);

    let mut reader = Reader::open(server, ROOT_KEY, &format!("?after={last}"), None).await;
    assert_eq!(reader.event().await, seen[2]);
    let from = format!("?from={}", ids[3].as_str().unwrap());
    assert_eq!(Reader::open(server, ROOT_KEY, &from, None).await.event().await, seen[3]);
}

async fn a_quiet_stream_shows_that_it_lives(database: &Database) {
    let simulator = Simulator::start().await;
    let [api, egress] = simulator.settings();
    let settings = [api, egress, ("HEARKEN_LIMITS__HEARTBEAT_SECONDS", "1")];
    let server = Server::start(database, &settings).await;
    let key = server.post("/v1/api-keys", json!({ "name": "reader" })).await;
    let mut revoked = Reader::open(&server, key["key"].as_str().unwrap(), "", None).await;
    let mut reader = Reader::open(&server, ROOT_KEY, "", None).await;
    assert!(reader.block().await.unwrap().starts_with("id: pos_"), "where it begins");
    for _ in 0..2 {
        assert_eq!(reader.block().await.unwrap(), ": heartbeat");
    }
    let path = format!("/v1/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(server.call(Method::DELETE, &path, None).await.0, 204);
    while revoked.block().await.is_some() {}
    assert!(server.stop().await.success());
    while reader.block().await.is_some() {}
}

async fn a_stream_has_what_it_was_asked_for(database: &Database) {
    let setting = ready(database).await;
    let Setting { server, trigger, .. } = &setting;
    setting.push(1).await;
    let id = trigger["id"].as_str().unwrap();
    let other = id.replace("trg_", "trg_0").chars().take(id.len()).collect::<String>();
    let query = format!("?from=beginning&triggers={other},{id}&types=acme.*,github.pu*");
    let (_, event) = Reader::open(server, ROOT_KEY, &query, None).await.event().await;
    assert_eq!(event["trigger_id"], id);

    let project = server.post("/v1/projects", json!({ "name": "other" })).await;
    let key = json!({ "name": "other's", "project_id": project["id"] });
    let key = server.post("/v1/api-keys", key).await["key"].as_str().unwrap().to_owned();
    let mut foreign = Reader::open(server, &key, "?from=beginning", None).await;
    for (query, field) in [
        ("after=x", "after"),
        ("from=x", "from"),
        ("from=evt_00000000000000000000000000", "from"),
        ("triggers=x", "triggers"),
        ("types=", "types"),
        ("limit=1", "limit"),
    ] {
        let path = format!("/v1/trigger-events/stream?{query}");
        let (status, problem) = server.call(Method::GET, &path, None).await;
        assert_eq!(status, 400, "{query}: {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    setting.push(1).await;
    assert!(setting.server.stop().await.success());
    let mut blocks = Vec::new();
    while let Some(block) = foreign.block().await {
        blocks.push(block);
    }
    assert!(blocks.iter().all(|block| !block.contains("data:")), "{blocks:?}");
}
