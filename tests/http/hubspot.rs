//! HubSpot end to end: an app installed in several accounts, one URL and shared subscriptions for
//! all of their triggers, batches signed by HubSpot's own library.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    database::Database,
    on_both_databases,
    server::{ROOT_KEY, Server, client},
    simulator::Simulator,
};

on_both_databases!(
    an_installed_account_receives_its_events,
    two_projects_share_a_subscription,
    a_batch_reaches_the_triggers_of_each_account,
    forged_batches_are_turned_away,
    the_former_secret_verifies_for_a_while,
    a_foreign_target_is_left_alone,
    refusals_are_told_in_hubspots_words,
    without_a_developer_key_subscriptions_are_made_by_hand,
);

const ACME: u64 = 48_807_704;
const OTHER: u64 = 62_515;

struct Setup {
    simulator: Simulator,
    server: Server,
    provider_app: Value,
}

/// A server with a provider app that is registered at the simulator.
async fn start(database: &Database, key: Option<&str>, metadata: Value) -> Setup {
    let simulator = Simulator::named("hubspot").await;
    let server = Server::start(
        database,
        &[
            ("HEARKEN_APPS__HUBSPOT__BASE_URL", &simulator.url),
            ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32"),
        ],
    )
    .await;
    let app = simulator.state().await["app"].clone();
    let mut credentials =
        json!({ "client_id": app["client_id"], "client_secret": app["client_secret"] });
    if let Some(key) = key {
        credentials["developer_api_key"] = key.into();
    }
    let wanted = json!({ "app": "hubspot", "name": "Our app", "credentials": credentials, "metadata": metadata });
    let provider_app = server.post("/v1/provider-apps", wanted).await;
    Setup { simulator, server, provider_app }
}

async fn ready(database: &Database) -> Setup {
    start(database, Some("hapikey_valid"), json!({ "app_id": 16_111_050 })).await
}

impl Setup {
    fn provider_app_id(&self) -> &str {
        self.provider_app["id"].as_str().unwrap()
    }

