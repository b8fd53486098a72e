//! Slack, from consent to event: one app, one URL, and the workspaces of several projects behind
//! it, against a simulator whose signatures Slack's own verifier confirms.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    consent::{another_project, consent, link},
    database::Database,
    on_both_databases,
    server::{ROOT_KEY, Server},
    simulator::Simulator,
};

on_both_databases!(
    events_of_two_workspaces_reach_their_projects,
    every_trigger_gets_its_event,
    the_url_answers_slack_before_any_trigger_exists,
    forged_events_are_turned_away,
    the_manifest_follows_the_triggers,
    a_refused_manifest_leaves_no_trigger,
    a_denied_or_wrong_account_is_not_linked,
);

const TEAM: &str = "T024BE7LD";
const OTHER_TEAM: &str = "T0OTHERTEAM";
const CONFIGURATION: &str = "xoxe.xoxp-1-valid";

async fn start(database: &Database) -> (Simulator, Server) {
    let simulator = Simulator::named("slack").await;
    let urls = format!("https://slack.com={}", simulator.url);
    let settings =
        [("HEARKEN_APPS__SLACK__URLS", urls.as_str()), ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32")];
    let server = Server::start(database, &settings).await;
    (simulator, server)
}

async fn provider_app(simulator: &Simulator, server: &Server, token: Option<&str>) -> Value {
    let app = simulator.state().await["app"].clone();
    let mut credentials = json!({
        "client_id": app["client_id"], "client_secret": app["client_secret"],
        "signing_secret": app["signing_secret"],
    });
    if let Some(token) = token {
        credentials["configuration_token"] = json!(token);
    }
    let app = json!({
        "app": "slack", "name": "Hearken", "credentials": credentials,
        "metadata": { "app_id": app["id"] },
    });
    server.post("/v1/provider-apps", app).await
}

/// Enters the URL and every event into the manifest, as the guide tells an operator to.
async fn by_hand(simulator: &Simulator, provider_app: &Value) {
    let mut manifest = simulator.state().await["manifest"].clone();
    manifest["settings"]["event_subscriptions"] = json!({
        "request_url": provider_app["webhook_url"],
        "bot_events": [
            "app_mention", "channel_created", "file_shared", "member_joined_channel",
            "member_left_channel", "message.channels", "reaction_added", "team_join",
        ],
    });
    simulator.control("manifest", manifest).await;
}

async fn create(server: &Server, key: &str, account: &Value, name: &str, config: Value) -> Value {
    let trigger = json!({ "trigger": name, "linked_account_id": account["id"], "config": config });
    let (status, trigger) = server.call_as(key, Method::POST, "/v1/triggers", Some(&trigger)).await;
    assert_eq!((status.as_u16(), &trigger["status"]), (201, &json!("active")), "{trigger}");
    trigger
}

async fn events(server: &Server, key: &str, trigger: &Value) -> Vec<Value> {
    let path = format!("/v1/triggers/{}/events", trigger["id"].as_str().unwrap());
    let (status, page) = server.call_as(key, Method::GET, &path, None).await;
    assert_eq!(status, 200, "{page}");
    page["data"].as_array().unwrap().clone()
}

fn message(text: &str) -> Value {
    json!({
        "type": "message", "channel": "C024BE91L", "channel_type": "channel",
        "user": "U2147483697", "text": text, "ts": "1795514399.000200",
    })
}

async fn send(simulator: &Simulator, delivery: Value) -> Value {
    let sent = simulator.control("deliver", delivery).await;
    assert_eq!(sent[0]["status"], 202, "{sent}");
    sent
}

async fn outcomes(server: &Server, provider_app: &Value) -> Vec<(String, Value)> {
    let path = format!("/v1/receipts?provider_app={}", provider_app["id"].as_str().unwrap());
    let receipts = server.all(&path).await;
    let outcome =
        |one: &Value| (one["outcome"].as_str().unwrap().to_owned(), one["reason"].clone());
    receipts.iter().map(outcome).collect()
}

async fn events_of_two_workspaces_reach_their_projects(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&simulator, &server, None).await;
    by_hand(&simulator, &app).await;
    let theirs = another_project(&server).await;
    let account = link(&server, ROOT_KEY, "slack", &app).await;
    assert_eq!(account["external_id"], TEAM, "{account}");
    assert_eq!(account["metadata"]["team"], "Subarachnoid Workspace");
    simulator.control("consent", json!({ "team": OTHER_TEAM })).await;
    let other_account = link(&server, &theirs, "slack", &app).await;
    assert_eq!(other_account["external_id"], OTHER_TEAM);

    let name = "SLACK__MESSAGE_CHANNELS";
    let mine = create(&server, ROOT_KEY, &account, name, json!({})).await;
    let other = create(&server, &theirs, &other_account, name, json!({})).await;
    assert_eq!(mine["webhook_url"], app["webhook_url"], "one URL for both");
    assert_eq!(other["webhook_url"], app["webhook_url"]);

    let sent = send(&simulator, json!({ "team": TEAM, "event": message("ours") })).await;
    assert_eq!(sent[0]["body"]["accepted"], 1, "{sent}");
    send(&simulator, json!({ "team": OTHER_TEAM, "event": message("theirs") })).await;
    // Written by somebody of another organisation in a channel that both share.
    let shared = json!({ "team": TEAM, "source_team": "T0ELSEWHERE", "event": message("shared") });
    send(&simulator, shared).await;

    let stored = events(&server, ROOT_KEY, &mine).await;
    assert_eq!(stored.len(), 2, "{stored:?}");
    let stored = events(&server, &theirs, &other).await;
    assert_eq!(stored.len(), 1, "{stored:?}");
    let path = format!("/v1/trigger-events/{}", stored[0]["id"].as_str().unwrap());
    let (_, event) = server.call_as(&theirs, Method::GET, &path, None).await;
    assert_eq!(event["data"]["event"]["text"], "theirs");
    assert_eq!(event["data"].get("token"), None, "Slack's verification token is left out");
    let (status, _) = server.call(Method::GET, &path, None).await;
    assert_eq!(status, 404, "nobody sees the other's");

    for (key, trigger) in [(ROOT_KEY, &mine), (&theirs, &other)] {
        let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
        let (status, answer) = server.call_as(key, Method::DELETE, &path, None).await;
        assert_eq!(status, 204, "{answer}");
    }
    let sent = send(&simulator, json!({ "team": TEAM, "event": message("to nobody") })).await;
    assert_eq!(sent[0]["body"]["accepted"], 0, "{sent}");
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn every_trigger_gets_its_event(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&simulator, &server, None).await;
    by_hand(&simulator, &app).await;
    let account = link(&server, ROOT_KEY, "slack", &app).await;
    let item = json!({ "type": "message", "channel": "C0G9QF9GZ", "ts": "1360782400.498405" });
    let member = |kind: &str| json!({ "type": kind, "user": "W06GH7XHN", "channel": "C0698JE0H", "channel_type": "C", "team": TEAM });
    let cases = [
        ("MESSAGE_CHANNELS", "message.channels", message("hello")),
        (
            "APP_MENTION",
            "app_mention",
            json!({ "type": "app_mention", "user": "U061F7AUR", "text": "<@U0BOT>", "ts": "1.2", "channel": "C1" }),
        ),
        (
            "REACTION_ADDED",
            "reaction_added",
            json!({ "type": "reaction_added", "user": "U024BE7LH", "reaction": "tada", "item": item }),
        ),
        ("MEMBER_JOINED_CHANNEL", "member_joined_channel", member("member_joined_channel")),
        ("MEMBER_LEFT_CHANNEL", "member_left_channel", member("member_left_channel")),
        (
            "FILE_SHARED",
            "file_shared",
            json!({ "type": "file_shared", "file_id": "F1", "user_id": "U1", "channel_id": "C1" }),
        ),
        (
            "CHANNEL_CREATED",
            "channel_created",
            json!({ "type": "channel_created", "channel": { "id": "C1", "name": "fun" } }),
        ),
        (
            "TEAM_JOIN",
            "team_join",
            json!({ "type": "team_join", "user": { "id": "U0G9WFXNZ", "name": "spengler" } }),
        ),
    ];
    let mut triggers = Vec::new();
    for (name, ..) in &cases {
        triggers
            .push(create(&server, ROOT_KEY, &account, &format!("SLACK__{name}"), json!({})).await);
    }
    for ((_, kind, event), trigger) in cases.iter().zip(&triggers) {
        let delivery = json!({ "team": TEAM, "event": event, "count": 3, "concurrency": 3 });
        let sent = send(&simulator, delivery).await;
        let stored = events(&server, ROOT_KEY, trigger).await;
        assert_eq!(stored.len(), 1, "a repetition has the same id: {kind}");
        assert_eq!(stored[0]["type"], format!("slack.{kind}"));
        assert_eq!(stored[0]["external_event_id"], sent[0]["event_id"]);
    }
    assert_eq!(server.all("/v1/trigger-events").await.len(), cases.len());

    // What the app writes itself, and edits, are no messages; a filter decides on the rest.
    let bot = simulator.state().await["installed"][0]["bot_user_id"].clone();
    let mut own = message("mine");
    own["user"] = bot;
    let mut edited = message("edited");
    edited["subtype"] = json!("message_changed");
    for event in [own, edited] {
        send(&simulator, json!({ "team": TEAM, "event": event })).await;
    }
    assert_eq!(events(&server, ROOT_KEY, &triggers[0]).await.len(), 1);
    let filtered = server
        .post(
            "/v1/triggers",
            json!({
                "trigger": "SLACK__MESSAGE_CHANNELS", "linked_account_id": account["id"],
                "config": { "channels": ["C024BE91L"] },
                "filter": { "path": "$.event.text", "regex": "(?i)outage" },
            }),
        )
        .await;
    for text in ["lunch?", "an Outage!"] {
        send(&simulator, json!({ "team": TEAM, "event": message(text) })).await;
    }
    assert_eq!(events(&server, ROOT_KEY, &filtered).await.len(), 1);
    assert_eq!(events(&server, ROOT_KEY, &triggers[0]).await.len(), 3);
}

