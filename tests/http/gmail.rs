//! Gmail, from consent to event: watches, signed pushes and history, against a simulator that
//! checks every request against Google's published description.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    consent::{another_project, consent, link},
    database::Database,
    eventually, on_both_databases,
    server::{ROOT_KEY, Server},
    simulator::Simulator,
};

on_both_databases!(
    a_new_message_is_found,
    labels_and_deletions_are_found,
    one_watch_serves_a_mailbox,
    mailboxes_of_two_projects_share_a_url,
    only_google_is_believed,
    a_burst_is_read_to_its_end,
    forgotten_history_is_told_as_a_gap,
    a_quiet_mailbox_is_looked_at,
    a_watch_is_renewed,
    quotas_are_respected,
    revoked_access_waits_for_its_owner,
    a_watch_that_google_refuses_leaves_no_trigger,
);

const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@example.com";
const PUSHER: &str = "gmail-push@my-project.iam.gserviceaccount.com";

async fn start(database: &Database, further: &[(&str, &str)]) -> (Simulator, Server, Value) {
    let simulator = Simulator::named("gmail").await;
    let hosts = [
        "gmail.googleapis.com",
        "oauth2.googleapis.com",
        "www.googleapis.com",
        "accounts.google.com",
    ];
    let urls = hosts.map(|host| format!("https://{host}={}", simulator.url)).join(",");
    let mut settings = vec![
        ("HEARKEN_APPS__GMAIL__URLS", urls.as_str()),
        ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32"),
        ("HEARKEN_JOBS__POLL_SECONDS", "0.2"),
        ("HEARKEN_JOBS__BACKOFF_SECONDS", "0.1"),
    ];
    settings.extend(further);
    let server = Server::start(database, &settings).await;
    let app = provider_app(&server, "projects/my-project/topics/gmail").await;
    let subscription = json!({ "endpoint": app["webhook_url"], "service_account": PUSHER });
    simulator.control("subscription", subscription).await;
    (simulator, server, app)
}

async fn provider_app(server: &Server, topic: &str) -> Value {
    let app = json!({
        "app": "gmail", "name": "Gmail",
        "credentials": { "client_id": "1234.apps.googleusercontent.com", "client_secret": "GOCSPX-secret" },
        "metadata": { "topic": topic, "push_service_account": PUSHER },
    });
    server.post("/v1/provider-apps", app).await
}

async fn create(server: &Server, key: &str, account: &Value, name: &str, config: Value) -> Value {
    let trigger = json!({ "trigger": name, "linked_account_id": account["id"], "config": config });
    let (status, trigger) = server.call_as(key, Method::POST, "/v1/triggers", Some(&trigger)).await;
    assert_eq!((status.as_u16(), &trigger["status"]), (201, &json!("active")), "{trigger}");
    trigger
}

fn path(trigger: &Value) -> String {
    format!("/v1/triggers/{}", trigger["id"].as_str().unwrap())
}

async fn delete(server: &Server, key: &str, trigger: &Value) {
    let (status, answer) = server.call_as(key, Method::DELETE, &path(trigger), None).await;
    assert_eq!(status, 204, "{answer}");
}

/// The trigger's events, newest first, once there are `count`.
async fn events(server: &Server, key: &str, trigger: &Value, count: usize) -> Vec<Value> {
    let path = format!("{}/events?limit=100", path(trigger));
    eventually(&format!("{count} events of {}", trigger["trigger"]), async || {
        let (_, page) = server.call_as(key, Method::GET, &path, None).await;
        let found = page["data"].as_array().unwrap();
        assert!(found.len() <= count, "{} events, and {count} were expected", found.len());
        (found.len() == count).then(|| found.clone())
    })
    .await
}

async fn whole(server: &Server, event: &Value) -> Value {
    server.get(&format!("/v1/trigger-events/{}", event["id"].as_str().unwrap())).await
}

/// Something happens in a mailbox, and its notice is acknowledged.
async fn change(simulator: &Simulator, change: Value) -> Value {
    let changed = simulator.control("change", change).await;
    let pushes = changed["pushes"].as_array().unwrap();
    assert!(!pushes.is_empty(), "the mailbox is watched: {changed}");
    assert!(pushes.iter().all(|push| push["status"] == 202), "{changed}");
    changed["ids"].clone()
}

async fn mailbox(simulator: &Simulator, email: &str) -> Value {
    let state = simulator.state().await;
    let found = state["mailboxes"].as_array().unwrap().iter().find(|one| one["email"] == email);
    found.unwrap().clone()
}