    /// One call that must succeed, with the key of some project.
    async fn call(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.server.call_as(key, method, path, body.as_ref()).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// Installs the app in an account of HubSpot's as a user does, in a browser.
    async fn install(&self, key: &str, portal: u64) -> Value {
        let wanted = json!({ "app": "hubspot", "provider_app_id": self.provider_app_id(), "name": format!("portal {portal}") });
        let begun =
            self.call(key, Method::POST, "/v1/linked-accounts/oauth2/start", Some(wanted)).await;
        let consent = json!({ "url": begun["authorize_url"], "portal": portal });
        let consented = self.simulator.control("authorize", consent).await;
        let back = client().get(consented["redirect"].as_str().unwrap()).send().await.unwrap();
        assert!(back.status().is_success(), "{}: {}", back.status(), back.text().await.unwrap());
        let accounts = self.call(key, Method::GET, "/v1/linked-accounts", None).await;
        let accounts = accounts["data"].as_array().unwrap();
        let id = portal.to_string();
        let mine = |account: &&Value| account["external_id"] == id.as_str();
        accounts.iter().find(mine).expect("the account that was just linked").clone()
    }

    async fn link_private_app(&self, portal: u64) -> Value {
        let wanted = json!({
            "app": "hubspot", "name": "private", "kind": "token", "provider_app_id": self.provider_app_id(),
            "credentials": { "token": format!("pat-{portal}") },
        });
        self.server.post("/v1/linked-accounts", wanted).await
    }

    async fn trigger(&self, key: &str, account: &Value, name: &str, config: Value) -> Value {
        let wanted =
            json!({ "trigger": name, "linked_account_id": account["id"], "config": config });
        self.call(key, Method::POST, "/v1/triggers", Some(wanted)).await
    }

    async fn delete(&self, key: &str, trigger: &Value) {
        let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
        let (status, answer) = self.server.call_as(key, Method::DELETE, &path, None).await;
        assert_eq!(status, 204, "{answer}");
    }

    async fn events(&self, key: &str, trigger: &Value) -> Vec<Value> {
        let path = format!("/v1/triggers/{}/events", trigger["id"].as_str().unwrap());
        self.call(key, Method::GET, &path, None).await["data"].as_array().unwrap().clone()
    }

    async fn data(&self, event: &Value) -> Value {
        let path = format!("/v1/trigger-events/{}", event["id"].as_str().unwrap());
        self.server.get(&path).await["data"].clone()
    }

    async fn deliver(&self, job: Value) -> Value {
        self.simulator.control("deliver", job).await
    }

    async fn subscriptions(&self) -> Vec<Value> {
        self.simulator.state().await["subscriptions"].as_array().unwrap().clone()
    }

    async fn assert_no_violations(&self) {
        assert_eq!(self.simulator.state().await["violations"], json!([]));
    }
}

async fn other_project(server: &Server) -> String {
    let project = server.post("/v1/projects", json!({ "name": "other" })).await;
    let wanted = json!({ "name": "other's", "project_id": project["id"] });
    server.post("/v1/api-keys", wanted).await["key"].as_str().unwrap().to_owned()
}

fn created(portal: u64, object: &str) -> Value {
    json!({ "portal": portal, "object": object, "change": "creation" })
}

fn changed(portal: u64, property: &str, value: &str) -> Value {
    json!({ "portal": portal, "object": "contact", "change": "propertyChange", "property": property, "value": value })
}

async fn an_installed_account_receives_its_events(database: &Database) {
    let setup = ready(database).await;
    let account = setup.install(ROOT_KEY, ACME).await;
    assert_eq!(account["status"], "active", "{account}");
    assert_eq!(account["metadata"]["portal_id"], ACME, "{account}");
    let wanted = json!({
        "trigger": "HUBSPOT__CONTACT_PROPERTY_CHANGED", "linked_account_id": account["id"],
        "config": { "property_name": "email" },
        "filter": { "path": "$.propertyValue", "regex": "@example\\.com$" },
    });
    let trigger = setup.server.post("/v1/triggers", wanted).await;
    assert_eq!(trigger["status"], "active");
    assert_eq!(trigger["webhook_url"], setup.provider_app["webhook_url"]);
    let state = setup.simulator.state().await;
    assert_eq!(state["settings"]["targetUrl"], trigger["webhook_url"]);
    let subscriptions = setup.subscriptions().await;
    assert_eq!(subscriptions.len(), 1);
    assert_eq!(subscriptions[0]["eventType"], "contact.propertyChange");
    assert_eq!(subscriptions[0]["active"], true);
    assert_eq!(trigger["external_id"], subscriptions[0]["id"]);

    for (value, stored) in
        [("maria@example.com", 1), ("maria@elsewhere.example", 1), ("jon@example.com", 2)]
    {
        let sent = setup.deliver(json!({ "changes": [changed(ACME, "email", value)] })).await;
        assert!((200..300).contains(&sent["status"].as_u64().unwrap()), "{sent}");
        assert_eq!(setup.events(ROOT_KEY, &trigger).await.len(), stored, "{value}");
    }
    let events = setup.events(ROOT_KEY, &trigger).await;
    assert_eq!(events[0]["type"], "hubspot.contact.property_changed");
    let data = setup.data(&events[0]).await;
    assert_eq!(data["propertyValue"], "jon@example.com");
    assert_eq!(data["objectId"], 138_017_612_137_u64);

    // The same event in another attempt is no other event.
    let again = json!([{ "attemptNumber": 3 }]);
    let mut repeated = data.clone();
    repeated["attemptNumber"] = again[0]["attemptNumber"].clone();
    setup.deliver(json!({ "events": [repeated] })).await;
    assert_eq!(setup.events(ROOT_KEY, &trigger).await.len(), 2);

    setup.delete(ROOT_KEY, &trigger).await;
    assert_eq!(setup.subscriptions().await, Vec::<Value>::new());
    setup.assert_no_violations().await;
}

async fn two_projects_share_a_subscription(database: &Database) {
    let setup = ready(database).await;
    let key = other_project(&setup.server).await;
    let acme = setup.install(ROOT_KEY, ACME).await;
    let other = setup.install(&key, OTHER).await;
    let name = "HUBSPOT__CONTACT_CREATED";
    let first = setup.trigger(ROOT_KEY, &acme, name, json!({})).await;
    let second = setup.trigger(&key, &other, name, json!({})).await;
    let subscriptions = setup.subscriptions().await;
    assert_eq!(subscriptions.len(), 1, "{subscriptions:?}");
    assert_eq!(first["external_id"], second["external_id"]);
    let email = json!({ "property_name": "email" });
    let third = setup.trigger(&key, &other, "HUBSPOT__CONTACT_PROPERTY_CHANGED", email).await;
    assert_eq!(setup.subscriptions().await.len(), 2, "another property is another subscription");

    // The first to go leaves the subscription to the other.
    setup.delete(ROOT_KEY, &first).await;
    assert_eq!(setup.subscriptions().await.len(), 2);
    let sent = setup
        .deliver(json!({ "changes": [created(OTHER, "contact"), created(ACME, "contact")] }))
        .await;
    assert!((200..300).contains(&sent["status"].as_u64().unwrap()), "{sent}");
    assert_eq!(setup.events(&key, &second).await.len(), 1);
    setup.delete(&key, &second).await;
    let left = setup.subscriptions().await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["eventType"], "contact.propertyChange");
    setup.delete(&key, &third).await;
    assert_eq!(setup.subscriptions().await, Vec::<Value>::new());
    setup.assert_no_violations().await;
}

