//! Consumers over HTTP: events pulled as from a queue, settled, and handed out again.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support::{
    database::Database, eventually, on_both_databases, server::Server, simulator::Simulator,
};

on_both_databases!(
    a_waiting_pull_is_answered_when_something_comes,
    what_is_not_acknowledged_comes_again,
    another_project_sees_nothing,
    bad_requests_are_told_what_is_wrong,
    a_stopping_server_lets_nobody_wait,
);

pub(crate) struct Setting {
    pub(crate) simulator: Simulator,
    pub(crate) server: Server,
    pub(crate) trigger: Value,
}

pub(crate) async fn ready(database: &Database) -> Setting {
    let simulator = Simulator::start().await;
    let server = Server::start(database, &simulator.settings()).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    Setting { simulator, server, trigger }
}

impl Setting {
    /// Has the simulator deliver so many pushes.
    pub(crate) async fn push(&self, count: usize) {
        let hook = self.simulator.hooks().await[0]["id"].clone();
        let example = json!({ "event": "push", "index": 0 });
        for _ in 0..count {
            let delivery = json!({ "hook_id": hook, "event": "push", "example": example });
            let sent = self.simulator.control("deliver", delivery).await;
            assert_eq!(sent[0]["status"], 202, "{sent}");
        }
    }

    async fn pull(&self, body: Value) -> Vec<Value> {
        let answer = self.server.post("/v1/trigger-events/pull", body).await;
        answer["data"].as_array().unwrap().clone()
    }

    /// Says of deliveries what `path` stands for; returns what came of each.
    async fn settle(&self, path: &str, taken: &[Value]) -> Vec<String> {
        let deliveries: Vec<&Value> = taken.iter().map(|one| &one["delivery"]).collect();
        let body = json!({ "deliveries": deliveries });
        let answer = self.server.post(&format!("/v1/trigger-events/{path}"), body).await;
        let results = answer["data"].as_array().unwrap().iter();
        results.map(|one| one["result"].as_str().unwrap().to_owned()).collect()
    }
}

async fn a_waiting_pull_is_answered_when_something_comes(database: &Database) {
    let setting = ready(database).await;
    let waiting = setting.pull(json!({ "consumer": "c", "wait_seconds": 60 }));
    let (taken, ()) = tokio::join!(waiting, setting.push(1));
    assert_eq!(taken.len(), 1);
    let event = &taken[0]["event"];
    assert_eq!(event["type"], "github.push");
    assert!(event["data"]["repository"]["full_name"].is_string(), "the whole event: {event}");
    assert_eq!(taken[0]["attempt"], 1);
    assert_eq!(setting.settle("ack", &taken).await, ["ok"]);
    assert_eq!(setting.settle("ack", &taken).await, ["lost"]);

    let consumer = setting.server.get("/v1/consumers/c").await;
    assert_eq!(consumer["unacknowledged"], 0);
    assert!(consumer["position"].as_str().unwrap().starts_with("pos_"));
    let other = json!({ "consumer": "other", "types": ["github.*"], "wait_seconds": 60 });
    assert_eq!(setting.pull(other).await[0]["event"]["id"], event["id"], "it has one of its own");
    let names: Vec<Value> = setting.server.get("/v1/consumers").await["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|consumer| consumer["name"].clone())
        .collect();
    assert_eq!(names, ["c", "other"]);
}

async fn what_is_not_acknowledged_comes_again(database: &Database) {
    let setting = ready(database).await;
    setting.push(2).await;
    let pull = json!({ "consumer": "c", "max": 1, "wait_seconds": 60, "lease_seconds": 3600 });
    let first = setting.pull(pull.clone()).await;
    let second = setting.pull(pull.clone()).await;
    assert_ne!(first[0]["event"]["id"], second[0]["event"]["id"]);
    assert_eq!(setting.settle("extend", &second).await, ["ok"]);

    execute(database, "UPDATE consumer_items SET due_at = 1 WHERE attempts = 1").await;
    let again = setting.pull(pull.clone()).await;
    assert_eq!(again[0]["attempt"], 2, "its lease is over");
    assert_eq!(setting.settle("nack", &again).await, ["ok"]);
    assert_eq!(setting.settle("ack", &again).await, ["lost"]);
    let all = json!({ "consumer": "c", "max": 100, "max_attempts": 2 });
    let rest = setting.pull(all.clone()).await;
    assert_eq!((rest.len(), rest[0]["attempt"].as_i64()), (1, Some(2)), "the other is put aside");
    assert_eq!(setting.settle("ack", &first).await, ["lost"]);

    let letters = setting.server.all("/v1/consumers/c/dead-letters").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["event"]["id"], again[0]["event"]["id"]);
    let redrive = "/v1/consumers/c/dead-letters/redrive";
    let events = json!({ "events": [letters[0]["event"]["id"]] });
    assert_eq!(setting.server.post(redrive, events).await["redriven"], 1);
    assert_eq!(setting.pull(all.clone()).await[0]["attempt"], 1);

    let sought = setting.server.post("/v1/consumers/c/seek", json!({ "to": "beginning" })).await;
    assert_eq!(sought["unacknowledged"], 0);
    let found = setting.pull(all).await;
    assert_eq!(found.len(), 2);
    assert_eq!(setting.settle("ack", &found).await, ["ok", "ok"]);
}

