//! Handshakes end to end: secrets that providers hand over, subscriptions that want to be
//! confirmed, fixed answers; and that none of it tells anybody a secret or lets one be replaced.

use std::{
    fs,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::StatusCode,
    routing::{delete, get, post},
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::{
    database::Database,
    github_signature, on_both_databases,
    server::{Server, client},
};

on_both_databases!(
    a_secret_handed_over_during_the_registration_verifies,
    a_captured_secret_is_shown_until_it_verifies,
    a_generated_secret_is_shown_until_it_verifies,
    a_subscription_is_confirmed_before_it_is_answered,
    answers_are_as_the_provider_wants_them,
    packed_and_malformed_bodies,
);

/// Handed over by the pretend provider with its first subscription; the next has a 2 at its end.
const HANDED: &str = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";

fn write_app(apps: &Path, slug: &str, more: &str, script: &str) {
    let folder = apps.join(slug);
    fs::create_dir_all(&folder).unwrap();
    let definition = format!(
        "title: Local\ncategory: testing\ndescription: For a test.\ndocs: https://local.example\n\
         facts: {{ grade: R1, checked: '2026-11-24', sources: [https://local.example] }}\n\
         auth: [{{ kind: none, title: Nothing }}]\n{more}\n\
         triggers:\n  - {{ name: CALLED, type: called, title: Called, description: Whatever., \
         match: {{}}, config: {{ type: object }}, payload: {{}} }}\n"
    );
    fs::write(folder.join("app.yaml"), definition).unwrap();
    let signature =
        r#"fn signature() { #{ kind: "hmac", header: "X-Signature", prefix: "sha256=" } }"#;
    fs::write(folder.join("connector.rhai"), format!("{signature}\n{script}\n")).unwrap();
}

/// A provider on this machine: what it was asked, and what it does.
#[derive(Default)]
struct Provider {
    subscriptions: Mutex<u32>,
    echoed: Mutex<Vec<Option<String>>>,
    confirmed: Mutex<Vec<String>>,
    failing: Mutex<bool>,
}

/// Starts the provider; its URL.
async fn provider(provider: Arc<Provider>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/hooks", post(subscribe))
        .route("/hooks/{id}", delete(|| async { StatusCode::NO_CONTENT }))
        .route("/confirm", get(confirm))
        .with_state(provider);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Hands over a secret at the webhook's URL before it answers.
async fn subscribe(
    State(provider): State<Arc<Provider>>,
    Json(wanted): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let number = {
        let mut subscriptions = provider.subscriptions.lock().unwrap();
        *subscriptions += 1;
        *subscriptions
    };
    let secret = if number == 1 { HANDED.to_owned() } else { format!("{HANDED}{number}") };
    let url = wanted["url"].as_str().unwrap();
    let answer = client().post(url).header("X-Hook-Secret", &secret).body("{}").send().await;
    let answer = answer.unwrap();
    let echoed = answer.headers().get("x-hook-secret").map(|value| value.to_str().unwrap());
    provider.echoed.lock().unwrap().push(echoed.map(str::to_owned));
    if answer.status() != 200 || echoed != Some(secret.as_str()) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "message": "no handshake" })));
    }
    (StatusCode::CREATED, Json(json!({ "id": number })))
}

async fn confirm(State(provider): State<Arc<Provider>>, RawQuery(query): RawQuery) -> StatusCode {
    if *provider.failing.lock().unwrap() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    provider.confirmed.lock().unwrap().push(query.unwrap_or_default());
    StatusCode::OK
}

