//! Changing triggers while the provider, the client or somebody else gets in between.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    database::Database,
    eventually, on_both_databases,
    server::{ROOT_KEY, Server, client, trigger_request},
    simulator::Simulator,
};

on_both_databases!(
    a_new_configuration_moves_the_subscription,
    a_refused_configuration_leaves_the_old_one,
    a_configuration_whose_answer_was_lost_is_undone,
    a_broken_trigger_says_so_until_it_is_registered_anew,
    a_client_that_hangs_up_leaves_nothing_half_done,
    a_trigger_deleted_while_it_is_registered_leaves_no_hook,
);

async fn start(database: &Database) -> (Simulator, Server, String) {
    let simulator = Simulator::start().await;
    let mut settings = simulator.settings().to_vec();
    settings.push(("HEARKEN_LIMITS__PROVIDER_SECONDS", "2"));
    let server = Server::start(database, &settings).await;
    let account = server.link_account("ghp_valid").await;
    (simulator, server, account)
}

fn path(trigger: &Value) -> String {
    format!("/v1/triggers/{}", trigger["id"].as_str().unwrap())
}

fn elsewhere() -> Value {
    json!({ "config": { "owner": "octocat", "repo": "elsewhere" } })
}

/// The repositories that deliver to the server, as the provider knows them.
async fn subscribed(simulator: &Simulator) -> Vec<String> {
    let hooks = simulator.hooks().await;
    hooks.iter().map(|hook| hook["owner"].as_str().unwrap().to_owned()).collect()
}

async fn fail_next(simulator: &Simulator, method: &str, faults: Value) {
    simulator.control("fault", json!({ "next": faults, "match": method })).await;
}

