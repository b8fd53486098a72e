//! An app whose notices only say "look", and whose subscription expires: what happened at the
//! provider becomes events exactly once, whatever fails in between, and the subscription lives on.
//!
//! The oracle is the simulator: the messages it holds, the cursors it was asked from, the requests
//! it had to call violations.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    database::{Database, fresh},
    eventually, on_both_databases,
    server::Server,
    simulator::Simulator,
};

on_both_databases!(
    notices_become_events_once,
    an_expansion_that_fails_is_tried_again,
    a_gap_is_told_and_the_cursor_never_goes_back,
    a_refused_account_is_said_and_works_again,
    quiet_triggers_are_looked_at,
    nothing_is_lost_or_doubled_when_the_process_is_killed,
    a_subscription_is_renewed_on_bad_days,
    a_subscription_that_was_lost_is_made_anew,
    a_subscription_that_cannot_be_renewed_expires,
    an_app_without_renewal_registers_again,
    jobs_are_listed_for_admins,
);

/// Thirty-two bytes, so that two servers can open what the other sealed.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

struct World {
    simulator: Simulator,
    server: Server,
    apps: TempDir,
    trigger: String,
}

/// The app, and beside it the same without `renew`.
fn write_apps(folder: &Path) {
    let from = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/thin"));
    for slug in ["postbox", "letterbox"] {
        let to = folder.join(slug);
        fs::create_dir_all(to.join("samples")).unwrap();
        fs::copy(from.join("app.yaml"), to.join("app.yaml")).unwrap();
        let script = fs::read_to_string(from.join("connector.rhai")).unwrap();
        let script = if slug == "postbox" {
            script
        } else {
            script.replace("fn renew(", "fn never_called(")
        };
        fs::write(to.join("connector.rhai"), script).unwrap();
        fs::write(to.join("README.md"), "# Postbox\n").unwrap();
        for sample in fs::read_dir(from.join("samples")).unwrap().map(Result::unwrap) {
            fs::copy(sample.path(), to.join("samples").join(sample.file_name())).unwrap();
        }
    }
}

async fn serve(
    database: &Database,
    simulator: &Simulator,
    apps: &TempDir,
    further: &[(&str, &str)],
) -> Server {
    let mut settings = vec![
        ("HEARKEN_APPS_DIR", apps.path().to_str().unwrap()),
        ("HEARKEN_APPS__POSTBOX__BASE_URL", &simulator.url),
        ("HEARKEN_APPS__LETTERBOX__BASE_URL", &simulator.url),
        ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32"),
        ("HEARKEN_MASTER_KEY", MASTER_KEY),
        ("HEARKEN_LIMITS__PROVIDER_SECONDS", "1"),
        ("HEARKEN_JOBS__POLL_SECONDS", "0.1"),
        ("HEARKEN_JOBS__LEASE_SECONDS", "2"),
        ("HEARKEN_JOBS__BACKOFF_SECONDS", "0.05"),
        ("HEARKEN_JOBS__BACKOFF_MAX_SECONDS", "0.4"),
    ];
    settings.extend(further);
    Server::start(database, &settings).await
}

async fn create(server: &Server, app: &str) -> String {
    let account =
        json!({ "app": app, "name": "m", "kind": "token", "credentials": { "token": "pb_valid" } });
    let account = server.post("/v1/linked-accounts", account).await["id"].clone();
    let kind = format!("{}__MESSAGE", app.to_uppercase());
    let trigger = json!({ "trigger": kind, "linked_account_id": account });
    server.post("/v1/triggers", trigger).await["id"].as_str().unwrap().to_owned()
}

impl World {
    async fn start(database: &Database, lifetime: f64, further: &[(&str, &str)]) -> Self {
        Self::of("postbox", database, lifetime, further).await
    }

    async fn of(app: &str, database: &Database, lifetime: f64, further: &[(&str, &str)]) -> Self {
        let apps = TempDir::new().unwrap();
        write_apps(apps.path());
        let simulator = Simulator::named("thin").await;
        simulator.control("set", json!({ "lifetime": lifetime })).await;
        let server = serve(database, &simulator, &apps, further).await;
        let trigger = create(&server, app).await;
        Self { simulator, server, apps, trigger }
    }

