//! Definitions edited while requests come in: no request fails, no event is mapped by a half
//! written version, what is wrong is shown with its place, and what is mended goes live.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hearken_engine::App;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    database::{Database, fresh},
    eventually, github_signature,
    server::{Server, client},
    simulator::Simulator,
};

const EDITS: usize = 100;
const PER_SECOND: u64 = 200;

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A private copy of the apps folder, the simulator, and a server that reads the copy.
async fn start(database: &Database) -> (TempDir, Simulator, Server) {
    let apps = TempDir::new().unwrap();
    copy_folder(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/apps/github")),
        &apps.path().join("github"),
    );
    let simulator = Simulator::start().await;
    let mut settings = simulator.settings().to_vec();
    settings.push(("HEARKEN_APPS_DIR", apps.path().to_str().unwrap()));
    let server = Server::start(database, &settings).await;
    (apps, simulator, server)
}

async fn app(server: &Server) -> Value {
    server.get("/v1/apps/github").await
}

/// The statuses of a steady stream of signed deliveries, until `stop`.
async fn stream(
    url: String,
    secret: String,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
) -> BTreeSet<u16> {
    let client = client();
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / PER_SECOND));
    let mut under_way = tokio::task::JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let number = sent.fetch_add(1, Ordering::Relaxed);
        let body =
            serde_json::to_vec(&json!({ "ref": "refs/heads/main", "number": number })).unwrap();
        let request = client
            .post(&url)
            .header("X-GitHub-Event", "push")
            .header("X-GitHub-Delivery", format!("delivery-{number}"))
            .header("X-Hub-Signature-256", github_signature(&secret, &body))
            .header("Content-Type", "application/json")
            .body(body);
        under_way.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    under_way.join_all().await.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_edits_under_load() {
    let database = fresh("sqlite").await;
    let (apps, simulator, server) = start(&database).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let url = trigger["webhook_url"].as_str().unwrap().to_owned();
    let secret = simulator.hooks().await[0]["secret"].as_str().unwrap().to_owned();
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load = tokio::spawn(stream(url, secret, stop.clone(), sent.clone()));

    let folder = apps.path().join("github");
    let (yaml, script) = (folder.join("app.yaml"), folder.join("connector.rhai"));
    let originals = (fs::read_to_string(&yaml).unwrap(), fs::read_to_string(&script).unwrap());
    let mut complete = Versions::new(&apps.path().join("github"));
    let mut on_disk = originals.clone();
    complete.note(&on_disk);
    for edit in 0..EDITS {
        let (of_script, broken) = (edit % 2 == 1, edit % 3 == 2);
        let text = match (of_script, broken) {
            (false, false) => format!("{}\n# edit {edit}\n", originals.0),
            (false, true) => format!("{}\nno_such_key_{edit}: 1\n", originals.0),
            (true, false) => format!("{}\n// edit {edit}\n", originals.1),
            (true, true) => format!("{}\nfn broken_{edit}( {{\n", originals.1),
        };
        write(if of_script { &script } else { &yaml }, &text, edit / 3);
        *(if of_script { &mut on_disk.1 } else { &mut on_disk.0 }) = text;
        complete.note(&on_disk);
        // Now and then a pause, in which what was saved last can go live.
        tokio::time::sleep(Duration::from_millis(if edit % 4 == 3 { 450 } else { 60 })).await;
    }

    complete.note(&(on_disk.0.clone(), originals.1.clone()));
    break_and_mend(&server, (&yaml, &script), &originals, &mut complete).await;

    stop.store(true, Ordering::Relaxed);
    let statuses = load.await.unwrap();
    assert_eq!(statuses, BTreeSet::from([202]), "every request was accepted");
    let events = server.all("/v1/trigger-events").await;
    assert_eq!(events.len() as u64, sent.load(Ordering::Relaxed), "and stored");
    assert!(events.len() > 500, "{} requests are no load", events.len());
    let mut used = BTreeSet::new();
    for event in &events {
        let version = event["definition_version"].as_str().unwrap();
        assert!(
            version.len() == 16 && version.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{version}"
        );
        used.insert(version.to_owned());
    }
    assert!(used.len() > 3, "events were mapped by {} versions: the edits went live", used.len());
}