async fn another_project_sees_nothing(database: &Database) {
    let setting = ready(database).await;
    let server = &setting.server;
    setting.push(1).await;
    let taken = setting.pull(json!({ "consumer": "c", "wait_seconds": 60 })).await;
    let project = server.post("/v1/projects", json!({ "name": "other" })).await;
    let key = json!({ "name": "other's", "project_id": project["id"] });
    let key = server.post("/v1/api-keys", key).await["key"].as_str().unwrap().to_owned();

    let ask = async |method: Method, path: &str, body: Value| {
        server.call_as(&key, method, path, Some(&body)).await
    };
    let (_, listed) = ask(Method::GET, "/v1/consumers", Value::Null).await;
    assert_eq!(listed["data"], json!([]));
    for (method, path, body) in [
        (Method::GET, "/v1/consumers/c", Value::Null),
        (Method::DELETE, "/v1/consumers/c", Value::Null),
        (Method::GET, "/v1/consumers/c/dead-letters", Value::Null),
        (Method::POST, "/v1/consumers/c/dead-letters/redrive", json!({})),
        (Method::POST, "/v1/consumers/c/seek", json!({ "to": "now" })),
    ] {
        let (status, answer) = ask(method, path, body).await;
        assert_eq!((status.as_u16(), &answer["code"]), (404, &json!("not_found")), "{path}");
    }
    let delivery = json!({ "deliveries": [taken[0]["delivery"]] });
    for path in ["ack", "nack", "extend"] {
        let path = format!("/v1/trigger-events/{path}");
        let (_, answer) = ask(Method::POST, &path, delivery.clone()).await;
        assert_eq!(answer["data"][0]["result"], "lost", "{path}");
    }
    let own = json!({ "consumer": "c" });
    let (status, answer) = ask(Method::POST, "/v1/trigger-events/pull", own).await;
    assert_eq!((status.as_u16(), &answer["data"]), (200, &json!([])));
    let foreign = json!({ "consumer": "d", "from": taken[0]["event"]["id"] });
    let (status, _) = ask(Method::POST, "/v1/trigger-events/pull", foreign).await;
    assert_eq!(status, 422, "another's event is not there");
    assert_eq!(setting.settle("ack", &taken).await, ["ok"], "nobody took it away");
}

async fn bad_requests_are_told_what_is_wrong(database: &Database) {
    let setting = ready(database).await;
    let server = &setting.server;
    setting.pull(json!({ "consumer": "c", "types": ["a.*"] })).await;
    let pull = "/v1/trigger-events/pull";
    for (path, body, field) in [
        (pull, json!({}), "/consumer"),
        (pull, json!({ "consumer": "" }), "/consumer"),
        (pull, json!({ "consumer": "a b" }), "/consumer"),
        (pull, json!({ "consumer": "a", "max": 0 }), "/max"),
        (pull, json!({ "consumer": "a", "max": -1 }), "/max"),
        (pull, json!({ "consumer": "a", "wait_seconds": 61 }), "/wait_seconds"),
        (pull, json!({ "consumer": "a", "lease_seconds": 0 }), "/lease_seconds"),
        (pull, json!({ "consumer": "a", "max_attempts": 0 }), "/max_attempts"),
        (pull, json!({ "consumer": "a", "triggers": ["x"] }), "/triggers/0"),
        (pull, json!({ "consumer": "a", "types": ["a*b"] }), "/types/0"),
        (pull, json!({ "consumer": "a", "from": "yesterday" }), "/from"),
        (pull, json!({ "consumer": "a", "wait": 1 }), "/wait"),
        ("/v1/trigger-events/ack", json!({ "deliveries": [] }), "/deliveries"),
        ("/v1/trigger-events/ack", json!({ "deliveries": ["' OR 1"] }), "/deliveries/0"),
        ("/v1/consumers/c/seek", json!({ "to": "evt_1" }), "/to"),
        ("/v1/consumers/c/dead-letters/redrive", json!({ "events": [] }), "/events"),
    ] {
        let (status, problem) = server.call(Method::POST, path, Some(&body)).await;
        assert_eq!(status, 422, "{body}: {problem}");
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    let other = json!({ "consumer": "c", "types": ["b.*"] });
    let (status, problem) = server.call(Method::POST, pull, Some(&other)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("conflict")), "{problem}");
}

async fn a_stopping_server_lets_nobody_wait(database: &Database) {
    let Setting { simulator, server, trigger } = ready(database).await;
    assert!(trigger["id"].is_string());
    let url = format!("{}/v1/trigger-events/pull", server.url);
    let waiting = tokio::spawn(async move {
        let request = crate::support::server::client().post(url);
        let request = request.bearer_auth(crate::support::server::ROOT_KEY);
        let body = json!({ "consumer": "c", "wait_seconds": 60 });
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    });
    eventually("the consumer is there", async || {
        let (status, _) = server.call(Method::GET, "/v1/consumers/c", None).await;
        status.is_success().then_some(())
    })
    .await;
    assert!(server.stop().await.success());
    let (status, answer) = waiting.await.unwrap();
    assert_eq!((status, &answer["data"]), (200, &json!([])));
    drop(simulator);
}

/// Runs SQL past the server.
async fn execute(database: &Database, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    if database.url().starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(database.url()).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
    } else {
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
    }
}