async fn a_batch_reaches_the_triggers_of_each_account(database: &Database) {
    let setup = ready(database).await;
    let key = other_project(&setup.server).await;
    let acme = setup.install(ROOT_KEY, ACME).await;
    let other = setup.install(&key, OTHER).await;
    let contacts = setup.trigger(ROOT_KEY, &acme, "HUBSPOT__CONTACT_CREATED", json!({})).await;
    let deals = setup.trigger(ROOT_KEY, &acme, "HUBSPOT__DEAL_CREATED", json!({})).await;
    let theirs = setup.trigger(&key, &other, "HUBSPOT__CONTACT_CREATED", json!({})).await;
    let changes = json!([
        created(ACME, "contact"),
        created(ACME, "deal"),
        created(ACME, "contact"),
        created(OTHER, "contact"),
        created(OTHER, "deal"),
        created(1, "contact"),
    ]);
    let sent = setup.deliver(json!({ "changes": changes })).await;
    assert!((200..300).contains(&sent["status"].as_u64().unwrap()), "{sent}");
    assert_eq!(sent["events"].as_array().unwrap().len(), 6);
    let text = sent["body"].to_string();
    assert!(!text.contains("trg_") && !text.contains("evt_"), "no ids of anybody's: {text}");
    assert_eq!(setup.events(ROOT_KEY, &contacts).await.len(), 2);
    assert_eq!(setup.events(ROOT_KEY, &deals).await.len(), 1);
    assert_eq!(setup.events(&key, &theirs).await.len(), 1);
    for (key, trigger, portal) in [(ROOT_KEY, &contacts, ACME), (&key, &theirs, OTHER)] {
        for event in setup.events(key, trigger).await {
            let path = format!("/v1/trigger-events/{}", event["id"].as_str().unwrap());
            let event = setup.call(key, Method::GET, &path, None).await;
            assert_eq!(event["data"]["portalId"], portal);
        }
    }

    // An account nobody linked is accepted, and kept for the administrator to see.
    let sent = setup.deliver(json!({ "changes": [created(7, "contact")] })).await;
    assert!((200..300).contains(&sent["status"].as_u64().unwrap()), "{sent}");
    let path = format!("/v1/receipts?provider_app={}", setup.provider_app_id());
    let receipts = setup.server.all(&path).await;
    let nobodys =
        |receipt: &Value| receipt["outcome"] == "ignored" && receipt["trigger_id"].is_null();
    assert_eq!(receipts.iter().filter(|receipt| nobodys(receipt)).count(), 1, "{receipts:?}");
    setup.assert_no_violations().await;
}

async fn forged_batches_are_turned_away(database: &Database) {
    let setup = ready(database).await;
    let account = setup.install(ROOT_KEY, ACME).await;
    let trigger = setup.trigger(ROOT_KEY, &account, "HUBSPOT__CONTACT_CREATED", json!({})).await;
    let changes = json!([created(ACME, "contact")]);
    let forgeries = [
        (json!({ "tamper": "body" }), "bad_signature"),
        (json!({ "tamper": "wrong_secret" }), "bad_signature"),
        // Its signature of version 1 is good.
        (json!({ "tamper": "v3" }), "bad_signature"),
        (json!({ "tamper": "timestamp" }), "bad_signature"),
        (json!({ "tamper": "url" }), "bad_signature"),
        (json!({ "tamper": "missing" }), "missing_signature"),
        (json!({ "age": 301_000 }), "stale"),
        (json!({ "age": -301_000 }), "stale"),
        (json!({ "only": "v1", "tamper": "body" }), "bad_signature"),
        (json!({ "only": "v2", "tamper": "url" }), "bad_signature"),
    ];
    for (mut job, code) in forgeries {
        job["changes"] = changes.clone();
        let sent = setup.deliver(job.clone()).await;
        assert_eq!(
            (&sent["status"], &sent["body"]["code"]),
            (&json!(401), &json!(code)),
            "{job}: {sent}"
        );
    }
    assert_eq!(setup.events(ROOT_KEY, &trigger).await, Vec::<Value>::new());
    for (count, only) in ["v1", "v2", "v3"].into_iter().enumerate() {
        let sent = setup.deliver(json!({ "changes": changes, "only": only })).await;
        assert!((200..300).contains(&sent["status"].as_u64().unwrap()), "{only}: {sent}");
        assert_eq!(setup.events(ROOT_KEY, &trigger).await.len(), count + 1, "{only}");
    }
}

