//! Killed at a random moment under load, twenty times over: every delivery that was answered
//! with 2xx is stored, and stored once.
//!
//! The oracle is the sender's own journal of answers, compared with what the API lists at the
//! end; nothing of the server's bookkeeping is believed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::support::{
    database::Database,
    github_signature, on_both_databases,
    server::{Server, client},
    simulator::Simulator,
};

on_both_databases!(nothing_answered_is_lost_when_the_process_is_killed);

const ROUNDS: u64 = 20;
const SENDERS: u64 = 8;

/// What the senders know: the ids sent, and those of them that were answered with 2xx.
#[derive(Default)]
struct Journal {
    sent: BTreeSet<String>,
    accepted: BTreeSet<String>,
}

#[expect(clippy::disallowed_methods, reason = "the seed is for whoever repeats a run")]
#[expect(clippy::print_stdout, reason = "the figures are part of the result")]
async fn nothing_answered_is_lost_when_the_process_is_killed(database: &Database) {
    let simulator = Simulator::start().await;
    let mut server = Server::start(database, &simulator.settings()).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let id = trigger["id"].as_str().unwrap().to_owned();
    let secret = simulator.hooks().await[0]["secret"].as_str().unwrap().to_owned();
    let journal = Arc::new(Mutex::new(Journal::default()));
    let next = Arc::new(AtomicU64::new(0));
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    let mut random: u64 = seed;
    for _ in 0..ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let url = format!("{}/v1/webhooks/github/{id}", server.url);
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                tokio::spawn(send(
                    url.clone(),
                    secret.clone(),
                    next.clone(),
                    journal.clone(),
                    stop.clone(),
                ))
            })
            .collect();
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(250 + (random >> 33) % 750)).await;
        server.kill_and_restart().await;
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.await.unwrap();
        }
    }
    let mut stored = BTreeMap::<String, usize>::new();
    for event in server.all(&format!("/v1/triggers/{id}/events")).await {
        *stored.entry(event["external_event_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let journal = journal.lock().unwrap();
    let lost = journal.accepted.iter().filter(|id| !stored.contains_key(*id)).count();
    let invented = stored.keys().filter(|id| !journal.sent.contains(*id)).count();
    let doubled = stored.values().filter(|count| **count > 1).count();
    println!(
        "{}",
        json!({
            "test": "kill -9", "seed": seed, "rounds": ROUNDS, "sent": journal.sent.len(),
            "accepted": journal.accepted.len(), "stored": stored.len(), "lost": lost, "doubled": doubled,
        })
    );
    assert!(journal.accepted.len() > 500, "only {} were accepted: no load", journal.accepted.len());
    assert_eq!((lost, doubled, invented), (0, 0, 0));
}

/// Sends one delivery after another, each of them again until it is answered or the round ends.
async fn send(
    url: String,
    secret: String,
    next: Arc<AtomicU64>,
    journal: Arc<Mutex<Journal>>,
    stop: Arc<AtomicBool>,
) {
    let client = client();
    while !stop.load(Ordering::Relaxed) {
        let id = format!("00000000-0000-4000-8000-{:012}", next.fetch_add(1, Ordering::Relaxed));
        let body = serde_json::to_vec(&json!({ "ref": "refs/heads/main", "after": id })).unwrap();
        journal.lock().unwrap().sent.insert(id.clone());
        for _ in 0..2 {
            let answer = client
                .post(&url)
                .header("X-GitHub-Event", "push")
                .header("X-GitHub-Delivery", &id)
                .header("X-Hub-Signature-256", github_signature(&secret, &body))
                .header("Content-Type", "application/json")
                .body(body.clone())
                .send()
                .await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                journal.lock().unwrap().accepted.insert(id);
                break;
            }
        }
    }
}
