//! An app that exists only in tests: linked by OAuth2 or with a pasted token, its deliveries signed
//! with a secret of the provider app. Its provider is `tests/simulators/oauth.mjs`.

use std::fs;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Method, Response, redirect::Policy};
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use super::{
    database::Database,
    server::{ROOT_KEY, Server},
    simulator::Simulator,
};

const DEFINITION: &str = r#"
title: Orchard
category: testing
description: Apples.
docs: https://docs.orchard.example
facts: { grade: R2, checked: "2026-11-24", sources: [https://docs.orchard.example] }
base_url: https://api.orchard.example
auth:
  - kind: oauth2
    title: The Orchard app
    oauth2:
      authorize_url: https://login.orchard.example/authorize
      token_url: https://login.orchard.example/token
      scopes: [hooks, read]
      authorize_parameters: { prompt: consent }
  - kind: token
    title: A token
    credentials: { type: object, required: [access_token], properties: { access_token: { type: string } } }
    metadata: { type: object, properties: { note: { type: string } } }
provider_app:
  title: An Orchard app
  credentials:
    type: object
    additionalProperties: false
    required: [client_id, client_secret, signing_secret]
    properties: { client_id: { type: string }, client_secret: { type: string }, signing_secret: { type: string, minLength: 8 } }
  metadata: { type: object, properties: { region: { type: string } } }
secret: { scope: app, field: signing_secret }
triggers:
  - name: PICKED
    type: apple.picked
    title: Picked
    description: An apple was picked.
    match: { path: $.body.kind, equals: picked }
    config: { type: object, properties: { tree: { type: integer } } }
    payload: { type: object }
"#;

const SCRIPT: &str = r#"
fn signature() {
    #{ kind: "hmac", algorithm: "sha256", header: "X-Orchard-Signature", encoding: "hex" }
}

fn headers(account) { #{ "Authorization": "Bearer " + account.access_token } }

fn identify(http, account) {
    let answer = http.get(`${account.base_url}/me`, #{ headers: headers(account) });
    if answer.status != 200 { throw provider_error(answer, "Make another token."); }
    #{ id: answer.body.id, name: answer.body.name, metadata: #{ region: answer.body.region } }
}

fn register(http, trigger) {
    let answer = http.post(`${trigger.base_url}/hooks`, #{
        headers: headers(trigger.account),
        json: #{ url: trigger.url, for_account: trigger.account.id, region: trigger.account.metadata.region },
    });
    if answer.status != 201 { throw provider_error(answer); }
    #{ external_id: answer.body.id }
}

fn unregister(http, trigger) {
    let answer = http.delete(`${trigger.base_url}/hooks/${trigger.external_id}`, #{ headers: headers(trigger.account) });
    if answer.status != 204 { throw provider_error(answer); }
}

fn events(request, trigger) {
    #{ id: request.body.id, data: #{ account: trigger.account.id, region: trigger.account.metadata.region } }
}
"#;

/// The app's folder, its provider and what a server must know of them.
pub(crate) struct Orchard {
    apps: TempDir,
    pub(crate) simulator: Simulator,
    urls: String,
}

impl Orchard {
    /// With the definition as `change` makes it.
    pub(crate) async fn planted(change: impl FnOnce(String) -> String) -> Self {
        let apps = TempDir::new().unwrap();
        let folder = apps.path().join("orchard");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("app.yaml"), change(DEFINITION.to_owned())).unwrap();
        fs::write(folder.join("connector.rhai"), SCRIPT).unwrap();
        let simulator = Simulator::named("oauth").await;
        let urls = format!(
            "https://login.orchard.example={0}, https://api.orchard.example={0}/api",
            simulator.url
        );
        Self { apps, simulator, urls }
    }

    pub(crate) async fn grown() -> Self {
        Self::planted(|definition| definition).await
    }

    /// A server that knows it, and whose redirect URL it knows.
    pub(crate) async fn serve(&self, database: &Database, more: &[(&str, &str)]) -> Server {
        let server = self.another_server(database, more).await;
        let redirect_uri = format!("{}/v1/oauth2/callback", server.url);
        self.settings(json!({ "redirect_uri": redirect_uri })).await;
        server
    }

    pub(crate) async fn another_server(
        &self,
        database: &Database,
        more: &[(&str, &str)],
    ) -> Server {
        let mut settings = vec![
            ("HEARKEN_APPS_DIR", self.apps.path().to_str().unwrap()),
            ("HEARKEN_APPS__ORCHARD__URLS", &*self.urls),
            ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32"),
            ("HEARKEN_RETURN_ORIGINS", "https://console.example"),
        ];
        settings.extend(more);
        Server::start(database, &settings).await
    }

    pub(crate) async fn settings(&self, settings: Value) {
        self.simulator.control("settings", settings).await;
    }

    pub(crate) async fn faults(&self, faults: Value) {
        self.simulator.control("faults", json!({ "faults": faults })).await;
    }

    /// Registers the provider app; returns its id.
    pub(crate) async fn provider_app(&self, server: &Server) -> String {
        let made = server.post("/v1/provider-apps", self.provider_app_request("signing-one").await);
        made.await["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn provider_app_request(&self, signing_secret: &str) -> Value {
        let client = self.simulator.state().await["client"].clone();
        json!({ "app": "orchard", "name": "ours", "credentials": {
            "client_id": client["id"], "client_secret": client["secret"], "signing_secret": signing_secret,
        } })
    }

    /// Links an account by OAuth2; returns its id.
    pub(crate) async fn link(&self, server: &Server, provider_app: &str) -> String {
        let answer = consent(&start(server, provider_app, json!({})).await).await;
        let text = answer.text().await.unwrap();
        let id = text.split_whitespace().find(|word| word.starts_with("acc_"));
        id.unwrap_or_else(|| panic!("no account was linked: {text}"))
            .trim_end_matches('.')
            .to_owned()
    }
}

/// Begins a flow with these further fields; returns where to send the user.
pub(crate) async fn start(server: &Server, provider_app: &str, more: Value) -> String {
    let (status, begun) = try_start(server, ROOT_KEY, provider_app, more).await;
    assert_eq!(status, 201, "{begun}");
    begun["authorize_url"].as_str().unwrap().to_owned()
}

pub(crate) async fn try_start(
    server: &Server,
    key: &str,
    provider_app: &str,
    more: Value,
) -> (u16, Value) {
    let mut body = json!({ "app": "orchard", "provider_app_id": provider_app, "name": "The team" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let path = "/v1/linked-accounts/oauth2/start";
    let (status, begun) = server.call_as(key, Method::POST, path, Some(&body)).await;
    (status.as_u16(), begun)
}

/// Goes where a user's browser would: to the provider, which consents, and back to the server.
pub(crate) async fn consent(authorize_url: &str) -> Response {
    visit(&sent_back(authorize_url).await).await
}

/// The URL that the provider sends the user back to.
pub(crate) async fn sent_back(authorize_url: &str) -> String {
    let answer = visit(authorize_url).await;
    assert_eq!(answer.status(), 302, "{authorize_url}: {}", answer.text().await.unwrap());
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// One page, without going on to where it leads.
#[expect(clippy::disallowed_methods, reason = "a user's browser is no part of the server")]
pub(crate) async fn visit(url: &str) -> Response {
    let browser = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    browser.get(url).send().await.unwrap()
}

/// A trigger of the account, created.
pub(crate) async fn try_trigger(server: &Server, account: &str) -> (u16, Value) {
    let body = json!({ "trigger": "ORCHARD__PICKED", "linked_account_id": account, "config": {} });
    let (status, trigger) = server.call(Method::POST, "/v1/triggers", Some(&body)).await;
    (status.as_u16(), trigger)
}

/// Delivers an apple signed with `secret`; returns the status.
pub(crate) async fn deliver(server: &Server, trigger: &Value, secret: &str, id: &str) -> u16 {
    let body = json!({ "kind": "picked", "id": id }).to_string().into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&body);
    let signature = data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes());
    let headers = [("content-type", "application/json"), ("x-orchard-signature", &*signature)];
    let url = trigger["webhook_url"].as_str().unwrap();
    server.deliver(url, &headers, body).await.status().as_u16()
}

/// Runs SQL past the server.
pub(crate) async fn execute(database: &Database, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    if database.url().starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(database.url()).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
    } else {
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        sql.execute(&mut connection).await.unwrap();
    }
}