async fn no_violations(simulator: &Simulator) {
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn a_new_message_is_found(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    assert_eq!(account["external_id"], ADA, "{account}");
    simulator.control("change", json!({ "email": ADA, "add": { "subject": "before" } })).await;
    let trigger = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    assert_eq!(trigger["webhook_url"], app["webhook_url"]);
    assert_eq!(
        mailbox(&simulator, ADA).await["watch"]["topic"],
        "projects/my-project/topics/gmail"
    );

    change(&simulator, json!({ "email": ADA, "add": { "labels": ["SENT"] } })).await;
    let ids = change(&simulator, json!({ "email": ADA, "add": { "subject": "Engines" } })).await;
    let found = events(&server, ROOT_KEY, &trigger, 1).await;
    let event = whole(&server, &found[0]).await;
    assert_eq!(event["type"], "gmail.message.added");
    assert_eq!(event["data"]["message"]["id"], ids[0]);
    assert_eq!(event["data"]["subject"], "Engines");
    assert_eq!(event["data"]["from"], "Charles <charles@example.com>");
    assert!(event["occurred_at"].is_string(), "{event}");

    // The same notice again, and ids as text: the history has nothing new.
    let again = json!({ "email": ADA, "count": 20, "concurrency": 20, "text_id": true });
    let answers = simulator.control("push", again).await;
    assert!(answers.as_array().unwrap().iter().all(|one| one["status"] == 202), "{answers}");
    let fresh = change(&simulator, json!({ "email": ADA, "add": {} })).await;
    let found = events(&server, ROOT_KEY, &trigger, 2).await;
    assert_eq!(whole(&server, &found[0]).await["data"]["message"]["id"], fresh[0]);

    // Deleted before anybody looked.
    let gone = json!({ "email": ADA, "add": {}, "silent": true });
    let gone = simulator.control("change", gone).await["ids"][0].clone();
    change(&simulator, json!({ "email": ADA, "remove": gone })).await;
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    events(&server, ROOT_KEY, &trigger, 3).await;

    delete(&server, ROOT_KEY, &trigger).await;
    assert_eq!(mailbox(&simulator, ADA).await["watch"], Value::Null);
    no_violations(&simulator).await;
}

async fn labels_and_deletions_are_found(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let starred = json!({ "label": "STARRED" });
    let starred = create(&server, ROOT_KEY, &account, "GMAIL__LABEL_ADDED", starred).await;
    let labelled = create(&server, ROOT_KEY, &account, "GMAIL__LABEL_ADDED", json!({})).await;
    let read = json!({ "label": "UNREAD" });
    let read = create(&server, ROOT_KEY, &account, "GMAIL__LABEL_REMOVED", read).await;
    let deleted = create(&server, ROOT_KEY, &account, "GMAIL__MESSAGE_DELETED", json!({})).await;
    let id = change(&simulator, json!({ "email": ADA, "add": {} })).await[0].clone();
    let label = json!({ "id": id, "add": ["STARRED", "IMPORTANT"], "remove": ["UNREAD", "INBOX"] });
    change(&simulator, json!({ "email": ADA, "label": label })).await;
    change(&simulator, json!({ "email": ADA, "remove": id })).await;
    for (trigger, count, kind) in [
        (&starred, 1, "gmail.label.added"),
        (&labelled, 2, "gmail.label.added"),
        (&read, 1, "gmail.label.removed"),
        (&deleted, 1, "gmail.message.deleted"),
    ] {
        let found = events(&server, ROOT_KEY, trigger, count).await;
        let event = whole(&server, &found[0]).await;
        assert_eq!((&event["type"], &event["data"]["message"]["id"]), (&json!(kind), &id));
    }
    no_violations(&simulator).await;
}

async fn one_watch_serves_a_mailbox(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let first = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    change(&simulator, json!({ "email": ADA, "add": { "count": 2 } })).await;
    events(&server, ROOT_KEY, &first, 2).await;
    let plain = json!({ "details": false });
    let second = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", plain).await;
    assert_eq!(mailbox(&simulator, ADA).await["watches"], 1);
    assert_eq!(first["expires_at"], second["expires_at"]);
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    events(&server, ROOT_KEY, &first, 3).await;
    // What came before it was created is not for the second.
    events(&server, ROOT_KEY, &second, 1).await;
    delete(&server, ROOT_KEY, &first).await;
    assert!(mailbox(&simulator, ADA).await["watch"].is_object(), "the second still needs it");
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    events(&server, ROOT_KEY, &second, 2).await;
    delete(&server, ROOT_KEY, &second).await;
    let left = mailbox(&simulator, ADA).await;
    assert_eq!((&left["watch"], &left["stops"]), (&Value::Null, &json!(1)));
    no_violations(&simulator).await;
}

async fn mailboxes_of_two_projects_share_a_url(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let theirs = another_project(&server).await;
    let ada = link(&server, ROOT_KEY, "gmail", &app).await;
    simulator.control("consent", json!({ "email": GRACE })).await;
    let grace = link(&server, &theirs, "gmail", &app).await;
    let mine = create(&server, ROOT_KEY, &ada, "GMAIL__NEW_MESSAGE", json!({})).await;
    let other = create(&server, &theirs, &grace, "GMAIL__NEW_MESSAGE", json!({})).await;
    change(&simulator, json!({ "email": GRACE, "add": { "count": 2 } })).await;
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    events(&server, &theirs, &other, 2).await;
    events(&server, ROOT_KEY, &mine, 1).await;
    delete(&server, ROOT_KEY, &mine).await;
    assert_eq!(mailbox(&simulator, ADA).await["watch"], Value::Null);
    assert!(mailbox(&simulator, GRACE).await["watch"].is_object());
    no_violations(&simulator).await;
}

async fn only_google_is_believed(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let trigger = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    // A watch is followed by a notice at once, and that has to be answered first.
    let receipts = format!("/v1/receipts?trigger={}", trigger["id"].as_str().unwrap());
    eventually("the first notice is expanded", async || {
        let receipts = server.all(&receipts).await;
        receipts.iter().any(|receipt| receipt["method"] == "EXPAND").then_some(())
    })
    .await;
    simulator.control("change", json!({ "email": ADA, "add": {}, "silent": true })).await;
    for (tamper, reason) in [
        ("key", "bad_signature"),
        ("claims", "bad_signature"),
        ("kid", "unknown_key"),
        ("none", "malformed_signature"),
        ("audience", "wrong_claim"),
        ("account", "wrong_claim"),
        ("issuer", "wrong_claim"),
        ("unverified", "wrong_claim"),
        ("expired", "stale"),
        ("missing", "missing_signature"),
    ] {
        let answers = simulator.control("push", json!({ "email": ADA, "tamper": tamper })).await;
        assert_eq!(answers[0]["status"], 401, "{tamper}: {answers}");
        let receipts = format!("/v1/receipts?provider_app={}", app["id"].as_str().unwrap());
        let receipts = server.all(&receipts).await;
        let seen = (&receipts[0]["outcome"], &receipts[0]["reason"]);
        assert_eq!(seen, (&json!("rejected"), &json!(reason)), "{tamper}");
    }
    events(&server, ROOT_KEY, &trigger, 0).await;
    // Google's keys are kept, however many forgeries name another.
    assert!(simulator.state().await["keys"].as_u64().unwrap() <= 2);
    let answers = simulator.control("push", json!({ "email": ADA })).await;
    assert_eq!(answers[0]["status"], 202, "{answers}");
    events(&server, ROOT_KEY, &trigger, 1).await;
}

async fn a_burst_is_read_to_its_end(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let detailed = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    let plain = json!({ "details": false });
    let plain = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", plain).await;
    simulator.control("empty_pages", json!({ "email": ADA, "count": 2 })).await;
    change(&simulator, json!({ "email": ADA, "add": { "count": 45 } })).await;
    for trigger in [&detailed, &plain] {
        let found = events(&server, ROOT_KEY, trigger, 45).await;
        let ids = found.iter().map(|event| event["external_event_id"].as_str().unwrap());
        assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 45);
    }
    no_violations(&simulator).await;
}