async fn a_new_configuration_moves_the_subscription(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let pause = json!({ "status": "paused" });
    let (status, paused) = server.call(Method::PATCH, &path(&trigger), Some(&pause)).await;
    assert_eq!((status.as_u16(), &paused["status"]), (200, &json!("paused")));

    let (status, moved) = server.call(Method::PATCH, &path(&trigger), Some(&elsewhere())).await;
    assert_eq!(status, 200, "{moved}");
    assert_eq!(moved["status"], "paused", "a configuration does not resume");
    assert_eq!(moved["config"], elsewhere()["config"]);
    assert_eq!(moved["webhook_url"], trigger["webhook_url"]);
    assert_eq!(subscribed(&simulator).await, ["repos/octocat/elsewhere"]);

    let resume = json!({ "status": "active" });
    let (_, resumed) = server.call(Method::PATCH, &path(&trigger), Some(&resume)).await;
    assert_eq!(resumed["status"], "active");
    let (status, _) = server.call(Method::DELETE, &path(&trigger), None).await;
    assert_eq!(status, 204);
    assert_eq!(subscribed(&simulator).await, [""; 0]);
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn a_refused_configuration_leaves_the_old_one(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let refused = json!([{ "status": 403, "body": { "message": "Forbidden" } }]);
    for (method, words) in [("DELETE", "Nothing was changed"), ("POST", "The old configuration")] {
        fail_next(&simulator, method, refused.clone()).await;
        let (status, answer) =
            server.call(Method::PATCH, &path(&trigger), Some(&elsewhere())).await;
        assert_eq!((status.as_u16(), &answer["code"]), (422, &json!("provider_refused")));
        assert!(answer["detail"].as_str().unwrap().contains(words), "{answer}");
        let found = server.get(&path(&trigger)).await;
        assert_eq!((&found["status"], &found["config"]), (&json!("active"), &trigger["config"]));
        assert_eq!(subscribed(&simulator).await, ["repos/octocat/hello-world"], "{method}");
    }
}

async fn a_configuration_whose_answer_was_lost_is_undone(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    for method in ["POST", "DELETE"] {
        fail_next(&simulator, method, json!([{ "hang": true, "apply": true }])).await;
        let (status, problem) =
            server.call(Method::PATCH, &path(&trigger), Some(&elsewhere())).await;
        assert_eq!(status, 504, "{method}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("The old configuration"), "{problem}");
        let found = server.get(&path(&trigger)).await;
        assert_eq!((&found["status"], &found["config"]), (&json!("active"), &trigger["config"]));
        assert_eq!(subscribed(&simulator).await, ["repos/octocat/hello-world"], "{method}");
    }
}

async fn a_broken_trigger_says_so_until_it_is_registered_anew(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let refused = json!({ "status": 403, "body": { "message": "Forbidden" } });
    fail_next(&simulator, "POST", json!([refused, refused])).await;
    let (status, problem) = server.call(Method::PATCH, &path(&trigger), Some(&elsewhere())).await;
    assert_eq!(status, 422, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("could not be put back"), "{problem}");
    assert_eq!(server.get(&path(&trigger)).await["status"], "error");
    assert_eq!(server.get(&format!("{}/health", path(&trigger))).await["alive"], false);

    for switch in ["active", "paused"] {
        let change = json!({ "status": switch });
        let (status, problem) = server.call(Method::PATCH, &path(&trigger), Some(&change)).await;
        assert_eq!(status, 409, "no word makes it sound: {problem}");
    }
    let again = json!({ "config": trigger["config"] });
    let (status, sound) = server.call(Method::PATCH, &path(&trigger), Some(&again)).await;
    assert_eq!((status.as_u16(), &sound["status"]), (200, &json!("active")), "{sound}");
    assert_eq!(subscribed(&simulator).await, ["repos/octocat/hello-world"]);
}

/// Sends a request and hangs up long before the provider, a second slow, lets it be answered.
async fn hang_up(server: &Server, method: Method, path: &str, body: &Value) {
    let request = client().request(method, format!("{}{path}", server.url)).bearer_auth(ROOT_KEY);
    let request = request.header("Idempotency-Key", "once").json(body);
    let answer = request.timeout(Duration::from_millis(300)).send().await;
    assert!(answer.is_err_and(|error| error.is_timeout()), "{path} was answered at once");
}

async fn a_client_that_hangs_up_leaves_nothing_half_done(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let request = trigger_request(&account, "GITHUB__PUSH");
    fail_next(&simulator, "POST", json!([{ "delay": 1000 }])).await;
    hang_up(&server, Method::POST, "/v1/triggers", &request).await;
    let answer = eventually("the repeated request is answered as the first was", async || {
        let again = client().post(format!("{}/v1/triggers", server.url)).bearer_auth(ROOT_KEY);
        let again = again.header("Idempotency-Key", "once").json(&request).send().await.unwrap();
        let replayed = again.headers().contains_key("idempotent-replayed");
        (again.status() == 201 && replayed).then_some(again)
    })
    .await;
    let trigger: Value = answer.json().await.unwrap();
    assert_eq!(subscribed(&simulator).await, ["repos/octocat/hello-world"], "one, not two");

    fail_next(&simulator, "POST", json!([{ "delay": 1000 }])).await;
    hang_up(&server, Method::PATCH, &path(&trigger), &elsewhere()).await;
    eventually("the change is brought to its end", async || {
        let found = server.get(&path(&trigger)).await;
        (found["config"] == elsewhere()["config"]).then_some(())
    })
    .await;
    assert_eq!(subscribed(&simulator).await, ["repos/octocat/elsewhere"]);
}

async fn a_trigger_deleted_while_it_is_registered_leaves_no_hook(database: &Database) {
    let (simulator, server, account) = start(database).await;
    fail_next(&simulator, "POST", json!([{ "delay": 1500 }])).await;
    let request = trigger_request(&account, "GITHUB__PUSH");
    let create = server.call(Method::POST, "/v1/triggers", Some(&request));
    let delete = async {
        let trigger = eventually("the trigger is being registered", async || {
            server.all("/v1/triggers").await.pop()
        })
        .await;
        assert_eq!(trigger["status"], "registering");
        let (status, problem) = server.call(Method::DELETE, &path(&trigger), None).await;
        assert_eq!(status, 409, "its subscription is not known yet: {problem}");
        let forced = format!("{}?force=true", path(&trigger));
        assert_eq!(server.call(Method::DELETE, &forced, None).await.0, 204);
    };
    let ((status, problem), ()) = tokio::join!(create, delete);
    assert_eq!(status, 409, "{problem}");
    assert_eq!(subscribed(&simulator).await, [""; 0]);
    assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new());
}