/// Breaks the definition, expects the place to be shown, mends it, expects it to be live.
async fn break_and_mend(
    server: &Server,
    (yaml, script): (&Path, &Path),
    originals: &(String, String),
    complete: &mut Versions,
) {
    fs::write(script, &originals.1).unwrap();
    fs::write(yaml, &originals.0).unwrap();
    let before = eventually("both files are as they were", async || {
        let app = app(server).await;
        (app["problems"] == json!([])).then_some(app["version"].clone())
    })
    .await;
    fs::write(yaml, format!("{}\ntrigers: []\n", originals.0)).unwrap();
    let problem = eventually("the broken file is reported", async || {
        let problems = app(server).await["problems"].as_array().cloned().unwrap_or_default();
        problems.into_iter().find(|problem| problem.to_string().contains("trigers"))
    })
    .await;
    assert_eq!(problem["file"], "github/app.yaml");
    assert_eq!(problem["line"], originals.0.lines().count() + 2, "{problem}");
    assert_eq!(problem["column"], 1, "{problem}");
    assert!(problem.to_string().contains("triggers"), "the nearest name is offered: {problem}");
    assert_eq!(app(server).await["version"], before, "the last good version serves on");
    let mended = (format!("{}\n# mended\n", originals.0), originals.1.clone());
    complete.note(&mended);
    fs::write(yaml, &mended.0).unwrap();
    eventually("the mended file is live", async || {
        let app = app(server).await;
        (app["version"] != before && app["problems"] == json!([])).then_some(())
    })
    .await;
}

/// The versions of all pairs of definition and script that were on disk together, each complete.
struct Versions(BTreeSet<String>, TempDir);

impl Versions {
    fn new(folder: &Path) -> Self {
        let scratch = TempDir::new().unwrap();
        copy_folder(folder, &scratch.path().join("github"));
        Self(BTreeSet::new(), scratch)
    }

    fn note(&mut self, (yaml, script): &(String, String)) {
        let folder = self.1.path().join("github");
        fs::write(folder.join("app.yaml"), yaml).unwrap();
        fs::write(folder.join("connector.rhai"), script).unwrap();
        if let Ok(app) = App::load(self.1.path(), "github") {
            self.0.insert(app.version);
        }
    }
}

/// The ways editors save: in place, by rename, byte by byte.
fn write(path: &Path, text: &str, edit: usize) {
    match edit % 3 {
        0 => fs::write(path, text).unwrap(),
        1 => {
            let beside = path.with_extension("tmp~");
            fs::write(&beside, text).unwrap();
            fs::rename(beside, path).unwrap();
        }
        _ => {
            use std::io::Write as _;
            let mut file = fs::File::create(path).unwrap();
            for chunk in text.as_bytes().chunks(text.len() / 5 + 1) {
                file.write_all(chunk).unwrap();
                file.flush().unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_never_loaded_is_shown_and_can_be_mended() {
    let database = fresh("sqlite").await;
    let (apps, _simulator, server) = start(&database).await;
    let acme = apps.path().join("acme");
    fs::create_dir(&acme).unwrap();
    fs::write(acme.join("app.yaml"), "titel: Acme\n").unwrap();
    let problem = eventually("the new folder is reported", async || {
        let apps = server.get("/v1/apps").await;
        apps["problems"]
            .as_array()
            .unwrap()
            .iter()
            .find(|problem| problem.to_string().contains("titel"))
            .cloned()
    })
    .await;
    assert_eq!(
        (&problem["file"], &problem["line"], &problem["column"]),
        (&json!("acme/app.yaml"), &json!(1), &json!(1))
    );
    assert_eq!(app(&server).await["slug"], "github", "the good app is untouched");
    fs::remove_dir_all(&acme).unwrap();
    eventually("the problem is gone with its folder", async || {
        (server.get("/v1/apps").await["problems"] == json!([])).then_some(())
    })
    .await;
}