    async fn control(&self, action: &str, body: Value) -> Value {
        self.simulator.control(action, body).await
    }

    async fn health(&self) -> Value {
        self.server.get(&format!("/v1/triggers/{}/health", self.trigger)).await
    }

    async fn status(&self) -> String {
        self.health().await["status"].as_str().unwrap().to_owned()
    }

    /// How often each external id was stored.
    async fn stored(&self) -> BTreeMap<String, usize> {
        let mut stored = BTreeMap::new();
        for event in self.server.all(&format!("/v1/triggers/{}/events", self.trigger)).await {
            let id = event["external_event_id"].as_str().unwrap().to_owned();
            *stored.entry(id).or_default() += 1;
        }
        stored
    }

    /// Waits until every message of the mailbox is an event, and asserts that each is one only.
    async fn all_arrive(&self) -> BTreeMap<String, usize> {
        let state = self.simulator.state().await;
        let messages = state["messages"].as_array().unwrap().iter();
        let expected: Vec<_> = messages.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        let stored = eventually("every message is an event", async || {
            let stored = self.stored().await;
            expected.iter().all(|id| stored.contains_key(id)).then_some(stored)
        })
        .await;
        assert!(stored.values().all(|count| *count == 1), "doubled: {stored:?}");
        stored
    }

    /// What must hold at the end of every test.
    async fn assert_orderly(&self) {
        let state = self.simulator.state().await;
        let cursors: Vec<_> =
            state["cursors"].as_array().unwrap().iter().map(|at| at.as_i64().unwrap()).collect();
        assert!(cursors.is_sorted(), "the cursor went back: {cursors:?}");
        assert_eq!(state["violations"], json!([]));
        assert!(state["overlap"].as_i64().unwrap() <= 1, "two expanded one trigger at once");
    }
}

async fn receipts(world: &World, outcome: &str) -> Vec<Value> {
    let path = format!("/v1/receipts?trigger={}&outcome={outcome}", world.trigger);
    world.server.all(&path).await
}

#[test]
fn the_app_shows_what_it_does() {
    let apps = TempDir::new().unwrap();
    write_apps(apps.path());
    let report = hearken_engine::sample::run(apps.path(), "postbox").unwrap();
    assert!(report.passed(), "{report:#?}");
}