async fn the_url_answers_slack_before_any_trigger_exists(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&simulator, &server, None).await;
    let verified = simulator.control("verify", json!({ "url": app["webhook_url"] })).await;
    assert_eq!(verified, json!({ "status": 200, "verified": true }));
    by_hand(&simulator, &app).await;
    let limited = json!({
        "token": "x", "type": "app_rate_limited", "team_id": TEAM,
        "minute_rate_limited": 1_518_467_820, "api_app_id": "A012ABCD0A0",
    });
    let sent = simulator.control("deliver", json!({ "payload": limited })).await;
    assert_eq!(sent[0]["status"], 200, "{sent}");
    let seen = outcomes(&server, &app).await;
    assert!(seen.iter().all(|(outcome, _)| outcome == "challenge"), "{seen:?}");
    assert_eq!(server.all("/v1/trigger-events").await, Vec::<Value>::new());
}

async fn forged_events_are_turned_away(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&simulator, &server, None).await;
    by_hand(&simulator, &app).await;
    let account = link(&server, ROOT_KEY, "slack", &app).await;
    let trigger = create(&server, ROOT_KEY, &account, "SLACK__MESSAGE_CHANNELS", json!({})).await;
    let forgeries = [
        (json!({ "tamper": "body" }), "bad_signature"),
        (json!({ "tamper": "signature" }), "bad_signature"),
        (json!({ "tamper": "timestamp" }), "bad_signature"),
        (json!({ "tamper": "wrong_secret" }), "bad_signature"),
        (json!({ "tamper": "version" }), "malformed_signature"),
        (json!({ "tamper": "missing" }), "missing_signature"),
        (json!({ "age": 302 }), "stale"),
        (json!({ "age": -302 }), "stale"),
    ];
    for (forgery, reason) in forgeries {
        let mut delivery = json!({ "team": TEAM, "event": message("forged") });
        delivery.as_object_mut().unwrap().extend(forgery.as_object().unwrap().clone());
        let sent = simulator.control("deliver", delivery).await;
        assert_eq!(sent[0]["status"], 401, "{forgery}: {sent}");
        let seen = outcomes(&server, &app).await;
        assert_eq!(seen[0], ("rejected".to_owned(), json!(reason)), "{forgery}");
    }
    assert_eq!(events(&server, ROOT_KEY, &trigger).await, Vec::<Value>::new());
}

