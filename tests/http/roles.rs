//! What a key that is not an admin's may do with projects and keys, and that requests which
//! cannot be read are told why without being repeated.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    database::{self, Database},
    on_both_databases,
    server::{ROOT_KEY, Server, client},
};

on_both_databases!(keys_are_managed_within_their_role);

async fn new_key(server: &Server, body: Value) -> (String, String) {
    let made = server.post("/v1/api-keys", body).await;
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

async fn root_key_id(server: &Server) -> String {
    let keys = server.get("/v1/api-keys").await;
    let root = keys["data"].as_array().unwrap().iter().find(|key| key["name"] == "root").unwrap();
    root["id"].as_str().unwrap().to_owned()
}

async fn keys_are_managed_within_their_role(database: &Database) {
    let server = Server::start(database, &[]).await;
    let other = server.post("/v1/projects", json!({ "name": "other" })).await;
    let other = other["id"].as_str().unwrap();
    let own = server.get("/v1/projects").await["data"].clone();
    let own = own.as_array().unwrap().iter().find(|one| one["id"] != other).unwrap().clone();
    let own = own["id"].as_str().unwrap();
    let (member_id, member) = new_key(&server, json!({ "name": "member" })).await;
    let (foreign_id, foreign) =
        new_key(&server, json!({ "name": "foreign", "project_id": other })).await;
    let root_id = root_key_id(&server).await;

    let name = json!({ "name": "x" });
    let elsewhere = json!({ "name": "x", "project_id": other });
    let admin = json!({ "name": "x", "admin": true });
    for (method, path, body, status) in [
        (Method::POST, "/v1/projects".to_owned(), Some(&name), 403),
        (Method::GET, format!("/v1/projects/{own}"), None, 200),
        (Method::GET, format!("/v1/projects/{other}"), None, 404),
        (Method::POST, "/v1/api-keys".to_owned(), Some(&elsewhere), 403),
        (Method::POST, "/v1/api-keys".to_owned(), Some(&admin), 403),
        (Method::POST, "/v1/api-keys".to_owned(), Some(&name), 201),
        (Method::GET, format!("/v1/api-keys?project_id={own}"), None, 200),
        (Method::GET, format!("/v1/api-keys?project_id={other}"), None, 403),
        (Method::DELETE, format!("/v1/api-keys/{root_id}"), None, 403),
        (Method::DELETE, format!("/v1/api-keys/{foreign_id}"), None, 404),
        (Method::DELETE, format!("/v1/api-keys/{foreign_id}?project_id={other}"), None, 403),
        (Method::DELETE, format!("/v1/api-keys/{member_id}"), None, 204),
    ] {
        let (answered, told) = server.call_as(&member, method.clone(), &path, body).await;
        assert_eq!(answered, status, "{method} {path}: {told}");
    }
    let (status, _) = server.call_as(&member, Method::GET, "/v1/apps", None).await;
    assert_eq!(status, 401, "it revoked itself");

    assert_eq!(server.get(&format!("/v1/projects/{other}")).await["name"], "other");
    let keys = server.get(&format!("/v1/api-keys?project_id={other}")).await;
    assert_eq!(keys["data"][0]["id"], json!(foreign_id));
    let path = format!("/v1/api-keys/{foreign_id}?project_id={other}");
    assert_eq!(server.call(Method::DELETE, &path, None).await.0, 204);
    let (status, _) = server.call_as(&foreign, Method::GET, "/v1/apps", None).await;
    assert_eq!(status, 401, "at once");
    let apps = server.get("/v1/apps").await["data"].as_array().map_or(0, Vec::len);
    assert!(apps > 0, "root goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_cannot_be_read_is_a_problem_document() {
    let database = database::fresh("sqlite").await;
    let server = Server::start(&database, &[]).await;
    let account = "/v1/linked-accounts";
    let wrong_place = r#"{"app":"github","name":"a","kind":"token","credentials":"s3cret-text"}"#;
    let wrong_form =
        r#"{"app":"github","name":"a","kind":"token","credentials":{"token":{"x":"s3cret-text"}}}"#;
    for (method, path, body, status, field) in [
        (Method::GET, "/v1/apps/%ff", "", 404, None),
        (Method::GET, "/v1/triggers/%ff", "", 404, None),
        (Method::GET, "/v1/triggers/%00", "", 404, None),
        (Method::GET, "/v1/triggers?cursor=ZXZ0XzE", "", 400, Some("cursor")),
        (Method::GET, "/v1/triggers?lmit=1", "", 400, Some("lmit")),
        (Method::GET, "/v1/nothing", "", 404, None),
        (Method::PUT, "/v1/triggers", "{}", 405, None),
        (Method::POST, account, "{", 400, None),
        (Method::POST, account, wrong_place, 422, Some("/credentials")),
        (Method::POST, account, wrong_form, 422, Some("/credentials/token")),
    ] {
        let request = client().request(method.clone(), format!("{}{path}", server.url));
        let request = request.bearer_auth(ROOT_KEY).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let answered = answer.status().as_u16();
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!((answered, &problem["status"]), (status, &json!(status)), "{path}: {problem}");
        let named = problem["errors"][0]["field"].as_str();
        assert_eq!(named, field, "{method} {path}: {problem}");
        assert!(!problem.to_string().contains("s3cret"), "{problem}");
    }
}
