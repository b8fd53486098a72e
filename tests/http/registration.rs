//! Creating and deleting triggers at a provider that has good and bad days.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    database::Database,
    on_both_databases,
    server::{Server, trigger_request},
    simulator::Simulator,
};

on_both_databases!(
    a_failed_registration_leaves_nothing_behind,
    a_registration_whose_answer_was_lost_is_undone,
    a_hook_that_is_gone_can_be_deleted,
    an_organisation_hook_is_registered_and_removed,
    a_bad_request_names_every_field,
    creation_is_idempotent,
);

const TOKEN: &str = "ghp_valid";

async fn start(database: &Database) -> (Simulator, Server, String) {
    let simulator = Simulator::start().await;
    let mut settings = simulator.settings().to_vec();
    settings.push(("HEARKEN_LIMITS__PROVIDER_SECONDS", "2"));
    let server = Server::start(database, &settings).await;
    let account = server.link_account(TOKEN).await;
    (simulator, server, account)
}

async fn a_failed_registration_leaves_nothing_behind(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let github = |status: u16, message: &str| json!({ "status": status, "body": { "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() } });
    let exists = json!({ "status": 422, "body": {
        "message": "Validation Failed",
        "errors": [{ "resource": "Hook", "code": "custom", "message": "Hook already exists on this repository" }],
        "documentation_url": "https://docs.github.com/rest",
    } });
    let cases = [
        (github(401, "Bad credentials"), 422, "provider_refused", "Bad credentials"),
        (
            github(403, "Resource not accessible by personal access token"),
            422,
            "provider_refused",
            "not accessible",
        ),
        (github(404, "Not Found"), 422, "provider_refused", "Not Found"),
        (exists, 422, "provider_refused", "Hook already exists on this repository"),
        (github(500, "Server Error"), 502, "provider_failed", "Server Error"),
        (
            json!({ "status": 503, "html": "<html><head><style>p{}</style></head><body><h1>Unicorn!</h1><p>No server is available</p></body></html>" }),
            502,
            "provider_failed",
            "No server is available",
        ),
        (
            json!({ "status": 200, "html": "<html><body>Sign in to continue</body></html>" }),
            502,
            "provider_failed",
            "Sign in to continue",
        ),
        (json!({ "hang": true }), 504, "provider_timeout", "2 s"),
        (json!({ "reset": true }), 502, "provider_unreachable", "connection"),
    ];
    for (fault, status, code, words) in cases {
        simulator.control("fault", json!({ "next": [fault], "match": "POST" })).await;
        let request = trigger_request(&account, "GITHUB__PUSH");
        let (answered, problem) = server.call(Method::POST, "/v1/triggers", Some(&request)).await;
        assert_eq!(
            (answered.as_u16(), &problem["code"]),
            (status, &json!(code)),
            "{fault}: {problem}"
        );
        let text = problem.to_string();
        assert!(text.contains(words), "{fault}: {problem}");
        assert!(
            !text.contains(TOKEN) && !text.contains("<h1>") && !text.contains("127.0.0.1"),
            "{problem}"
        );
        assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new(), "{fault}");
        assert_eq!(simulator.hooks().await, Vec::<Value>::new(), "{fault}");
        simulator.control("reset", json!({})).await;
    }
}

async fn a_registration_whose_answer_was_lost_is_undone(database: &Database) {
    let (simulator, server, account) = start(database).await;
    // The provider makes the hook, but its answer never arrives.
    simulator
        .control("fault", json!({ "next": [{ "hang": true, "apply": true }], "match": "POST" }))
        .await;
    let request = trigger_request(&account, "GITHUB__PUSH");
    let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&request)).await;
    assert_eq!(status, 504, "{problem}");
    assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new());
    assert_eq!(simulator.hooks().await, Vec::<Value>::new(), "the hook was found and removed");
}