async fn the_manifest_follows_the_triggers(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&simulator, &server, Some(CONFIGURATION)).await;
    let account = link(&server, ROOT_KEY, "slack", &app).await;
    let subscribed = async || {
        let manifest = simulator.state().await["manifest"].clone();
        manifest["settings"]["event_subscriptions"].clone()
    };
    let name = "SLACK__REACTION_ADDED";
    let first = create(&server, ROOT_KEY, &account, name, json!({})).await;
    let second = create(&server, ROOT_KEY, &account, name, json!({ "reactions": ["tada"] })).await;
    let joined = create(&server, ROOT_KEY, &account, "SLACK__TEAM_JOIN", json!({})).await;
    let expected = json!({
        "request_url": app["webhook_url"], "bot_events": ["reaction_added", "team_join"],
    });
    assert_eq!(subscribed().await, expected);
    let state = simulator.state().await;
    assert_eq!(state["updates"], 2, "triggers of one kind share their entry");
    let scopes = &state["manifest"]["oauth_config"]["scopes"]["bot"];
    assert_eq!(scopes, &json!(["chat:write", "reactions:read", "users:read"]));
    let verified = simulator.control("verify", json!({})).await;
    assert_eq!(verified["verified"], true, "{verified}");

    let event = json!({ "type": "reaction_added", "user": "U1", "reaction": "tada", "item": { "channel": "C1" } });
    let sent = send(&simulator, json!({ "team": TEAM, "event": event })).await;
    assert_eq!(sent[0]["body"]["accepted"], 2, "{sent}");

    for (trigger, left) in [
        (&first, json!(["reaction_added", "team_join"])),
        (&joined, json!(["reaction_added"])),
        (&second, json!([])),
    ] {
        let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
        let (status, answer) = server.call(Method::DELETE, &path, None).await;
        assert_eq!(status, 204, "{answer}");
        assert_eq!(subscribed().await["bot_events"], left);
    }
    assert_eq!(simulator.state().await["violations"], json!([]));
}

