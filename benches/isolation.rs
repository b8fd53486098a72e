//! What four apps with hostile scripts, called all the time, cost an honest app beside them:
//! `cargo bench --bench isolation`.
//!
//! Rounds with and without the hostile traffic take turns within one run; the first hostile round
//! pays for finding out that the scripts are hostile, and is told apart.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed measurement")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

#[path = "support/load.rs"]
mod load;
#[path = "support/server.rs"]
mod server;

use std::time::Duration;

use tempfile::TempDir;

use load::{Round, Target, load, median, trigger, write_app};
use server::{database, serve};

const CONNECTIONS: usize = 4;
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_secs(4);
const HOSTILE: [(&str, &str); 4] = [
    ("endless", "fn events(request, trigger) { loop {} }"),
    (
        "greedy",
        "fn events(request, trigger) { let all = []; loop { all.push(\"x\" + all.len()); } }",
    ),
    ("deep", "fn events(request, trigger) { events(request, trigger) + 1 }"),
    ("growing", "fn events(request, trigger) { let text = \"x\"; loop { text += text; } }"),
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(compare());
}

async fn compare() {
    let database = database::fresh("sqlite").await;
    let folder = TempDir::new().unwrap();
    write_app(folder.path(), "honest", "fn events(request, trigger) { #{ data: request.body } }");
    for (slug, events) in HOSTILE {
        write_app(folder.path(), slug, events);
    }
    let (_process, server) = serve(database.url(), folder.path(), "data").await;
    let honest = trigger(&server, "HONEST__PUSH").await;
    let mut hostile = Vec::new();
    for (slug, _) in HOSTILE {
        hostile.push(trigger(&server, &format!("{}__PUSH", slug.to_uppercase())).await);
    }
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(load(&honest, CONNECTIONS, SPAN).await);
        beside.push(under_fire(&honest, &hostile).await);
    }
    let first = beside.remove(0);
    println!(
        "an honest app, {CONNECTIONS} connections, beside 4 hostile ones, rounds of {SPAN:?}\n"
    );
    println!("| | requests/s | p50 ms | p99 ms |");
    println!("|---|---:|---:|---:|");
    tell("alone", &alone);
    tell("while the hostile ones are found out (one round)", &[first]);
    tell("after that", &beside);
}

/// One round of the honest app, while each hostile one is called again and again, slowly enough
/// that it is their scripts and not their requests that weigh.
async fn under_fire(honest: &Target, hostile: &[Target]) -> Round {
    let attacks: Vec<_> = hostile
        .iter()
        .cloned()
        .map(|target| {
            tokio::spawn(async move {
                let pause = Duration::from_millis(100);
                for _ in 0..SPAN.as_millis() / pause.as_millis() {
                    load(&target, 1, Duration::from_millis(1)).await;
                    tokio::time::sleep(pause).await;
                }
            })
        })
        .collect();
    let round = load(honest, CONNECTIONS, SPAN).await;
    for attack in attacks {
        attack.abort();
    }
    round
}

fn tell(name: &str, rounds: &[Round]) {
    println!(
        "| {name} | {:.0} | {:.1} | {:.1} |",
        median(rounds, |round| round.per_second),
        median(rounds, |round| round.p50.as_secs_f64() * 1e3),
        median(rounds, |round| round.p99.as_secs_f64() * 1e3),
    );
}