async fn a_hook_that_is_gone_can_be_deleted(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let kept = server.create_trigger(&account, "GITHUB__PUSH").await;
    let gone = server.create_trigger(&account, "GITHUB__STAR_ADDED").await;
    let path = |trigger: &Value| format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());

    simulator.control("fault", json!({ "next": [{ "status": 404, "body": { "message": "Not Found" } }], "match": "DELETE" })).await;
    let (status, answer) = server.call(Method::DELETE, &path(&gone), None).await;
    assert_eq!(status, 204, "{answer}");
    let (status, _) = server.call(Method::GET, &path(&gone), None).await;
    assert_eq!(status, 404);

    simulator.control("fault", json!({ "next": [{ "status": 500, "body": { "message": "Server Error" } }], "match": "DELETE" })).await;
    let (status, problem) = server.call(Method::DELETE, &path(&kept), None).await;
    assert_eq!((status.as_u16(), &problem["code"]), (502, &json!("provider_failed")));
    assert_eq!(
        server.get(&path(&kept)).await["id"],
        kept["id"],
        "kept, because its hook still delivers"
    );
    let (status, _) = server.call(Method::DELETE, &path(&kept), None).await;
    assert_eq!(status, 204);
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn an_organisation_hook_is_registered_and_removed(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let request = json!({ "trigger": "GITHUB__ISSUE_OPENED", "linked_account_id": account, "config": { "org": "octo-org" } });
    let trigger = server.post("/v1/triggers", request).await;
    let hooks = simulator.hooks().await;
    assert_eq!(hooks.len(), 1);
    assert_eq!(hooks[0]["events"], json!(["issues"]));
    let sent = simulator
        .control("deliver", json!({ "hook_id": hooks[0]["id"], "event": "issues", "form": true,
            "payload": { "action": "opened", "issue": { "number": 7 }, "organization": { "login": "octo-org" } } }))
        .await;
    assert_eq!(sent[0]["status"], 202, "a form-encoded delivery: {sent}");
    assert_eq!(server.all("/v1/trigger-events").await.len(), 1);
    let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
    let (status, _) = server.call(Method::DELETE, &path, None).await;
    assert_eq!(status, 204);
    assert_eq!(simulator.hooks().await.len(), 0);
    assert_eq!(server.all("/v1/trigger-events").await.len(), 1, "events outlive their trigger");
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn a_bad_request_names_every_field(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let fields = |problem: &Value| {
        let named = problem["errors"].as_array().unwrap().iter();
        named.map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let request = json!({ "trigger": "GITHUB__PUSH", "linked_account_id": account, "config": { "owner": "octo cat", "repo": "" } });
    let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&request)).await;
    assert_eq!(status, 422, "{problem}");
    let named = fields(&problem);
    assert!(
        named.contains(&"/config/owner".to_owned()) && named.contains(&"/config/repo".to_owned()),
        "{problem}"
    );

    let request = json!({ "trigger": "GITHUB__PUHS", "linked_account_id": account, "config": {} });
    let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&request)).await;
    assert_eq!(status, 422);
    assert!(problem.to_string().contains("GITHUB__PUSH"), "the nearest name is offered: {problem}");

    let mut request = trigger_request(&account, "GITHUB__PUSH");
    request["filter"] = json!({ "path": "$.ref", "equal": "x" });
    let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&request)).await;
    assert_eq!(status, 422);
    assert!(fields(&problem)[0].starts_with("/filter"), "{problem}");
    assert_eq!(simulator.hooks().await.len(), 0, "nothing was asked of the provider");
}

async fn creation_is_idempotent(database: &Database) {
    let (simulator, server, account) = start(database).await;
    let send = async |body: Value| {
        let client = crate::support::server::client();
        let answer = client
            .post(format!("{}/v1/triggers", server.url))
            .bearer_auth(crate::support::server::ROOT_KEY)
            .header("Idempotency-Key", "order-66")
            .json(&body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let first = send(trigger_request(&account, "GITHUB__PUSH")).await;
    let second = send(trigger_request(&account, "GITHUB__PUSH")).await;
    assert_eq!(first.0, 201, "{}", first.1);
    assert_eq!(first, second);
    assert_eq!(simulator.hooks().await.len(), 1);
    let (status, _) = send(trigger_request(&account, "GITHUB__STAR_ADDED")).await;
    assert_eq!(status, 422, "one key, two requests");
}
