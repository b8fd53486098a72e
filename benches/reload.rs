//! What 600 app folders cost: loading them, their memory, and the time until one edited file is
//! live in a running server: `cargo bench --bench reload`.
//!
//! The folders are copies of the most complete app there is, under other names, so that every one
//! has a script, several triggers and schemas of its own.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed measurement")]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

#[path = "support/server.rs"]
mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hearken_engine::LiveCatalogue;
use serde_json::Value;
use tempfile::TempDir;

use server::{KEY, client, database, serve};

const APPS: usize = 600;
const LOADS: usize = 5;
const EDITS: usize = 20;
/// How often the server is asked whether an edit is live.
const ASK: Duration = Duration::from_millis(5);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let (few, many) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    generate(few.path(), 1);
    generate(many.path(), APPS);

    println!("{APPS} app folders; medians, and in brackets the worst\n");
    println!("| what | figure |\n|---|---:|");
    let loads = (0..LOADS).map(|_| cold_load(&many.path().join("apps"))).collect();
    println!("| cold load | {} |", milliseconds(loads));
    let (small, _) = run(few.path(), 0).await;
    let (large, edits) = run(many.path(), EDITS).await;
    println!("| memory of the server with 1 app | {small} MiB |");
    println!("| memory of the server with {APPS} apps | {large} MiB |");
    println!("| an edit until the new version is served | {} |", milliseconds(edits));
}

fn cold_load(apps: &Path) -> Duration {
    let started = Instant::now();
    let catalogue = LiveCatalogue::open(apps.to_owned()).snapshot();
    let elapsed = started.elapsed();
    assert_eq!(catalogue.apps().count(), APPS, "{:?}", catalogue.problems());
    elapsed
}

/// Serves the folder and edits one app again and again; gives the server's memory in MiB and the
/// times until each edit was live.
async fn run(folder: &Path, edits: usize) -> (u64, Vec<Duration>) {
    let database = database::fresh("sqlite").await;
    let (process, url) = serve(database.url(), folder, "data").await;
    let mut times = Vec::new();
    let script = folder.join("apps/app-0/connector.rhai");
    let text = fs::read_to_string(&script).unwrap();
    for edit in 0..edits {
        let before = version(&url).await;
        // The way editors save: a new file in place of the old.
        let draft = script.with_extension("draft");
        fs::write(&draft, format!("{text}\n// edit {edit}\n")).unwrap();
        let saved = Instant::now();
        fs::rename(&draft, &script).unwrap();
        while version(&url).await == before {
            tokio::time::sleep(ASK).await;
        }
        times.push(saved.elapsed());
    }
    (resident(process.id().unwrap()), times)
}

async fn version(server: &str) -> Value {
    let request = client().get(format!("{server}/v1/apps/app-0")).bearer_auth(KEY);
    let app: Value = request.send().await.unwrap().json().await.unwrap();
    app["version"].clone()
}

/// Memory of a process in MiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

fn generate(folder: &Path, count: usize) {
    let model = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/apps/github"));
    let definition = fs::read_to_string(model.join("app.yaml")).unwrap();
    let script = fs::read_to_string(model.join("connector.rhai")).unwrap();
    for number in 0..count {
        let slug = format!("app-{number}");
        let app = folder.join("apps").join(&slug);
        fs::create_dir_all(app.join("schemas")).unwrap();
        fs::write(app.join("app.yaml"), &definition).unwrap();
        let prefix = format!("{}__", slug.to_uppercase().replace('-', "_"));
        fs::write(app.join("connector.rhai"), script.replace("GITHUB__", &prefix)).unwrap();
        for schema in fs::read_dir(model.join("schemas")).unwrap() {
            let schema = schema.unwrap();
            fs::copy(schema.path(), app.join("schemas").join(schema.file_name())).unwrap();
        }
    }
}

fn milliseconds(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let of = |time: Duration| time.as_secs_f64() * 1e3;
    let (median, worst) = (times[times.len() / 2], *times.last().unwrap());
    format!("{:.0} ms ({:.0})", of(median), of(worst))
}
