//! The server under test: the real binary in a process of its own, with a data folder of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::database::Database;

/// The root key every test server is started with.
pub(crate) const ROOT_KEY: &str = "test-root-key-0123456789abcdef0123456789abcdef";

/// A setting of the tests: where the server's log goes, in place of the tests' own output.
pub(crate) const LOG_FILE: &str = "LOG_FILE";

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Base URL, without a trailing slash.
    pub(crate) url: String,
    /// What it was started with, so that it can be started again.
    settings: Vec<(String, String)>,
    data: TempDir,
    client: Client,
}

impl Server {
    /// Starts on `database` with the project's own apps and these further variables.
    pub(crate) async fn start(database: &Database, settings: &[(&str, &str)]) -> Self {
        let data = TempDir::new().unwrap();
        let apps = concat!(env!("CARGO_MANIFEST_DIR"), "/apps");
        let mut all = vec![
            ("HEARKEN_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("HEARKEN_DATABASE_URL".to_owned(), database.url().to_owned()),
            ("HEARKEN_DATA_DIR".to_owned(), data.path().to_str().unwrap().to_owned()),
            ("HEARKEN_APPS_DIR".to_owned(), apps.to_owned()),
            ("HEARKEN_ROOT_KEY".to_owned(), ROOT_KEY.to_owned()),
            ("HEARKEN_LIMITS__WEBHOOKS_PER_SECOND".to_owned(), "100000".to_owned()),
            ("HEARKEN_LIMITS__API_PER_SECOND".to_owned(), "100000".to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (child, url) = spawn(&all).await;
        Self { child, url, settings: all, data, client: client() }
    }

    /// Folder of the server's keys.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// The process id, for signals and measurements.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Kills the process as a power cut would, and starts it again on the same data.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.child.kill().await.unwrap();
        let (child, url) = spawn(&self.settings).await;
        self.child = child;
        self.url = url;
    }

    /// Asks the process to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> std::process::ExitStatus {
        kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM).unwrap();
        self.child.wait().await.unwrap()
    }

    /// One API call with the root key.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        self.call_as(ROOT_KEY, method, path, body).await
    }

    /// One API call with another key.
    pub(crate) async fn call_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let mut request =
            self.client.request(method, format!("{}{path}", self.url)).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    /// A `GET` that must succeed.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// A `POST` that must succeed.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, Some(&body)).await;
        assert!(status.is_success(), "POST {path}: {status} {answer}");
        answer
    }

    /// Every item of a listing, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{joint}limit=100{cursor}")).await;
            items.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Links a GitHub account whose token the simulator knows.
    pub(crate) async fn link_account(&self, token: &str) -> String {
        let account = json!({
            "app": "github", "name": "octocat", "kind": "token", "credentials": { "token": token },
        });
        self.post("/v1/linked-accounts", account).await["id"].as_str().unwrap().to_owned()
    }

    /// Creates a repository trigger of this type.
    pub(crate) async fn create_trigger(&self, account: &str, name: &str) -> Value {
        self.post("/v1/triggers", trigger_request(account, name)).await
    }

    /// Sends a raw webhook.
    pub(crate) async fn deliver(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Response {
        let mut request = self.client.post(url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

/// The body that creates a repository trigger.
pub(crate) fn trigger_request(account: &str, name: &str) -> Value {
    json!({
        "trigger": name,
        "linked_account_id": account,
        "config": { "owner": "octocat", "repo": "hello-world" },
    })
}

/// A client for the tests.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests are clients of the server, not part of it"
)]
pub(crate) fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Where the binary under test is.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_hearken"))
}

async fn spawn(settings: &[(String, String)]) -> (Child, String) {
    let log = settings.iter().find(|(name, _)| name == LOG_FILE).map(|(_, path)| path);
    let mut child = Command::new(binary())
        .arg("serve")
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stderr(log.map_or_else(Stdio::inherit, |path| std::fs::File::create(path).unwrap().into()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(url) = line.trim().strip_prefix("URL ") {
            let url = url.trim().to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (child, url);
        }
    }
    panic!("the server ended before it was serving: {:?}", child.wait().await);
}