async fn start(database: &Database, apps: &TempDir, settings: &[(&str, &str)]) -> Server {
    let mut all = vec![
        ("HEARKEN_APPS_DIR", apps.path().to_str().unwrap()),
        ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32"),
    ];
    all.extend(settings);
    let server = Server::start(database, &all).await;
    assert_eq!(server.get("/v1/apps").await["problems"], json!([]));
    server
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

async fn deliver(server: &Server, url: &str, secret: &str, body: &str) -> (u16, String) {
    let signature = github_signature(secret, body.as_bytes());
    let headers = [("X-Signature", signature.as_str()), ("Content-Type", "application/json")];
    let answer = server.deliver(url, &headers, body.as_bytes().to_vec()).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Every receipt with all details, as one text: no secret may be in it.
async fn everything_told(server: &Server) -> String {
    let mut told = String::new();
    for receipt in server.all("/v1/receipts").await {
        let id = text(&receipt, "id");
        told.push_str(&server.get(&format!("/v1/receipts/{id}")).await.to_string());
    }
    for trigger in server.all("/v1/triggers").await {
        told.push_str(&trigger.to_string());
    }
    told
}

async fn a_secret_handed_over_during_the_registration_verifies(database: &Database) {
    let apps = TempDir::new().unwrap();
    write_app(
        apps.path(),
        "handed",
        "base_url: https://api.handed.example\nchallenges:\n  - { kind: header_echo, header: X-Hook-Secret, store: secret }",
        r"
        fn register(http, trigger) {
            let answer = http.post(`${trigger.base_url}/hooks`, #{ json: #{ url: trigger.url } });
            if answer.status != 201 { throw provider_error(answer); }
            #{ external_id: answer.body.id.to_string() }
        }
        fn unregister(http, trigger) { http.delete(`${trigger.base_url}/hooks/${trigger.external_id}`); }
        ",
    );
    let pretended = Arc::new(Provider::default());
    let url = provider(pretended.clone()).await;
    let server = start(database, &apps, &[("HEARKEN_APPS__HANDED__BASE_URL", &url)]).await;
    let trigger = server.post("/v1/triggers", json!({ "trigger": "HANDED__CALLED" })).await;
    let (id, url) = (text(&trigger, "id"), text(&trigger, "webhook_url"));
    assert_eq!(trigger["status"], "active");
    assert_eq!(trigger["last_proof_at"], Value::Null, "nothing vouched for the handshake");
    assert_eq!(*pretended.echoed.lock().unwrap(), [Some(HANDED.to_owned())]);
    let (status, told) = deliver(&server, &url, HANDED, r#"{"n":1}"#).await;
    assert_eq!(status, 202, "{told}");

    // Nobody else replaces it; the provider may repeat it.
    let stranger = server.deliver(&url, &[("X-Hook-Secret", "stranger")], b"{}".to_vec()).await;
    assert_eq!(stranger.status(), 401);
    assert_eq!(stranger.headers().get("x-hook-secret"), None);
    assert_eq!(stranger.json::<Value>().await.unwrap()["code"], "secret_known");
    let again = server.deliver(&url, &[("X-Hook-Secret", HANDED)], b"{}".to_vec()).await;
    assert_eq!(again.status(), 200);
    assert_eq!(deliver(&server, &url, "stranger", r#"{"n":2}"#).await.0, 401);
    assert_eq!(deliver(&server, &url, HANDED, r#"{"n":2}"#).await.0, 202);

    // A new configuration is a new subscription with a new secret.
    let path = format!("/v1/triggers/{id}");
    let change = json!({ "config": { "other": true } });
    let (status, changed) = server.call(Method::PATCH, &path, Some(&change)).await;
    assert_eq!((status.as_u16(), &changed["status"]), (200, &json!("active")), "{changed}");
    assert_eq!(changed["external_id"], "2");
    let second = format!("{HANDED}2");
    assert_eq!(deliver(&server, &url, HANDED, r#"{"n":3}"#).await.0, 401);
    assert_eq!(deliver(&server, &url, &second, r#"{"n":3}"#).await.0, 202);

    let (status, problem) = server.call(Method::GET, &format!("{path}/secret"), None).await;
    assert_eq!(status, 404, "it is not one to enter by hand: {problem}");
    let told = everything_told(&server).await;
    assert!(told.contains("[redacted]") && told.contains("header_echo"), "{told}");
    assert!(!told.contains(HANDED) && !told.contains("stranger"), "{told}");
}

async fn a_captured_secret_is_shown_until_it_verifies(database: &Database) {
    let apps = TempDir::new().unwrap();
    write_app(
        apps.path(),
        "captured",
        "challenges:\n  - { kind: capture, field: verification_token }",
        "",
    );
    let server = start(database, &apps, &[]).await;
    let trigger = server.post("/v1/triggers", json!({ "trigger": "CAPTURED__CALLED" })).await;
    assert_eq!(trigger["verification_secret"], Value::Null);
    let url = text(&trigger, "webhook_url");
    let path = format!("/v1/triggers/{}/secret", text(&trigger, "id"));
    let (status, problem) = server.call(Method::GET, &path, None).await;
    assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("no_secret")));
    let early = deliver(&server, &url, "secret_token", r#"{"n":1}"#).await;
    assert_eq!(early.0, 401, "nothing is verified before there is a secret");

    let token = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
    let first = json!({ "verification_token": token }).to_string().into_bytes();
    let kind = [("Content-Type", "application/json")];
    for _ in 0..2 {
        let answer = server.deliver(&url, &kind, first.clone()).await;
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "ok"));
    }
    let other = json!({ "verification_token": "of-a-stranger" }).to_string().into_bytes();
    assert_eq!(server.deliver(&url, &kind, other).await.status(), 401);
    assert_eq!(server.get(&path).await, json!({ "secret": token }));
    let key = server.post("/v1/projects", json!({ "name": "other" })).await;
    let foreign = json!({ "name": "foreign", "project_id": key["id"] });
    let foreign = text(&server.post("/v1/api-keys", foreign).await, "key");
    let (status, _) = server.call_as(&foreign, Method::GET, &path, None).await;
    assert_eq!(status, 404, "another project's trigger");

    assert_eq!(deliver(&server, &url, token, r#"{"n":1}"#).await.0, 202);
    let (status, problem) = server.call(Method::GET, &path, None).await;
    assert_eq!((status.as_u16(), &problem["code"]), (410, &json!("secret_in_use")));
    assert!(!problem.to_string().contains(token));
    let told = everything_told(&server).await;
    assert!(told.contains("capture") && !told.contains(token), "{told}");
    assert!(!told.contains("of-a-stranger"), "{told}");
}

async fn a_generated_secret_is_shown_until_it_verifies(database: &Database) {
    let apps = TempDir::new().unwrap();
    write_app(apps.path(), "made", "secret: { generate: { bytes: 32, encoding: hex } }", "");
    let server = start(database, &apps, &[]).await;
    let trigger = server.post("/v1/triggers", json!({ "trigger": "MADE__CALLED" })).await;
    let secret = text(&trigger, "verification_secret");
    let path = format!("/v1/triggers/{}/secret", text(&trigger, "id"));
    assert_eq!(server.get(&path).await, json!({ "secret": secret }));
    let url = text(&trigger, "webhook_url");
    assert_eq!(deliver(&server, &url, &secret, r#"{"n":1}"#).await.0, 202);
    assert_eq!(server.call(Method::GET, &path, None).await.0, 410);
}

async fn a_subscription_is_confirmed_before_it_is_answered(database: &Database) {
    let apps = TempDir::new().unwrap();
    write_app(
        apps.path(),
        "confirmed",
        "base_url: https://sns.eu-1.confirmed.example\nsecret: { generate: { bytes: 32, encoding: hex } }\nchallenges:\n  - { kind: confirm_url, when: { path: $.body.Type, equals: SubscriptionConfirmation }, field: SubscribeURL, hosts: ['sns.*.confirmed.example'] }",
        "",
    );
    let pretended = Arc::new(Provider::default());
    let base = provider(pretended.clone()).await;
    let server = start(database, &apps, &[("HEARKEN_APPS__CONFIRMED__BASE_URL", &base)]).await;
    let trigger = server.post("/v1/triggers", json!({ "trigger": "CONFIRMED__CALLED" })).await;
    let (url, secret) = (text(&trigger, "webhook_url"), text(&trigger, "verification_secret"));
    let confirm = |place: &str| {
        let url = format!("{place}/confirm?Action=ConfirmSubscription&Token=2336412f37");
        json!({ "Type": "SubscriptionConfirmation", "SubscribeURL": url }).to_string()
    };
    let good = confirm("https://sns.eu-1.confirmed.example");
    assert_eq!(deliver(&server, &url, "forged", &good).await.0, 401);
    *pretended.failing.lock().unwrap() = true;
    let (status, told) = deliver(&server, &url, &secret, &good).await;
    assert!(status == 502 && told.contains("confirmation_failed"), "{status} {told}");
    *pretended.failing.lock().unwrap() = false;
    assert_eq!(*pretended.confirmed.lock().unwrap(), [""; 0], "not yet, and not when forged");
    let (status, told) = deliver(&server, &url, &secret, &good).await;
    assert_eq!((status, told.as_str()), (200, "ok"));
    let query = "Action=ConfirmSubscription&Token=2336412f37";
    assert_eq!(*pretended.confirmed.lock().unwrap(), [query]);

    for bad in
        [base.as_str(), "https://evil.example", "https://sns.eu-1.confirmed.example.evil.example"]
    {
        let (status, told) = deliver(&server, &url, &secret, &confirm(bad)).await;
        assert!(status == 422 && told.contains("url_not_allowed"), "{bad}: {status} {told}");
    }
    assert_eq!(pretended.confirmed.lock().unwrap().len(), 1);
    let outcomes = |name: &str| format!("/v1/receipts?outcome={name}");
    assert_eq!(server.all(&outcomes("challenge")).await.len(), 1);
    assert_eq!(server.all(&outcomes("failed")).await[0]["answered"], 502);
    assert_eq!(server.all("/v1/trigger-events").await, Vec::<Value>::new());
}

async fn answers_are_as_the_provider_wants_them(database: &Database) {
    let apps = TempDir::new().unwrap();
    let made = "secret: { generate: { bytes: 32, encoding: hex } }";
    let answers = "ingress: { content_types: [json, form], acknowledge: { status: 200, body: '[accepted]' } }";
    let challenges = "challenges:\n  - { kind: probe, methods: [GET] }\n  - { kind: query_echo, parameter: validationToken }\n  - { kind: ping, when: { path: $.body.webhook_id, exists: true }, signed: false }\n  - { kind: ping, when: { path: $.body.type, equals: 0 }, reply: { status: 204 } }";
    write_app(apps.path(), "polite", &format!("{made}\n{answers}\n{challenges}"), "");
    write_app(apps.path(), "plain", made, "");
    let server = start(database, &apps, &[]).await;
    let polite = server.post("/v1/triggers", json!({ "trigger": "POLITE__CALLED" })).await;
    let (url, secret) = (text(&polite, "webhook_url"), text(&polite, "verification_secret"));

    for _ in 0..2 {
        let told = deliver(&server, &url, &secret, r#"{"n":1}"#).await;
        assert_eq!(told, (200, "[accepted]".to_owned()), "a repetition as well");
    }
    assert_eq!(deliver(&server, &url, "forged", r#"{"n":1}"#).await.0, 401);
    assert_eq!(deliver(&server, &url, &secret, r#"{"type":0}"#).await, (204, String::new()));
    let ask = async |method: Method, query: &str| {
        let answer = client().request(method, format!("{url}{query}")).send().await.unwrap();
        let kind =
            answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        (answer.status().as_u16(), kind.unwrap_or_default(), answer.text().await.unwrap())
    };
    let plain = "text/plain; charset=utf-8".to_owned();
    assert_eq!(ask(Method::GET, "").await, (200, plain.clone(), String::new()));
    assert_eq!(ask(Method::HEAD, "").await.0, 200);
    for method in [Method::POST, Method::GET] {
        let echoed = ask(method, "?validationToken=%3Ch1%3EReady%3C%2Fh1%3E+a%3Ab").await;
        assert_eq!(echoed, (200, plain.clone(), "<h1>Ready</h1> a:b".to_owned()));
    }
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(server.deliver(&url, &form, b"webhook_id=7".to_vec()).await.status(), 200);
    assert_eq!(server.deliver(&url, &form, b"id=7".to_vec()).await.status(), 401);

    let other = server.post("/v1/triggers", json!({ "trigger": "PLAIN__CALLED" })).await;
    let url = text(&other, "webhook_url");
    let status =
        async |method: Method| client().request(method, &url).send().await.unwrap().status();
    assert_eq!(
        (status(Method::HEAD).await.as_u16(), status(Method::GET).await.as_u16()),
        (200, 405)
    );
}

async fn packed_and_malformed_bodies(database: &Database) {
    let apps = TempDir::new().unwrap();
    let made = "secret: { generate: { bytes: 32, encoding: hex } }";
    let packs = "ingress: { content_types: [json, xml, multipart, form], compression: [gzip] }";
    write_app(apps.path(), "packed", &format!("{made}\n{packs}"), "");
    write_app(apps.path(), "plain", made, "");
    let server = start(database, &apps, &[]).await;
    let trigger = server.post("/v1/triggers", json!({ "trigger": "PACKED__CALLED" })).await;
    let (url, secret) = (text(&trigger, "webhook_url"), text(&trigger, "verification_secret"));
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let send = async |url: &str, secret: &str, kind: &str, coding: Option<&str>, body: Vec<u8>| {
        let signature = github_signature(secret, &body);
        let mut headers = vec![("X-Signature", signature.as_str()), ("Content-Type", kind)];
        headers.extend(coding.map(|coding| ("Content-Encoding", coding)));
        server.deliver(url, &headers, body).await.status().as_u16()
    };
    let json = "application/json";
    assert_eq!(send(&url, &secret, json, Some("gzip"), gzip(br#"{"n":1}"#)).await, 202);
    let events = server.all("/v1/trigger-events").await;
    let event = server.get(&format!("/v1/trigger-events/{}", text(&events[0], "id"))).await;
    assert_eq!(event["data"], json!({ "n": 1 }));
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let chain = gzip(b"").repeat(20_000);
    let deep = "[".repeat(100_000).into_bytes();
    let multipart = "multipart/form-data; boundary=b";
    for (kind, coding, body, status) in [
        (json, Some("gzip"), bomb, 413),
        (json, Some("gzip"), chain, 400),
        (json, Some("deflate"), b"{}".to_vec(), 415),
        (json, Some("gzip"), b"{}".to_vec(), 400),
        (json, None, deep, 400),
        (json, None, b"{\"a\":NaN}".to_vec(), 400),
        (json, None, b"\"\xff\"".to_vec(), 400),
        (
            "application/xml",
            None,
            b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>".to_vec(),
            400,
        ),
        (multipart, None, b"--b\r\n".to_vec(), 400),
        ("text/plain", None, b"{}".to_vec(), 415),
    ] {
        let found = send(&url, &secret, kind, coding, body).await;
        assert_eq!(found, status, "{kind} {coding:?}");
    }
    let plain = server.post("/v1/triggers", json!({ "trigger": "PLAIN__CALLED" })).await;
    let (url, secret) = (text(&plain, "webhook_url"), text(&plain, "verification_secret"));
    assert_eq!(send(&url, &secret, json, Some("gzip"), gzip(b"{}")).await, 415, "opt-in");
}
