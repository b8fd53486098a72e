//! Linking an account as its owner does: in a browser, at the provider's consent page and back.

use reqwest::Method;
use serde_json::{Value, json};

use super::server::{Server, client};

/// Links an account of `app` through a provider app in the project of `key`, by the consent that
/// the simulator was told to give; returns the account.
pub(crate) async fn link(server: &Server, key: &str, app: &str, provider_app: &Value) -> Value {
    let flow = json!({ "app": app, "provider_app_id": provider_app["id"], "name": "linked" });
    let ended = consent(server, key, flow).await;
    let id = ended.strip_prefix("linked_account_id=").unwrap_or_else(|| panic!("{ended}"));
    let path = format!("/v1/linked-accounts/{id}");
    let (status, account) = server.call_as(key, Method::GET, &path, None).await;
    assert_eq!((status.as_u16(), &account["status"]), (200, &json!("active")), "{account}");
    account
}

/// Goes through a flow to its end; returns the query the user is sent back with.
pub(crate) async fn consent(server: &Server, key: &str, mut flow: Value) -> String {
    flow["return_url"] = json!(format!("{}/linked", server.url));
    let path = "/v1/linked-accounts/oauth2/start";
    let (status, started) = server.call_as(key, Method::POST, path, Some(&flow)).await;
    assert_eq!(status, 201, "{started}");
    // The provider sends the browser to us, and we send it on to where the user came from.
    let url = started["authorize_url"].as_str().unwrap();
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.url().path(), "/linked", "{}", answer.url());
    answer.url().query().unwrap_or_default().to_owned()
}

/// A key of a project of its own.
pub(crate) async fn another_project(server: &Server) -> String {
    let project = server.post("/v1/projects", json!({ "name": "another" })).await;
    let key = json!({ "name": "another's", "project_id": project["id"] });
    server.post("/v1/api-keys", key).await["key"].as_str().unwrap().to_owned()
}
