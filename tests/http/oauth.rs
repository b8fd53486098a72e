//! Accounts linked by OAuth2, against an authorisation server that counts every code and refresh
//! token once: flows, what is refused in them, renewals raced by replicas, and reconnecting.

use std::{fs, path::Path};

use futures::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    database::{self, Database},
    eventually, on_both_databases,
    orchard::{
        Orchard, consent, deliver, execute, sent_back, start, try_start, try_trigger, visit,
    },
    server::{LOG_FILE, ROOT_KEY, Server, client},
};

on_both_databases!(
    a_user_links_an_account,
    what_is_wrong_with_a_flow_links_nothing,
    an_expired_token_is_renewed_before_a_call,
    a_failing_token_endpoint_loses_nothing,
    a_revoked_account_waits_for_its_owner,
);

async fn a_user_links_an_account(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[]).await;
    let provider_app = orchard.provider_app(&server).await;
    let back = json!({ "return_url": "https://console.example/linked?tab=2" });
    let answer = consent(&start(&server, &provider_app, back).await).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let location = answer.headers()["location"].to_str().unwrap();
    let id = location.strip_prefix("https://console.example/linked?tab=2&linked_account_id=");
    let account = server.get(&format!("/v1/linked-accounts/{}", id.unwrap())).await;
    assert_eq!(account["kind"], "oauth2");
    assert_eq!(account["external_id"], "team-1");
    assert_eq!(account["provider_app_id"], json!(provider_app));
    assert_eq!(account["metadata"], json!({ "region": "eu" }));
    assert_eq!(account["credential_fields"], json!(["access_token", "refresh_token"]));
    assert!(account["expires_at"].is_string());

    let (status, trigger) = try_trigger(&server, id.unwrap()).await;
    assert_eq!(status, 201, "{trigger}");
    let hook = orchard.simulator.state().await["hooks"][0].clone();
    assert_eq!((&hook["for_account"], &hook["region"]), (&json!("team-1"), &json!("eu")));
    assert_eq!(deliver(&server, &trigger, "signing-one", "a1").await, 202);
    let event = server.all("/v1/trigger-events").await.remove(0);
    assert_eq!(event["data"], json!({ "account": "team-1", "region": "eu" }));
    let state = orchard.simulator.state().await;
    assert_eq!((&state["violations"], &state["refreshes"]), (&json!([]), &json!(0)));
}

/// S-16: whatever an attacker does to a flow, no account comes of it.
async fn what_is_wrong_with_a_flow_links_nothing(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[]).await;
    let app = orchard.provider_app(&server).await;
    let callback = format!("{}/v1/oauth2/callback", server.url);

    let used = sent_back(&start(&server, &app, json!({})).await).await;
    let other = sent_back(&start(&server, &app, json!({})).await).await;
    let query = |url: &str, name: &str| {
        let url: reqwest::Url = url.parse().unwrap();
        url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    let with = |state: &str, code: &str| {
        let mut url: reqwest::Url = callback.parse().unwrap();
        url.query_pairs_mut().append_pair("state", state).append_pair("code", code);
        String::from(url)
    };
    let (state, code) = (query(&used, "state"), query(&used, "code"));
    for (what, url) in [
        ("no state", callback.clone()),
        ("no state but a code", format!("{callback}?code=x")),
        ("a state nobody made", with(&"A".repeat(43), &code)),
        ("a state of another form", with("x", &code)),
        ("a state twice", format!("{used}&state={state}")),
        ("a code twice", format!("{used}&code=x")),
    ] {
        let answer = visit(&url).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 400, "{what}: {text}");
        assert!(!text.contains(&code) && !text.contains(&state), "{what}: {text}");
    }
    // The code of one flow with the state of another: the verifier does not fit (RFC 7636, 4.6).
    let answer = visit(&with(&query(&other, "state"), &code)).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status == 400 && text.contains("does not fit"), "{status} {text}");
    assert!(!text.contains(&code), "{text}");
    assert_eq!(server.all("/v1/linked-accounts").await.len(), 0);

    // What an answer says besides state and code decides nothing.
    let linked =
        visit(&format!("{used}&redirect_uri=https://evil.example&iss=https://evil.example")).await;
    assert_eq!(linked.status(), 200);
    for (what, url) in
        [("the same answer again", used.clone()), ("its state again", with(&state, "other"))]
    {
        assert_eq!(visit(&url).await.status(), 400, "{what}");
    }
    let third = sent_back(&start(&server, &app, json!({})).await).await;
    let answer = visit(&with(&query(&third, "state"), &code)).await;
    assert_eq!(answer.status(), 400, "a code that was used, in a flow of its own");
    assert_eq!(server.all("/v1/linked-accounts").await.len(), 1);

    let late = sent_back(&start(&server, &app, json!({})).await).await;
    execute(database, "UPDATE oauth_flows SET expires_at = 1").await;
    assert_eq!(visit(&late).await.status(), 400, "too late");

    orchard.settings(json!({ "deny": "access_denied" })).await;
    let back = json!({ "return_url": "https://console.example/x" });
    let answer = consent(&start(&server, &app, back).await).await;
    let location = answer.headers()["location"].to_str().unwrap();
    assert_eq!(location, "https://console.example/x?error=access_denied");
    let answer = consent(&start(&server, &app, json!({})).await).await;
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(answer.text().await.unwrap().contains("access_denied"));

    for (field, more) in [
        ("/return_url", json!({ "return_url": "https://evil.example/x" })),
        ("/return_url", json!({ "return_url": "https://console.example@evil.example/x" })),
        ("/return_url", json!({ "return_url": "javascript:alert(1)" })),
        ("/return_url", json!({ "return_url": "/x" })),
        ("/redirect_uri", json!({ "redirect_uri": "https://evil.example" })),
        ("/provider_app_id", json!({ "provider_app_id": "pap_none" })),
        ("/linked_account_id", json!({ "linked_account_id": "acc_none" })),
        ("/app", json!({ "app": "pear" })),
    ] {
        let (status, problem) = try_start(&server, ROOT_KEY, &app, more.clone()).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{more}");
    }
    assert_eq!(orchard.simulator.state().await["violations"], json!([]));
    assert_eq!(server.all("/v1/linked-accounts").await.len(), 1);
}

