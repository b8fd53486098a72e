//! Projects and keys: what one tenant may see and do, and what nobody may.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    database::{self, Database},
    on_both_databases,
    server::{ROOT_KEY, Server, client},
    simulator::Simulator,
};

on_both_databases!(projects_never_see_each_other);

async fn other_project(server: &Server) -> String {
    let project = server.post("/v1/projects", json!({ "name": "other" })).await;
    let key = server
        .post("/v1/api-keys", json!({ "name": "other's", "project_id": project["id"] }))
        .await;
    key["key"].as_str().unwrap().to_owned()
}

async fn projects_never_see_each_other(database: &Database) {
    let simulator = Simulator::start().await;
    let server = Server::start(database, &simulator.settings()).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let hook = simulator.hooks().await[0]["id"].clone();
    simulator
        .control(
            "deliver",
            json!({ "hook_id": hook, "event": "push", "example": { "event": "push", "index": 0 } }),
        )
        .await;
    let event = server.all("/v1/trigger-events").await[0]["id"].as_str().unwrap().to_owned();
    let receipt = server.all("/v1/receipts").await[0]["id"].as_str().unwrap().to_owned();
    let key = other_project(&server).await;

    let trigger = trigger["id"].as_str().unwrap();
    for path in [
        format!("/v1/triggers/{trigger}"),
        format!("/v1/triggers/{trigger}/events"),
        format!("/v1/triggers/{trigger}/health"),
        format!("/v1/triggers/{trigger}/stats"),
        format!("/v1/trigger-events/{event}"),
        format!("/v1/receipts/{receipt}"),
        format!("/v1/linked-accounts/{account}"),
    ] {
        let (status, body) = server.call_as(&key, Method::GET, &path, None).await;
        assert_eq!(status, 404, "GET {path}: {body}");
    }
    for (method, path) in [
        (Method::DELETE, format!("/v1/triggers/{trigger}")),
        (Method::DELETE, format!("/v1/trigger-events/{event}")),
        (Method::DELETE, format!("/v1/triggers/events/{event}")),
        (Method::DELETE, format!("/v1/linked-accounts/{account}")),
        (Method::PATCH, format!("/v1/triggers/{trigger}")),
    ] {
        let (status, body) = server.call_as(&key, method.clone(), &path, Some(&json!({}))).await;
        assert_eq!(status, 404, "{method} {path}: {body}");
    }
    for path in [
        "/v1/triggers",
        "/v1/trigger-events",
        "/v1/receipts",
        "/v1/linked-accounts",
        "/v1/triggers/events/all",
    ] {
        let (status, body) = server.call_as(&key, Method::GET, path, None).await;
        assert_eq!((status.as_u16(), &body["data"]), (200, &json!([])), "{path}");
    }
    let stolen = json!({ "trigger": "GITHUB__PUSH", "linked_account_id": account, "config": { "owner": "a", "repo": "b" } });
    let (status, body) = server.call_as(&key, Method::POST, "/v1/triggers", Some(&stolen)).await;
    assert!(matches!(status.as_u16(), 404 | 422), "{body}");
    for (method, path) in [(Method::POST, "/v1/projects"), (Method::GET, "/v1/projects")] {
        let (status, body) =
            server.call_as(&key, method, path, Some(&json!({ "name": "mine" }))).await;
        assert!(
            status == 403 || body["data"].as_array().is_some_and(|own| own.len() == 1),
            "{path}: {body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_operation_asks_for_a_key() {
    let database = database::fresh("sqlite").await;
    let server = Server::start(&database, &[]).await;
    let spec: Value = client()
        .get(format!("{}/openapi.json", server.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let public = [
        "/v1/webhooks/{app}/{trigger_id}",
        "/v1/oauth2/callback",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
    ];
    let mut tried = 0;
    for (path, operations) in spec["paths"].as_object().unwrap() {
        if public.contains(&path.as_str()) {
            continue;
        }
        let concrete = path.replace(['{', '}'], "x");
        for method in operations.as_object().unwrap().keys() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            for suffix in [
                "",
                "?x=/healthz",
                "?/v1/webhooks/github/x",
                "/",
                "//",
                "%2f",
                ";/healthz",
                "/../healthz",
            ] {
                let url = format!("{}{concrete}{suffix}", server.url);
                let answer = client().request(method.clone(), &url).send().await.unwrap();
                let status = answer.status().as_u16();
                let normalised_away = suffix == "/../healthz";
                assert!(
                    matches!(status, 401 | 403 | 404 | 405) || normalised_away,
                    "{method} {url}: {status}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "only {tried} requests were made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_or_wrong_key_opens_nothing() {
    let database = database::fresh("sqlite").await;
    let server = Server::start(&database, &[]).await;
    let made = server.post("/v1/api-keys", json!({ "name": "agent" })).await;
    let key = made["key"].as_str().unwrap().to_owned();
    assert_eq!(server.call_as(&key, Method::GET, "/v1/triggers", None).await.0, 200);
    let listed = server.get("/v1/api-keys").await.to_string();
    assert!(!listed.contains(&key), "a key is shown once only");
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    assert_eq!(server.call(Method::DELETE, &path, None).await.0, 204);
    let wrong = [key.as_str(), "", "x", &ROOT_KEY[1..], "hrk_00000000_0", "\u{e9}"];
    for key in wrong {
        let (status, problem) = server.call_as(key, Method::GET, "/v1/triggers", None).await;
        assert_eq!(status, 401, "{key}: {problem}");
    }
    let answer = client()
        .get(format!("{}/v1/triggers", server.url))
        .header("X-API-KEY", ROOT_KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let answer = client().get(format!("{}/v1/triggers", server.url)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(
        answer.headers()["www-authenticate"].to_str().unwrap().split(' ').next(),
        Some("Bearer")
    );
}

/// Canaries in every place a secret enters: none is found where it could leak.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_sealed_and_never_shown() {
    let database = database::fresh("sqlite").await;
    let simulator = Simulator::start().await;
    let server = Server::start(&database, &simulator.settings()).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let secret = simulator.hooks().await[0]["secret"].as_str().unwrap().to_owned();
    assert!(secret.len() >= 32, "a high-entropy secret: {} characters", secret.len());
    let mut shown = trigger.to_string();
    for path in [
        "/v1/triggers",
        "/v1/linked-accounts",
        "/v1/receipts",
        "/v1/api-keys",
        "/metrics",
        "/v1/apps",
    ] {
        let answer = client()
            .get(format!("{}{path}", server.url))
            .bearer_auth(ROOT_KEY)
            .send()
            .await
            .unwrap();
        shown.push_str(&answer.text().await.unwrap());
    }
    let folder =
        std::path::Path::new(database.url().trim_start_matches("sqlite://")).parent().unwrap();
    let mut stored = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().chain(std::fs::read_dir(server.data()).unwrap())
    {
        let path = file.unwrap().path();
        if path.is_file() {
            stored.extend(std::fs::read(path).unwrap());
        }
    }
    let contains = |haystack: &[u8], needle: &str| {
        haystack.windows(needle.len()).any(|part| part == needle.as_bytes())
    };
    assert!(contains(&stored, "octocat"), "the database was really read");
    for canary in [secret.as_str(), "ghp_valid", ROOT_KEY] {
        assert!(!shown.contains(canary), "shown by the API");
        assert!(!contains(&stored, canary), "in clear on disk");
    }
}