async fn a_refused_manifest_leaves_no_trigger(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&simulator, &server, Some("xoxe.xoxp-1-expired")).await;
    let account = link(&server, ROOT_KEY, "slack", &app).await;
    let wanted =
        json!({ "trigger": "SLACK__TEAM_JOIN", "linked_account_id": account["id"], "config": {} });
    let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&wanted)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("provider_refused")), "{problem}");
    assert!(problem.to_string().contains("twelve hours"), "{problem}");

    let path = format!("/v1/provider-apps/{}", app["id"].as_str().unwrap());
    let known = simulator.state().await["app"].clone();
    let credentials = json!({
        "client_id": known["client_id"], "client_secret": known["client_secret"],
        "signing_secret": known["signing_secret"], "configuration_token": CONFIGURATION,
    });
    let (status, changed) =
        server.call(Method::PATCH, &path, Some(&json!({ "credentials": credentials }))).await;
    assert_eq!(status, 200, "{changed}");
    let mut manifest = simulator.state().await["manifest"].clone();
    manifest["display_information"] = json!({});
    simulator.control("manifest", manifest).await;
    let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&wanted)).await;
    assert_eq!(status, 422, "{problem}");
    assert!(problem.to_string().contains("/display_information"), "{problem}");
    assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new());
    assert!(!problem.to_string().contains(CONFIGURATION), "{problem}");
}

async fn a_denied_or_wrong_account_is_not_linked(database: &Database) {
    let (simulator, server) = start(database).await;
    let app = provider_app(&simulator, &server, None).await;
    simulator.control("consent", json!({ "deny": true })).await;
    let flow = json!({ "app": "slack", "provider_app_id": app["id"], "name": "denied" });
    let ended = consent(&server, ROOT_KEY, flow).await;
    assert_eq!(ended, "error=access_denied");
    let account = |token: &Value| {
        json!({
            "app": "slack", "provider_app_id": app["id"], "name": "by hand", "kind": "token",
            "credentials": { "access_token": token },
        })
    };
    let wrong = account(&json!("xoxb-wrong"));
    let (status, problem) = server.call(Method::POST, "/v1/linked-accounts", Some(&wrong)).await;
    assert_eq!(status, 422, "{problem}");
    assert!(problem.to_string().contains("invalid_auth"), "{problem}");
    assert_eq!(server.all("/v1/linked-accounts").await, Vec::<Value>::new());
    let installed = simulator.control("install", json!({ "team": OTHER_TEAM })).await;
    let linked = server.post("/v1/linked-accounts", account(&installed["token"])).await;
    assert_eq!(linked["external_id"], OTHER_TEAM, "{linked}");
}