async fn an_expired_token_is_renewed_before_a_call(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[]).await;
    let provider_app = orchard.provider_app(&server).await;
    orchard.settings(json!({ "lasts": 1 })).await;
    let account = orchard.link(&server, &provider_app).await;
    orchard.settings(json!({ "lasts": 3600 })).await;
    let hooks = format!("{}/api/me", orchard.simulator.url);
    let token = orchard.simulator.state().await["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|secret| secret.as_str().filter(|it| it.starts_with("access")))
        .unwrap()
        .to_owned();
    eventually("the token expires", async || {
        let answer = client().get(&hooks).bearer_auth(&token).send().await.unwrap();
        (answer.status() == 401).then_some(())
    })
    .await;
    let made = join_all((0..8).map(|_| try_trigger(&server, &account))).await;
    assert!(made.iter().all(|(status, _)| *status == 201), "{made:?}");
    let state = orchard.simulator.state().await;
    assert_eq!((&state["refreshes"], &state["reuses"]), (&json!(1), &json!(0)));
    assert_eq!(state["hooks"].as_array().unwrap().len(), 8);
}

async fn a_failing_token_endpoint_loses_nothing(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[("HEARKEN_LIMITS__PROVIDER_SECONDS", "1")]).await;
    let provider_app = orchard.provider_app(&server).await;
    let account = orchard.link(&server, &provider_app).await;
    let path = format!("/v1/linked-accounts/{account}");

    execute(database, "UPDATE linked_accounts SET renew_at = 1").await;
    orchard.faults(json!([{ "kind": "500" }])).await;
    assert_eq!(try_trigger(&server, &account).await.0, 201, "the present token goes on serving");

    for kind in ["500", "429", "html", "reset", "hang", "invalid_client"] {
        execute(database, "UPDATE linked_accounts SET renew_at = 1, expires_at = 1").await;
        let before = orchard.simulator.state().await["refreshes"].clone();
        let told = eventually("the pause after the last failure ends", async || {
            orchard.faults(json!([{ "kind": kind, "retry_after": 1 }])).await;
            let (status, problem) = try_trigger(&server, &account).await;
            assert_eq!(
                (status, &problem["code"]),
                (502, &json!("token_not_renewed")),
                "{kind}: {problem}"
            );
            let reached = orchard.simulator.state().await["faults"] == json!([]);
            reached.then_some(problem)
        })
        .await;
        assert!(told["detail"].as_str().unwrap().contains(&account), "{told}");
        assert_eq!(orchard.simulator.state().await["refreshes"], before, "no second attempt");
        assert_eq!(server.get(&path).await["status"], "active", "{kind}");
    }
    orchard.faults(json!([{ "kind": "slow", "milliseconds": 300 }])).await;
    eventually("it renews again", async || {
        (try_trigger(&server, &account).await.0 == 201).then_some(())
    })
    .await;
    let state = orchard.simulator.state().await;
    assert_eq!((&state["refreshes"], &state["reuses"]), (&json!(1), &json!(0)));
}