async fn forgotten_history_is_told_as_a_gap(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let trigger = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    let labels = create(&server, ROOT_KEY, &account, "GMAIL__LABEL_ADDED", json!({})).await;
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    events(&server, ROOT_KEY, &trigger, 1).await;
    // Forgotten as it happens: a late notice must not have them read it in time.
    let missed = json!({ "email": ADA, "add": { "count": 12 }, "silent": true, "forget": true });
    simulator.control("change", missed).await;
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    // The gap, what was missed and the newest; what was told before is not told again.
    let found = events(&server, ROOT_KEY, &trigger, 1 + 1 + 12 + 1).await;
    let gaps: Vec<_> = found.iter().filter(|event| event["type"] == "gmail.gap").collect();
    assert_eq!(gaps.len(), 1);
    assert_eq!(whole(&server, gaps[0]).await["data"]["searched"], "newer_than:7d");
    let gap = events(&server, ROOT_KEY, &labels, 1).await;
    assert_eq!(gap[0]["type"], "gmail.gap");
    assert_eq!(whole(&server, &gap[0]).await["data"]["searched"], Value::Null);
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    events(&server, ROOT_KEY, &trigger, 16).await;
    no_violations(&simulator).await;
}

async fn a_quiet_mailbox_is_looked_at(database: &Database) {
    let (simulator, server, app) = start(database, &[("HEARKEN_JOBS__LOOK_SECONDS", "0.5")]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let trigger = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    // Gmail drops notices when there are too many.
    simulator
        .control("change", json!({ "email": ADA, "add": { "count": 2 }, "silent": true }))
        .await;
    events(&server, ROOT_KEY, &trigger, 2).await;
}

async fn a_watch_is_renewed(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    simulator.control("lifetimes", json!({ "watch_seconds": 3 })).await;
    let trigger = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    let sharing = create(&server, ROOT_KEY, &account, "GMAIL__LABEL_ADDED", json!({})).await;
    eventually("the watch is renewed", async || {
        (mailbox(&simulator, ADA).await["watches"].as_u64() >= Some(3)).then_some(())
    })
    .await;
    change(&simulator, json!({ "email": ADA, "add": {} })).await;
    events(&server, ROOT_KEY, &trigger, 1).await;
    for trigger in [&trigger, &sharing] {
        let now = server.get(&path(trigger)).await;
        assert_eq!(now["status"], "active", "{now}");
        assert!(now["expires_at"].as_str() > trigger["expires_at"].as_str(), "{now}");
    }
    no_violations(&simulator).await;
}

async fn quotas_are_respected(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let trigger = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    let limited = json!({ "error": {
        "code": 429, "message": "User-rate limit exceeded.", "status": "RESOURCE_EXHAUSTED",
        "errors": [{ "message": "User-rate limit exceeded.", "domain": "usageLimits", "reason": "rateLimitExceeded" }],
    } });
    let bad = json!([
        { "status": 429, "body": limited, "headers": { "retry-after": "1" } },
        { "status": 503 }, { "reset": true }, { "status": 502, "html": "<html><h1>Error</h1></html>" },
    ]);
    simulator.control("fault", json!({ "match": "/history", "next": bad })).await;
    simulator.control("fault", json!({ "match": "/messages/", "next": [{ "status": 500 }] })).await;
    change(&simulator, json!({ "email": ADA, "add": { "count": 3 } })).await;
    events(&server, ROOT_KEY, &trigger, 3).await;
    assert_eq!(server.get(&path(&trigger)).await["status"], "active");
}

async fn revoked_access_waits_for_its_owner(database: &Database) {
    let (simulator, server, app) = start(database, &[]).await;
    simulator.control("lifetimes", json!({ "token_seconds": 2 })).await;
    let account = link(&server, ROOT_KEY, "gmail", &app).await;
    let trigger = create(&server, ROOT_KEY, &account, "GMAIL__NEW_MESSAGE", json!({})).await;
    eventually("the access token is refreshed", async || {
        change(&simulator, json!({ "email": ADA, "add": { "labels": ["SPAM"] } })).await;
        (simulator.state().await["refreshes"].as_u64() >= Some(1)).then_some(())
    })
    .await;
    simulator.control("revoke", json!({ "email": ADA })).await;
    eventually("the account needs its owner", async || {
        change(&simulator, json!({ "email": ADA, "add": { "labels": ["SPAM"] } })).await;
        let now = server.get(&path(&trigger)).await;
        (now["status"] == "needs_reconnect").then_some(())
    })
    .await;
    let account_path = format!("/v1/linked-accounts/{}", account["id"].as_str().unwrap());
    assert_eq!(server.get(&account_path).await["status"], "needs_reconnect");
    change(&simulator, json!({ "email": ADA, "add": {} })).await;

    let again = json!({ "app": "gmail", "linked_account_id": account["id"] });
    let ended = consent(&server, ROOT_KEY, again).await;
    assert_eq!(ended, format!("linked_account_id={}", account["id"].as_str().unwrap()));
    // What came meanwhile is in the history.
    events(&server, ROOT_KEY, &trigger, 1).await;
    assert_eq!(server.get(&path(&trigger)).await["status"], "active");
    no_violations(&simulator).await;
}

async fn a_watch_that_google_refuses_leaves_no_trigger(database: &Database) {
    let (simulator, server, _) = start(database, &[]).await;
    for (topic, words) in [
        ("projects/my-project/topics/forbidden", "not authorized"),
        ("projects/elsewhere/topics/gmail", "Invalid topicName"),
    ] {
        let app = provider_app(&server, topic).await;
        let account = link(&server, ROOT_KEY, "gmail", &app).await;
        let wanted = json!({ "trigger": "GMAIL__NEW_MESSAGE", "linked_account_id": account["id"], "config": {} });
        let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&wanted)).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("provider_refused")),
            "{problem}"
        );
        assert!(problem.to_string().contains(words), "{problem}");
    }
    assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new());
    // Without the right to read mail nobody knows whose the mailbox is.
    let app = provider_app(&server, "projects/my-project/topics/gmail").await;
    let without = json!({ "email": ADA, "scopes": ["openid"] });
    simulator.control("consent", without).await;
    let flow = json!({ "app": "gmail", "provider_app_id": app["id"], "name": "no rights" });
    let ended = consent(&server, ROOT_KEY, flow).await;
    assert!(ended.starts_with("error="), "{ended}");
}