async fn notices_become_events_once(database: &Database) {
    let world = World::start(database, 3600.0, &[]).await;
    let sent = world.control("receive", json!({ "count": 1 })).await;
    assert_eq!(sent["statuses"], json!([202]));
    world.all_arrive().await;
    let sent = world.control("receive", json!({ "count": 20, "notices": 50 })).await;
    assert!(sent["statuses"].as_array().unwrap().iter().all(|status| status == 202));
    assert_eq!(world.all_arrive().await.len(), 21);
    eventually("no notice is left", async || {
        (world.health().await["pending_notices"] == 0).then_some(())
    })
    .await;

    let noticed = receipts(&world, "noticed").await;
    assert_eq!(noticed.len(), 51);
    let known: Vec<_> = noticed.iter().map(|receipt| &receipt["id"]).collect();
    let stored = receipts(&world, "stored").await;
    for receipt in &stored {
        assert_eq!(receipt["method"], "EXPAND");
        let from = receipt["detail"]["expanded"]["notices"].as_array().unwrap();
        assert!(from.iter().all(|id| known.contains(&id)), "{receipt}");
    }
    let event = &world.server.all(&format!("/v1/triggers/{}/events", world.trigger)).await[0];
    let receipt = stored.iter().find(|receipt| receipt["id"] == event["receipt_id"]).unwrap();
    let ids = receipt["detail"]["events"].as_array().unwrap();
    assert!(ids.contains(&event["id"]), "{receipt}");

    // What a filter drops is told, too.
    let path = format!("/v1/triggers/{}", world.trigger);
    let change = json!({ "filter": { "path": "$.subject", "equals": "urgent" } });
    let (status, answer) = world.server.call(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(status, 200, "{answer}");
    world.control("receive", json!({ "subject": "dull" })).await;
    let dropped = eventually("the dull message is dropped", async || {
        receipts(&world, "filtered").await.pop()
    })
    .await;
    assert_eq!(dropped["detail"]["filtered"].as_array().unwrap().len(), 1, "{dropped}");
    world.assert_orderly().await;
}

async fn an_expansion_that_fails_is_tried_again(database: &Database) {
    let world = World::start(database, 3600.0, &[]).await;
    let faults = json!([
        { "match": "GET /history", "status": 500, "message": "the disk is full" },
        { "match": "GET /history", "reset": true },
        { "match": "GET /history", "hang": true },
        { "match": "GET /history", "status": 429, "retry_after": 1 },
    ]);
    world.control("fault", json!({ "next": faults })).await;
    world.control("receive", json!({ "count": 2 })).await;
    eventually("the failure is told", async || {
        let health = world.health().await;
        let error = health["expansion_error"].as_str()?;
        (health["pending_notices"] != 0 && !error.is_empty()).then_some(())
    })
    .await;
    // Notices that come meanwhile do not hurry it.
    world.control("notify", json!({ "count": 5 })).await;
    world.all_arrive().await;
    let health = eventually("nothing is left", async || {
        let health = world.health().await;
        (health["pending_notices"] == 0).then_some(health)
    })
    .await;
    assert_eq!(
        (&health["expansion_error"], &health["expansion_failures"]),
        (&json!(null), &json!(0))
    );
    assert_eq!(world.simulator.state().await["faults"], 0, "every one of them was met");
    world.assert_orderly().await;
}

async fn a_gap_is_told_and_the_cursor_never_goes_back(database: &Database) {
    let world = World::start(database, 3600.0, &[]).await;
    world.control("receive", json!({ "count": 3 })).await;
    world.all_arrive().await;
    // Messages come without a notice, and the history is cut off behind them.
    world.control("receive", json!({ "count": 4, "notices": 0 })).await;
    world.control("forget", json!({})).await;
    world.control("receive", json!({ "count": 2 })).await;
    let gap = eventually("the gap is an event", async || {
        let events = world.server.all(&format!("/v1/triggers/{}/events", world.trigger)).await;
        events.into_iter().find(|event| event["type"] == "postbox.gap")
    })
    .await;
    assert_eq!(gap["data"], json!({ "since": 103 }));
    world.control("receive", json!({ "count": 2 })).await;
    eventually("what follows arrives", async || {
        let stored = world.stored().await;
        ["m110", "m111"].iter().all(|id| stored.contains_key(*id)).then_some(())
    })
    .await;
    // Late notices with old numbers change nothing.
    world.control("notify", json!({ "count": 3, "history": 101 })).await;
    eventually("they are answered", async || {
        (world.health().await["pending_notices"] == 0).then_some(())
    })
    .await;
    assert!(world.stored().await.values().all(|count| *count == 1));
    world.assert_orderly().await;
}

async fn a_refused_account_is_said_and_works_again(database: &Database) {
    let world = World::start(database, 3600.0, &[]).await;
    let fault =
        json!({ "match": "GET /history", "status": 401, "message": "signed out", "times": 1000 });
    world.control("fault", json!({ "next": [fault] })).await;
    world.control("receive", json!({})).await;
    eventually("the account is to be linked again", async || {
        let health = world.health().await;
        let reason = health["reason"].as_str().unwrap_or_default();
        (health["status"] == "needs_reconnect" && reason.contains("signed out")).then_some(())
    })
    .await;
    world.control("mend", json!({})).await;
    world.all_arrive().await;
    assert_eq!(world.status().await, "active");
    world.assert_orderly().await;
}

async fn quiet_triggers_are_looked_at(database: &Database) {
    let world = World::start(database, 3600.0, &[("HEARKEN_JOBS__LOOK_SECONDS", "1")]).await;
    world.control("receive", json!({ "count": 2, "notices": 0 })).await;
    world.all_arrive().await;
    let stored = receipts(&world, "stored").await;
    assert_eq!(stored[0]["detail"]["expanded"]["notices"], json!([]));
    assert_eq!(world.health().await["last_proof_at"], json!(null), "nobody called us");

    // While it is paused nothing is stored; afterwards it is caught up with.
    let path = format!("/v1/triggers/{}", world.trigger);
    let switch = async |status: &str| {
        let change = json!({ "status": status });
        let (answered, body) = world.server.call(Method::PATCH, &path, Some(&change)).await;
        assert_eq!(answered, 200, "{body}");
    };
    switch("paused").await;
    let sent = world.control("receive", json!({})).await;
    assert_eq!(sent["statuses"], json!([202]));
    assert_eq!(receipts(&world, "ignored").await.len(), 1);
    assert_eq!(world.stored().await.len(), 2);
    switch("active").await;
    assert_eq!(world.all_arrive().await.len(), 3);
    world.assert_orderly().await;
}

async fn nothing_is_lost_or_doubled_when_the_process_is_killed(database: &Database) {
    let mut world = World::start(database, 3600.0, &[]).await;
    world.control("set", json!({ "delay": 30 })).await;
    for round in 0..5_u64 {
        let sent = world
            .control("receive", json!({ "count": 20, "notices": 4, "base": world.server.url }))
            .await;
        assert!(sent["statuses"].as_array().unwrap().contains(&json!(202)), "{sent}");
        tokio::time::sleep(Duration::from_millis(40 + round * 37)).await;
        world.server.kill_and_restart().await;
    }
    assert_eq!(world.all_arrive().await.len(), 100);
    eventually("nothing is left", async || {
        (world.health().await["pending_notices"] == 0).then_some(())
    })
    .await;
    assert!(world.stored().await.values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_expand_one_trigger_without_doubles() {
    let database = fresh("postgres").await;
    let world = World::start(&database, 3600.0, &[]).await;
    let second = serve(&database, &world.simulator, &world.apps, &[]).await;
    world.control("set", json!({ "delay": 5 })).await;
    for _ in 0..15 {
        for base in [&world.server.url, &second.url] {
            let sent =
                world.control("receive", json!({ "count": 4, "notices": 3, "base": base })).await;
            assert_eq!(sent["statuses"], json!([202, 202, 202]));
        }
    }
    assert_eq!(world.all_arrive().await.len(), 120);
    world.assert_orderly().await;
}

/// The watches the provider knows.
async fn watches(world: &World) -> Vec<Value> {
    world.simulator.state().await["watches"].as_array().unwrap().clone()
}

async fn renewed(world: &World, times: i64) {
    eventually("it is renewed", async || {
        (world.simulator.state().await["renewals"].as_i64().unwrap() >= times).then_some(())
    })
    .await;
}

async fn a_subscription_is_renewed_on_bad_days(database: &Database) {
    let world = World::start(database, 2.0, &[]).await;
    let watch = watches(&world).await[0]["id"].clone();
    let health = world.health().await;
    assert!(health["next_renewal_at"].as_str() < health["expires_at"].as_str(), "{health}");
    let faults = json!([
        { "match": "/renew", "status": 500 },
        { "match": "/renew", "reset": true },
        { "match": "/renew", "status": 503, "retry_after": 0 },
    ]);
    for times in 1..=3 {
        world.control("fault", json!({ "next": faults })).await;
        renewed(&world, times).await;
    }
    // Slow answers and requests for patience need a longer life.
    world.control("set", json!({ "lifetime": 8.0 })).await;
    renewed(&world, 4).await;
    let faults = json!([
        { "match": "/renew", "hang": true },
        { "match": "/renew", "status": 429, "retry_after": 1 },
    ]);
    world.control("fault", json!({ "next": faults })).await;
    renewed(&world, 5).await;
    assert_eq!(watches(&world).await[0]["id"], watch, "it is the same");
    let health = world.health().await;
    assert_eq!((&health["status"], &health["renew_failures"]), (&json!("active"), &json!(0)));
    assert_eq!(health["renewal_error"], json!(null));
    world.control("receive", json!({})).await;
    world.all_arrive().await;
    world.assert_orderly().await;
}

async fn a_subscription_that_was_lost_is_made_anew(database: &Database) {
    let world = World::start(database, 2.0, &[]).await;
    world.control("receive", json!({})).await;
    world.all_arrive().await;
    world.control("receive", json!({ "notices": 0 })).await;
    world.control("lose", json!({})).await;
    let watch = eventually("there is a watch again", async || watches(&world).await.pop()).await;
    eventually("the trigger knows it", async || {
        let trigger = world.server.get(&format!("/v1/triggers/{}", world.trigger)).await;
        (trigger["external_id"] == watch["id"]).then_some(())
    })
    .await;
    world.control("notify", json!({})).await;
    world.all_arrive().await;
    assert_eq!(world.status().await, "active");
    world.assert_orderly().await;
}

async fn a_subscription_that_cannot_be_renewed_expires(database: &Database) {
    let world = World::start(database, 2.0, &[]).await;
    let fault =
        json!({ "match": "/renew", "status": 403, "message": "the plan has ended", "times": 1000 });
    world.control("fault", json!({ "next": [fault] })).await;
    eventually("the failure is told before it expires", async || {
        let health = world.health().await;
        let error = health["renewal_error"].as_str()?.contains("the plan has ended");
        (error && health["status"] == "active" && health["next_renewal_at"].is_string())
            .then_some(())
    })
    .await;
    let health = eventually("it expires", async || {
        let health = world.health().await;
        (health["status"] == "expired").then_some(health)
    })
    .await;
    let reason = health["reason"].as_str().unwrap();
    assert!(reason.contains("expired") && reason.contains("the plan has ended"), "{reason}");
    assert_eq!((&health["alive"], &health["next_renewal_at"]), (&json!(false), &json!(null)));
    let asked = world.simulator.state().await["requests"].as_array().unwrap().len();
    world.control("mend", json!({})).await;
    assert!(asked > 4, "it was tried more than once: {asked}");

    // A configuration, even the same, brings it back.
    let path = format!("/v1/triggers/{}", world.trigger);
    let change = json!({ "config": {} });
    let (status, answer) = world.server.call(Method::PATCH, &path, Some(&change)).await;
    assert_eq!((status.as_u16(), &answer["status"]), (200, &json!("active")), "{answer}");
    renewed(&world, 1).await;
}

async fn an_app_without_renewal_registers_again(database: &Database) {
    let world = World::of("letterbox", database, 2.0, &[]).await;
    let first = watches(&world).await[0]["id"].clone();
    eventually("another watch has taken its place", async || {
        let watches = watches(&world).await;
        (watches.len() == 1 && watches[0]["id"] != first).then_some(())
    })
    .await;
    world.control("receive", json!({})).await;
    world.all_arrive().await;
    assert_eq!(world.status().await, "active");
    world.assert_orderly().await;
}

async fn jobs_are_listed_for_admins(database: &Database) {
    let further = [("HEARKEN_JOBS__CLEAN_SECONDS", "0.2"), ("HEARKEN_JOBS__SWEEP_SECONDS", "0.2")];
    let world = World::start(database, 3600.0, &further).await;
    world.control("receive", json!({})).await;
    let jobs = eventually("every job ran", async || {
        let jobs = world.server.get("/v1/jobs").await["data"].as_array().unwrap().clone();
        let ran = |job: &Value| job["last_ok"] == true || job["name"] == "renew";
        jobs.iter().all(ran).then_some(jobs)
    })
    .await;
    let names: Vec<_> = jobs.iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["expand", "renew", "look", "sweep", "clean"]);
    for job in jobs.iter().filter(|job| job["name"] != "renew") {
        assert!(job["last_run_at"].as_str() <= job["next_run_at"].as_str(), "{job}");
    }
    let key = world.server.post("/v1/api-keys", json!({ "name": "member" })).await;
    let key = key["key"].as_str().unwrap();
    let (status, _) = world.server.call_as(key, Method::GET, "/v1/jobs", None).await;
    assert_eq!(status, 403);
}