async fn a_revoked_account_waits_for_its_owner(database: &Database) {
    let orchard = Orchard::grown().await;
    let server = orchard.serve(database, &[]).await;
    let provider_app = orchard.provider_app(&server).await;
    let account = orchard.link(&server, &provider_app).await;
    let (_, trigger) = try_trigger(&server, &account).await;
    let path = format!("/v1/triggers/{}", trigger["id"].as_str().unwrap());
    let account_path = format!("/v1/linked-accounts/{account}");

    orchard.simulator.control("revoke", json!({})).await;
    let (status, problem) = try_trigger(&server, &account).await;
    assert_eq!((status, &problem["code"]), (422, &json!("provider_refused")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("must be connected again"), "{problem}");
    for path in [&path, &account_path] {
        let shown = server.get(path).await;
        assert_eq!(shown["status"], "needs_reconnect", "{shown}");
        assert!(shown["status_reason"].as_str().unwrap().contains("invalid_grant"), "{shown}");
    }
    let asked = orchard.simulator.state().await["asked"].as_array().unwrap().len();
    let (status, problem) = try_trigger(&server, &account).await;
    assert_eq!((status, &problem["code"]), (409, &json!("needs_reconnect")), "{problem}");
    let resume = json!({ "status": "active" });
    let (status, _) = server.call(reqwest::Method::PATCH, &path, Some(&resume)).await;
    assert_eq!(status, 409, "nobody can resume it");
    assert_eq!(
        deliver(&server, &trigger, "signing-one", "a1").await,
        202,
        "what still comes is kept"
    );
    assert_eq!(
        orchard.simulator.state().await["asked"].as_array().unwrap().len(),
        asked,
        "never in vain"
    );

    let again = json!({ "linked_account_id": account });
    orchard.settings(json!({ "account": "team-2" })).await;
    let answer = consent(&start(&server, &provider_app, again.clone()).await).await;
    assert!(answer.text().await.unwrap().contains("another account"));
    assert_eq!(server.get(&account_path).await["status"], "needs_reconnect");
    orchard.settings(json!({ "account": "team-1" })).await;
    let answer = consent(&start(&server, &provider_app, again).await).await;
    assert!(answer.text().await.unwrap().contains(&account));
    for path in [&path, &account_path] {
        let shown = server.get(path).await;
        assert_eq!((&shown["status"], &shown["status_reason"]), (&json!("active"), &Value::Null));
    }
    assert_eq!(try_trigger(&server, &account).await.0, 201);
    assert_eq!(server.all("/v1/linked-accounts").await.len(), 1);
}

/// M-03: several replicas, many calls at once, one renewal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_race_renew_once() {
    let database = database::fresh("postgres").await;
    let orchard = Orchard::grown().await;
    let master = ("HEARKEN_MASTER_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    let first = orchard.serve(&database, &[master]).await;
    let others = [
        orchard.another_server(&database, &[master]).await,
        orchard.another_server(&database, &[master]).await,
    ];
    let servers: Vec<&Server> = std::iter::once(&first).chain(&others).collect();
    let provider_app = orchard.provider_app(&first).await;
    let account = orchard.link(&first, &provider_app).await;
    for round in 1..=5 {
        execute(&database, "UPDATE linked_accounts SET renew_at = 1").await;
        if round == 3 {
            execute(&database, "UPDATE linked_accounts SET expires_at = 1").await;
        }
        orchard.faults(json!([{ "kind": "slow", "milliseconds": 100 }])).await;
        let calls = servers.iter().flat_map(|server| (0..8).map(|_| try_trigger(server, &account)));
        let made = join_all(calls).await;
        assert!(made.iter().all(|(status, _)| *status == 201), "round {round}: {made:?}");
        let state = orchard.simulator.state().await;
        assert_eq!((&state["refreshes"], &state["reuses"]), (&json!(round), &json!(0)));
    }
    // And where the provider refuses the access token, however many find that out.
    orchard.simulator.control("forget-access", json!({})).await;
    let calls = servers.iter().flat_map(|server| (0..8).map(|_| try_trigger(server, &account)));
    let made = join_all(calls).await;
    assert!(made.iter().all(|(status, _)| *status == 201), "{made:?}");
    let state = orchard.simulator.state().await;
    assert_eq!((&state["refreshes"], &state["reuses"]), (&json!(6), &json!(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_prove_themselves_as_the_provider_asks() {
    let database = database::fresh("sqlite").await;
    let orchard = Orchard::planted(|definition| {
        let from = "      scopes: [hooks, read]\n";
        let to = "      scopes: [hooks, read]\n      scope_separator: \",\"\n      client_authentication: basic\n      pkce: false\n";
        definition.replace(from, to)
    }).await;
    orchard.settings(json!({ "authentication": "basic", "pkce": false, "scope": "hooks,read", "lasts": null, "refresh_tokens": false })).await;
    let server = orchard.serve(&database, &[]).await;
    let provider_app = orchard.provider_app(&server).await;
    let account = orchard.link(&server, &provider_app).await;
    let shown = server.get(&format!("/v1/linked-accounts/{account}")).await;
    assert_eq!((&shown["status"], &shown["expires_at"]), (&json!("active"), &Value::Null));
    assert_eq!(try_trigger(&server, &account).await.0, 201);

    // A token that cannot be renewed, and is refused: only its owner can help.
    orchard.simulator.control("revoke", json!({})).await;
    assert_eq!(try_trigger(&server, &account).await.0, 422);
    let shown = server.get(&format!("/v1/linked-accounts/{account}")).await;
    assert_eq!(shown["status"], "needs_reconnect", "{shown}");
    let state = orchard.simulator.state().await;
    assert_eq!((&state["violations"], &state["refreshes"]), (&json!([]), &json!(0)));
}

/// Every secret the provider ever gave, looked for in every place it could leak to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_ever_shown() {
    let database = database::fresh("sqlite").await;
    let orchard = Orchard::grown().await;
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let logged =
        [(LOG_FILE, log.to_str().unwrap()), ("HEARKEN_LOG__FILTER", "hearken=trace,debug")];
    let server = orchard.serve(&database, &logged).await;
    let provider_app = orchard.provider_app(&server).await;
    let account = orchard.link(&server, &provider_app).await;
    let mut shown = String::new();
    execute(&database, "UPDATE linked_accounts SET renew_at = 1").await;
    let (_, trigger) = try_trigger(&server, &account).await;
    deliver(&server, &trigger, "signing-one", "a1").await;
    deliver(&server, &trigger, "signing-wrong", "a2").await;
    orchard.settings(json!({ "client_secret": "another" })).await;
    execute(&database, "UPDATE linked_accounts SET renew_at = 1, expires_at = 1").await;
    shown.push_str(&try_trigger(&server, &account).await.1.to_string());
    shown.push_str(
        &consent(&start(&server, &provider_app, json!({})).await).await.text().await.unwrap(),
    );
    orchard
        .settings(json!({ "client_secret": orchard.simulator.state().await["client"]["secret"] }))
        .await;
    orchard.simulator.control("revoke", json!({})).await;
    eventually("the refusal", async || {
        let (status, problem) = try_trigger(&server, &account).await;
        shown.push_str(&problem.to_string());
        (status == 409).then_some(())
    })
    .await;
    for path in [
        "/v1/triggers",
        "/v1/linked-accounts",
        "/v1/provider-apps",
        "/v1/receipts",
        "/metrics",
        "/v1/trigger-events",
    ] {
        let answer = client()
            .get(format!("{}{path}", server.url))
            .bearer_auth(ROOT_KEY)
            .send()
            .await
            .unwrap();
        shown.push_str(&answer.text().await.unwrap());
    }
    server.stop().await;
    let logged = fs::read_to_string(&log).unwrap();
    assert!(
        logged.contains("access token renewed") && logged.contains("connected again"),
        "{logged}"
    );
    let file = database.url().trim_start_matches("sqlite://").to_owned();
    let stored: Vec<u8> = fs::read_dir(Path::new(&file).parent().unwrap())
        .unwrap()
        .flat_map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    let stored = String::from_utf8_lossy(&stored);
    assert!(stored.contains("team-1"), "the database was really read");

    let state = orchard.simulator.state().await;
    let secrets = state["secrets"].as_array().unwrap().iter().filter_map(Value::as_str);
    let secrets: Vec<&str> = secrets.chain(["signing-one"]).collect();
    assert!(secrets.len() > 8, "{secrets:?}");
    for secret in secrets {
        for spelling in
            [secret.to_owned(), secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")]
        {
            assert!(!shown.contains(&spelling), "{spelling} is shown");
            assert!(!logged.contains(&spelling), "{spelling} is logged");
            assert!(!stored.contains(&spelling), "{spelling} is stored in clear");
        }
    }
}
