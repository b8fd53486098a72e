//! How many verified, mapped and durably stored webhooks a second, beside a bare handler that
//! only checks the HMAC: `cargo bench --bench ingest`.
//!
//! All contenders run as processes of their own on this machine, in turns within one run, and
//! are asked by the same 64 connections; only the ratios between them mean something elsewhere.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed measurement")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

#[path = "support/load.rs"]
mod load;
#[path = "support/server.rs"]
mod server;

use std::{env, time::Duration};

use axum::{Router, body::Bytes, http::HeaderMap, http::StatusCode, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use load::{Round, Target, load, median, trigger, write_app};
use server::{KEY, database, serve, spawn};

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_secs(8);
const BARE: &str = "--bare-handler";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if env::args().any(|argument| argument == BARE) {
        runtime.block_on(bare_handler());
    } else {
        runtime.block_on(compare());
    }
}

struct Contender {
    name: &'static str,
    _process: Child,
    target: Target,
    rounds: Vec<Round>,
}

async fn compare() {
    let (sqlite, postgres) = (database::fresh("sqlite").await, database::fresh("postgres").await);
    let folder = TempDir::new().unwrap();
    let events = r#"fn events(request, trigger) {
        #{ id: request.headers["x-delivery"], data: request.body }
    }"#;
    write_app(folder.path(), "bench", events);
    let mut contenders = vec![bare().await];
    for (name, url, data) in [
        ("hearken on SQLite", sqlite.url(), "sqlite"),
        ("hearken on PostgreSQL", postgres.url(), "postgres"),
    ] {
        let (process, server) = serve(url, folder.path(), data).await;
        let target = trigger(&server, "BENCH__PUSH").await;
        contenders.push(Contender { name, _process: process, target, rounds: Vec::new() });
    }
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            contender.rounds.push(load(&contender.target, CONNECTIONS, SPAN).await);
        }
    }
    report(&contenders);
}

fn report(contenders: &[Contender]) {
    let bare = median(&contenders[0].rounds, |round| round.per_second);
    println!("{CONNECTIONS} connections, {ROUNDS} rounds of {SPAN:?} each in turns, medians\n");
    println!("| contender | requests/s | of the bare handler | p50 ms | p99 ms |");
    println!("|---|---:|---:|---:|---:|");
    for Contender { name, rounds, .. } in contenders {
        let rate = median(rounds, |round| round.per_second);
        println!(
            "| {name} | {rate:.0} | {:.2} | {:.1} | {:.1} |",
            rate / bare,
            median(rounds, |round| round.p50.as_secs_f64() * 1e3),
            median(rounds, |round| round.p99.as_secs_f64() * 1e3),
        );
    }
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
    let target = Target { url, secret: KEY.to_owned() };
    Contender { name: "bare handler, HMAC only", _process: process, target, rounds: Vec::new() }
}