async fn the_former_secret_verifies_for_a_while(database: &Database) {
    let setup = ready(database).await;
    let account = setup.install(ROOT_KEY, ACME).await;
    let trigger = setup.trigger(ROOT_KEY, &account, "HUBSPOT__CONTACT_CREATED", json!({})).await;
    let path = format!("/v1/provider-apps/{}", setup.provider_app_id());
    let change = json!({ "credentials": { "client_id": "client-1", "client_secret": "replaced", "developer_api_key": "hapikey_valid" } });
    let changed = setup.call(ROOT_KEY, Method::PATCH, &path, Some(change)).await;
    assert!(changed["previous_until"].is_string(), "{changed}");
    for (secret, status) in [("client-secret-1", 200), ("replaced", 200), ("neither", 401)] {
        let job = json!({ "changes": [created(ACME, "contact")], "secret": secret });
        let sent = setup.deliver(job).await;
        assert_eq!(sent["status"].as_u64().unwrap() / 100, status / 100, "{secret}: {sent}");
    }
    assert_eq!(setup.events(ROOT_KEY, &trigger).await.len(), 2);
}

async fn a_foreign_target_is_left_alone(database: &Database) {
    let setup = ready(database).await;
    let account = setup.install(ROOT_KEY, ACME).await;
    let foreign = json!({
        "targetUrl": "https://elsewhere.example/hook", "throttling": { "maxConcurrentRequests": 10 },
        "createdAt": "2026-11-24T09:00:00Z",
    });
    setup.simulator.control("set", json!({ "settings": foreign })).await;
    let wanted = json!({ "trigger": "HUBSPOT__CONTACT_CREATED", "linked_account_id": account["id"], "config": {} });
    let (status, problem) = setup.server.call(Method::POST, "/v1/triggers", Some(&wanted)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("provider_refused")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("another URL already"), "{problem}");
    assert!(
        !problem.to_string().contains("elsewhere.example"),
        "whose it is, is nobody's business"
    );
    assert_eq!(setup.simulator.state().await["settings"], foreign);
    assert_eq!(setup.subscriptions().await, Vec::<Value>::new());
    assert_eq!(setup.server.all("/v1/triggers").await, Vec::<Value>::new());
}

async fn refusals_are_told_in_hubspots_words(database: &Database) {
    let setup = start(database, Some("hapikey_norights"), json!({ "app_id": 16_111_050 })).await;
    let account = setup.link_private_app(ACME).await;
    assert_eq!(account["external_id"], "48807704", "{account}");
    let wanted = json!({ "trigger": "HUBSPOT__CONTACT_CREATED", "linked_account_id": account["id"], "config": {} });
    let (status, problem) = setup.server.call(Method::POST, "/v1/triggers", Some(&wanted)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("provider_refused")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("required scopes"), "{problem}");
    assert!(!problem.to_string().contains("hapikey_norights"), "{problem}");
    let bad = json!({
        "app": "hubspot", "name": "x", "kind": "token", "provider_app_id": setup.provider_app_id(),
        "credentials": { "token": "pat-wrong" },
    });
    let (status, problem) =
        setup.server.call(Method::POST, "/v1/linked-accounts", Some(&bad)).await;
    assert_eq!(status, 422, "{problem}");
    assert!(problem.to_string().contains("Authentication credentials not found"), "{problem}");
    assert!(!problem.to_string().contains("pat-wrong"), "{problem}");
}

async fn without_a_developer_key_subscriptions_are_made_by_hand(database: &Database) {
    let setup = start(database, None, json!({ "app_id": 1 })).await;
    let account = setup.link_private_app(ACME).await;
    let trigger = setup.trigger(ROOT_KEY, &account, "HUBSPOT__CONTACT_CREATED", json!({})).await;
    assert_eq!(trigger["status"], "active", "{trigger}");
    // What a project-based app sends.
    let event = json!({
        "eventId": 1, "subscriptionId": 2, "portalId": ACME, "appId": 1, "occurredAt": 1_795_514_398_733_u64,
        "subscriptionType": "object.creation", "objectTypeId": "0-1", "attemptNumber": 0, "objectId": 3,
    });
    let sent = setup.deliver(json!({ "url": trigger["webhook_url"], "events": [event] })).await;
    assert!((200..300).contains(&sent["status"].as_u64().unwrap()), "{sent}");
    assert_eq!(setup.events(ROOT_KEY, &trigger).await.len(), 1);
    setup.delete(ROOT_KEY, &trigger).await;
    let requests = setup.simulator.state().await["requests"].clone();
    assert!(!requests.to_string().contains("webhooks"), "nothing was asked of it: {requests}");
}
