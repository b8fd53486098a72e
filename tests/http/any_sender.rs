//! An app for any sender: each trigger says how its deliveries are signed, and one that cannot be
//! verified so is refused before it exists.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{
    database::Database,
    on_both_databases,
    server::{Server, client},
};

on_both_databases!(
    each_trigger_is_verified_in_its_own_way,
    a_configuration_that_cannot_verify_is_refused,
    another_way_can_be_chosen_later,
);

const SECRET: &str = "a-secret-of-the-sender";
const BODY: &str = r#"{"id":"evt_1","kind":"order.paid"}"#;
/// `printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$SECRET"`
const SHA256: &str = "633936c151ec59f7297079876feb6ed46abc70d5509865b7c68edb4017a12e04";
/// `printf '%s' "$BODY" | openssl dgst -sha1 -hmac "$SECRET" -binary | base64`
const SHA1: &str = "R6MD3Pw/pDps19NkeosQGjL2ch4=";

async fn start(database: &Database) -> (Server, String) {
    let server = Server::start(database, &[]).await;
    let account = json!({
        "app": "webhook", "name": "sender", "kind": "token", "credentials": { "secret": SECRET },
    });
    let account = server.post("/v1/linked-accounts", account).await;
    let account = account["id"].as_str().unwrap().to_owned();
    (server, account)
}

fn wanted(account: &str, config: &Value) -> Value {
    json!({ "trigger": "WEBHOOK__RECEIVED", "linked_account_id": account, "config": config })
}

/// A delivery to a trigger's URL, by the way through this machine.
fn delivery(server: &Server, trigger: &Value, query: &str) -> RequestBuilder {
    let url =
        format!("{}/v1/webhooks/webhook/{}{query}", server.url, trigger["id"].as_str().unwrap());
    client().post(url).header("content-type", "application/json").body(BODY)
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn each_trigger_is_verified_in_its_own_way(database: &Database) {
    let (server, account) = start(database).await;
    let create = async |config: Value| server.post("/v1/triggers", wanted(&account, &config)).await;
    let hex = create(json!({ "scheme": "hmac", "header": "X-Signature", "prefix": "sha256=", "id": { "field": "/id" } })).await;
    let base64 = create(json!({ "scheme": "hmac", "header": "X-Signature", "algorithm": "sha1", "encoding": "base64" })).await;
    let token = create(json!({ "scheme": "token", "header": "X-Token" })).await;
    let in_url = create(json!({ "scheme": "token", "query": "token" })).await;
    let good = format!("sha256={SHA256}");
    for request in [
        delivery(&server, &hex, "").header("x-signature", &good),
        delivery(&server, &base64, "").header("x-signature", SHA1),
        delivery(&server, &token, "").header("x-token", SECRET),
        delivery(&server, &in_url, &format!("?token={SECRET}")),
    ] {
        let (status, told) = answer(request).await;
        assert_eq!((status, told["events"].as_array().unwrap().len()), (202, 1), "{told}");
    }
    for (request, code) in [
        (delivery(&server, &base64, "").header("x-signature", &good), "malformed_signature"),
        (delivery(&server, &hex, "").header("x-token", SECRET), "missing_signature"),
        (delivery(&server, &token, "").header("x-token", SHA256), "bad_signature"),
        (delivery(&server, &in_url, ""), "missing_signature"),
    ] {
        let (status, told) = answer(request).await;
        assert_eq!((status, &told["code"]), (401, &json!(code)), "{told}");
    }
    let receipts = server.all("/v1/receipts").await;
    assert_eq!(receipts.len(), 8);
    let text = serde_json::to_string(&receipts).unwrap();
    assert!(!text.contains(SECRET), "a receipt shows the token: {text}");
}

async fn a_configuration_that_cannot_verify_is_refused(database: &Database) {
    let (server, account) = start(database).await;
    for (config, field, part) in [
        (json!({ "scheme": "hmac" }), "/config", "where the signature stands"),
        (
            json!({ "scheme": "hmac", "header": "X", "message": "{timestamp}" }),
            "/config",
            "must contain {body}",
        ),
        (
            json!({ "scheme": "hmac", "header": "X", "message": "{bodi}{body}" }),
            "/config/message",
            "is not a part",
        ),
        (
            json!({ "scheme": "hmac", "header": "X", "message": "{timestamp}.{body}" }),
            "/config",
            "where it stands",
        ),
        (
            json!({ "scheme": "token", "header": "X", "encoding": "hex" }),
            "/config/encoding",
            "says nothing",
        ),
        (json!({ "scheme": "rot13" }), "/config/scheme", "is not one of"),
    ] {
        let (status, problem) =
            server.call(Method::POST, "/v1/triggers", Some(&wanted(&account, &config))).await;
        assert_eq!(status, 422, "{config}: {problem}");
        let error = &problem["errors"][0];
        assert_eq!(error["field"], field, "{config}: {problem}");
        assert!(error["message"].as_str().unwrap().contains(part), "{config}: {problem}");
    }
    assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new());
}

async fn another_way_can_be_chosen_later(database: &Database) {
    let (server, account) = start(database).await;
    let config = json!({ "scheme": "token", "header": "X-Token" });
    let trigger = server.post("/v1/triggers", wanted(&account, &config)).await;
    let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
    let change = async |config: Value| {
        server.call(Method::PATCH, &path, Some(&json!({ "config": config }))).await
    };
    let (status, problem) = change(json!({ "scheme": "hmac" })).await;
    assert_eq!(
        (status.as_u16(), &problem["errors"][0]["field"]),
        (422, &json!("/config")),
        "{problem}"
    );
    let by_token = || delivery(&server, &trigger, "").header("x-token", SECRET);
    assert_eq!(answer(by_token()).await.0, 202);
    let (status, changed) = change(json!({ "scheme": "hmac", "header": "X-Signature" })).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(answer(by_token()).await.0, 401);
    let signed = delivery(&server, &trigger, "").header("x-signature", SHA256);
    let (status, told) = answer(signed).await;
    assert_eq!((status, told["duplicates"].as_array().unwrap().len()), (202, 1), "{told}");
}
