//! Provider apps as operators manage them and projects use them, and accounts whose credentials
//! are checked when they are linked.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    database::Database,
    on_both_databases,
    orchard::{Orchard, deliver, execute, try_start, try_trigger},
    server::Server,
};

on_both_databases!(
    only_an_operator_manages_them,
    former_secrets_verify_for_a_day,
    pasted_credentials_are_checked_at_once,
);

async fn member(server: &Server, project: &Value) -> String {
    let made =
        server.post("/v1/api-keys", json!({ "name": "member", "project_id": project })).await;
    made["key"].as_str().unwrap().to_owned()
}

async fn only_an_operator_manages_them(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[]).await;
    let other = server.post("/v1/projects", json!({ "name": "other" })).await;
    let member = member(&server, &other["id"]).await;
    let wanted = orchard.provider_app_request("signing-one").await;
    let id = orchard.provider_app(&server).await;
    let path = format!("/v1/provider-apps/{id}");

    let rename = json!({ "name": "renamed" });
    for (method, path, body, status) in [
        (Method::POST, "/v1/provider-apps", Some(&wanted), 403),
        (Method::PATCH, &*path, Some(&rename), 403),
        (Method::DELETE, &*path, None, 403),
        (Method::GET, &*path, None, 200),
        (Method::GET, "/v1/provider-apps?app=orchard", None, 200),
    ] {
        let (answered, told) = server.call_as(&member, method.clone(), path, body).await;
        assert_eq!(answered, status, "{method} {path}: {told}");
        assert!(!told.to_string().contains("canary") && !told.to_string().contains("signing-one"));
    }
    let shown = server.get(&path).await;
    assert_eq!(shown["credential_fields"], json!(["client_id", "client_secret", "signing_secret"]));
    assert_eq!(shown["redirect_url"], json!(format!("{}/v1/oauth2/callback", server.url)));
    assert_eq!(shown["webhook_url"], Value::Null, "each trigger has its own");

    // A member links accounts through it, which nobody else sees.
    let (status, begun) = try_start(&server, &member, &id, json!({})).await;
    assert_eq!(status, 201, "{begun}");
    let account = orchard.link(&server, &id).await;
    for (method, path) in [
        (Method::GET, format!("/v1/linked-accounts/{account}")),
        (Method::DELETE, format!("/v1/linked-accounts/{account}")),
    ] {
        assert_eq!(server.call_as(&member, method, &path, None).await.0, 404);
    }
    let again = json!({ "linked_account_id": account });
    let (status, problem) = try_start(&server, &member, &id, again).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("/linked_account_id")));

    let (status, problem) = server.call(Method::DELETE, &path, None).await;
    assert_eq!(status, 409, "{problem}");
    server.call(Method::DELETE, &format!("/v1/linked-accounts/{account}"), None).await;
    assert_eq!(server.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(server.call(Method::GET, &path, None).await.0, 404);

    for (field, change) in [
        (
            "/credentials/client_id",
            json!({ "credentials": { "client_secret": "canary", "signing_secret": "canary-canary" } }),
        ),
        (
            "/credentials/signing_secret",
            json!({ "credentials": { "client_id": "a", "client_secret": "b", "signing_secret": "canary" } }),
        ),
        ("/metadata/region", json!({ "metadata": { "region": 1 } })),
        ("/app", json!({ "app": "pear" })),
        ("/name", json!({ "name": " " })),
    ] {
        let mut body = wanted.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, problem) = server.call(Method::POST, "/v1/provider-apps", Some(&body)).await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["field"]),
            (422, &json!(field)),
            "{problem}"
        );
        assert!(!problem.to_string().contains("canary"), "{problem}");
    }
}

async fn former_secrets_verify_for_a_day(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[]).await;
    let id = orchard.provider_app(&server).await;
    let account = orchard.link(&server, &id).await;
    let (_, trigger) = try_trigger(&server, &account).await;
    assert_eq!(deliver(&server, &trigger, "signing-one", "1").await, 202);
    assert_eq!(deliver(&server, &trigger, "signing-two", "2").await, 401);

    let path = format!("/v1/provider-apps/{id}");
    let change =
        json!({ "credentials": orchard.provider_app_request("signing-two").await["credentials"] });
    let (status, changed) = server.call(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(status, 200, "{changed}");
    assert!(changed["previous_until"].is_string());
    // A replica may go on for a second with what it has read before.
    crate::support::eventually("the new secret counts", async || {
        (deliver(&server, &trigger, "signing-two", "3").await == 202).then_some(())
    })
    .await;
    assert_eq!(deliver(&server, &trigger, "signing-one", "4").await, 202, "for a day");
    assert_eq!(deliver(&server, &trigger, "signing-three", "5").await, 401);

    execute(database, "UPDATE provider_apps SET previous_until = 1").await;
    crate::support::eventually("the former secret ends", async || {
        (deliver(&server, &trigger, "signing-one", "6").await == 401).then_some(())
    })
    .await;
    assert_eq!(server.get(&path).await["previous_until"], Value::Null);
}

async fn pasted_credentials_are_checked_at_once(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[]).await;
    let mint = async |account: &str| {
        orchard.simulator.control("mint", json!({ "account": account })).await["token"].clone()
    };
    let account = |token: &Value| {
        json!({ "app": "orchard", "name": "pasted", "kind": "token",
        "credentials": { "access_token": token }, "metadata": { "note": "mine" } })
    };
    let wrong = json!("wrong-token-canary");
    let (status, problem) =
        server.call(Method::POST, "/v1/linked-accounts", Some(&account(&wrong))).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("provider_refused")), "{problem}");
    assert!(problem["provider"]["message"].as_str().unwrap().contains("is not good"), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("Make another token"), "{problem}");
    assert!(!problem.to_string().contains("canary"), "{problem}");
    assert_eq!(server.all("/v1/linked-accounts").await.len(), 0);

    let linked = server.post("/v1/linked-accounts", account(&mint("team-9").await)).await;
    assert_eq!(linked["external_id"], "team-9");
    assert_eq!(linked["metadata"], json!({ "note": "mine", "region": "eu" }));
    let path = format!("/v1/linked-accounts/{}", linked["id"].as_str().unwrap());
    let id = linked["id"].as_str().unwrap();
    let (_, trigger) = try_trigger(&server, id).await;
    execute(database, "UPDATE linked_accounts SET status = 'needs_reconnect', status_reason = 'x'")
        .await;
    execute(database, "UPDATE triggers SET status = 'needs_reconnect', status_reason = 'x'").await;
    let change = |token: Value| json!({ "credentials": { "access_token": token } });
    for (token, status) in [(wrong, 422), (mint("team-8").await, 422), (mint("team-9").await, 200)]
    {
        let (answered, told) = server.call(Method::PATCH, &path, Some(&change(token))).await;
        assert_eq!(answered, status, "{told}");
        let healed = if status == 200 { "active" } else { "needs_reconnect" };
        assert_eq!(server.get(&path).await["status"], healed);
        let trigger =
            server.get(&format!("/v1/triggers/{}", trigger["id"].as_str().unwrap())).await;
        assert_eq!(trigger["status"], healed);
    }
    let note = json!({ "metadata": { "note": "yours" } });
    let (_, changed) = server.call(Method::PATCH, &path, Some(&note)).await;
    assert_eq!(changed["metadata"], json!({ "note": "yours", "region": "eu" }));

    let by_hand = json!({ "app": "orchard", "name": "x", "kind": "oauth2", "credentials": {} });
    let (status, problem) = server.call(Method::POST, "/v1/linked-accounts", Some(&by_hand)).await;
    assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!("/kind")));
}
