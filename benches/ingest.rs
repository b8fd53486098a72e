//! How many verified, mapped and durably stored webhooks a second, beside a bare handler that
//! only checks the HMAC: `cargo bench --bench ingest`.
//!
//! All contenders run as processes of their own on this machine, in turns within one run, and
//! are asked by the same 64 connections; only the ratios between them mean something elsewhere.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed measurement")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

#[path = "../tests/support/database.rs"]
mod database;

use std::{
    env, fs,
    process::Stdio,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, http::HeaderMap, http::StatusCode, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Client;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
const SECONDS: u64 = 8;
const KEY: &str = "bench-root-key-0123456789abcdef0123456789abcdef";
const BARE: &str = "--bare-handler";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if env::args().any(|argument| argument == BARE) {
        runtime.block_on(bare_handler());
    } else {
        runtime.block_on(compare());
    }
}

/// One contender: its name, its process and where it receives.
struct Contender {
    name: &'static str,
    _process: Child,
    url: String,
    secret: String,
    rounds: Vec<Round>,
}

/// What one round measured.
struct Round {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

async fn compare() {
    let (sqlite, postgres) = (database::fresh("sqlite").await, database::fresh("postgres").await);
    let folder = TempDir::new().unwrap();
    let mut contenders = vec![
        bare().await,
        hearken("hearken on SQLite", sqlite.url(), &folder, "sqlite").await,
        hearken("hearken on PostgreSQL", postgres.url(), &folder, "postgres").await,
    ];
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            let round = load(contender).await;
            contender.rounds.push(round);
        }
    }
    report(&contenders);
}

fn report(contenders: &[Contender]) {
    let median = |contender: &Contender, figure: fn(&Round) -> f64| {
        let mut figures: Vec<f64> = contender.rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let bare = median(&contenders[0], |round| round.per_second);
    println!("{CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s each in turns, medians\n");
    println!("| contender | requests/s | of the bare handler | p50 ms | p99 ms |");
    println!("|---|---:|---:|---:|---:|");
    for contender in contenders {
        let rate = median(contender, |round| round.per_second);
        println!(
            "| {} | {rate:.0} | {:.2} | {:.1} | {:.1} |",
            contender.name,
            rate / bare,
            median(contender, |round| round.p50.as_secs_f64() * 1e3),
            median(contender, |round| round.p99.as_secs_f64() * 1e3),
        );
    }
}

/// A payload of about 2 KB, as a push with a few commits has.
fn body(number: u64) -> Vec<u8> {
    let commit = |n: u64| json!({ "id": n, "message": "Make it work ".repeat(20), "author": { "name": "Mona" } });
    serde_json::to_vec(&json!({
        "ref": "refs/heads/main", "number": number,
        "commits": (0..6).map(commit).collect::<Vec<Value>>(),
    }))
    .unwrap()
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

async fn load(contender: &Contender) -> Round {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let started = Instant::now();
    let senders = (0..CONNECTIONS).map(|_| {
        let (url, secret) = (contender.url.clone(), contender.secret.clone());
        tokio::spawn(async move {
            let client = client();
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let body = body(number);
                let request = client
                    .post(&url)
                    .header("X-Signature", sign(&secret, &body))
                    .header("X-Delivery", format!("delivery-{number}"))
                    .header("Content-Type", "application/json")
                    .body(body);
                let sent = Instant::now();
                let answer = request.send().await.unwrap();
                assert!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await.unwrap();
                latencies.push(sent.elapsed());
            }
            latencies
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut latencies = Vec::new();
    for sender in senders {
        latencies.extend(sender.await.unwrap());
    }
    let elapsed = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = latencies.len() as f64 / elapsed;
    Round { per_second, p50: at(50), p99: at(99) }
}

#[expect(clippy::disallowed_methods, reason = "the load is a client of the server, not part of it")]
fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// The least a receiver must do: check the HMAC of the raw body in constant time.
async fn bare_handler() {
    let check = async |headers: HeaderMap, body: Bytes| {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        mac.update(&body);
        let signature = headers.get("x-signature").map(|value| value.as_bytes().to_vec());
        let given = signature.and_then(|hex| data_encoding::HEXLOWER.decode(&hex).ok());
        if given.is_some_and(|given| mac.verify_slice(&given).is_ok()) {
            StatusCode::ACCEPTED
        } else {
            StatusCode::UNAUTHORIZED
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("URL http://{}", listener.local_addr().unwrap());
    axum::serve(listener, Router::new().route("/", post(check))).await.unwrap();
}

async fn bare() -> Contender {
    let (process, url) = spawn(Command::new(env::current_exe().unwrap()).arg(BARE)).await;
    Contender {
        name: "bare handler, HMAC only",
        _process: process,
        url,
        secret: KEY.to_owned(),
        rounds: Vec::new(),
    }
}

async fn hearken(name: &'static str, database: &str, folder: &TempDir, data: &str) -> Contender {
    let apps = folder.path().join("apps");
    write_app(&apps);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearken"));
    command
        .arg("serve")
        .env("HEARKEN_LISTEN", "127.0.0.1:0")
        .env("HEARKEN_DATABASE_URL", database)
        .env("HEARKEN_DATA_DIR", folder.path().join(data))
        .env("HEARKEN_APPS_DIR", &apps)
        .env("HEARKEN_ROOT_KEY", KEY)
        .env("HEARKEN_LIMITS__WEBHOOKS_PER_SECOND", "1000000");
    let (process, url) = spawn(&mut command).await;
    let trigger: Value = client()
        .post(format!("{url}/v1/triggers"))
        .bearer_auth(KEY)
        .json(&json!({ "trigger": "BENCH__PUSH", "config": {} }))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let text =
        |field: &str| trigger[field].as_str().unwrap_or_else(|| panic!("{trigger}")).to_owned();
    Contender {
        name,
        _process: process,
        url: text("webhook_url"),
        secret: text("verification_secret"),
        rounds: Vec::new(),
    }
}

async fn spawn(command: &mut Command) -> (Child, String) {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(url) = line.trim().strip_prefix("URL ") {
            let url = url.trim().to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (child, url);
        }
    }
    panic!("a contender ended before it was serving");
}

/// An app whose secret is copied by hand, so that no provider takes part in the measurement.
fn write_app(apps: &std::path::Path) {
    let folder = apps.join("bench");
    fs::create_dir_all(&folder).unwrap();
    let yaml = r#"title: Bench
category: testing
description: Receives what the bench sends.
homepage: https://bench.example
docs: https://bench.example
facts: { grade: R1, checked: 2026-11-24, sources: ["https://bench.example"] }
base_url: https://bench.example
hosts: [bench.example]
auth:
  - kind: none
    title: Nothing
secret: { scope: trigger, generate: { bytes: 32, encoding: hex } }
ingress: { content_types: [json] }
triggers:
  - name: PUSH
    type: push
    title: Push
    description: Whatever comes.
    match: {}
    config: { type: object }
    payload: { type: object }
"#;
    let script = r#"
fn signature() {
    #{ kind: "hmac", algorithm: "sha256", header: "X-Signature", encoding: "hex", message: "{body}" }
}

fn events(request, trigger) {
    #{ id: request.headers["x-delivery"], data: request.body }
}
"#;
    fs::write(folder.join("app.yaml"), yaml).unwrap();
    fs::write(folder.join("connector.rhai"), script).unwrap();
}
