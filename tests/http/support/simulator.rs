//! Simulators: each a process that speaks one provider's protocol, checks requests against the
//! provider's published API description and signs deliveries with the provider's own library.

use std::process::Stdio;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::server::client;

/// A running simulator; killed when dropped.
pub(crate) struct Simulator {
    _child: Child,
    /// Base URL, without a trailing slash.
    pub(crate) url: String,
}

impl Simulator {
    /// Starts GitHub's on a free port.
    pub(crate) async fn start() -> Self {
        Self::named("github").await
    }

    /// Starts the one in `tests/simulators/<name>.mjs` on a free port.
    pub(crate) async fn named(name: &str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let script = format!("{root}/tests/simulators/{name}.mjs");
        let mut child = Command::new("node")
            .args([&script, "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs; `make test` installs what the simulator needs");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("the simulator says its port");
        let port = serde_json::from_str::<Value>(&first).unwrap()["port"].as_u64().unwrap();
        Self { _child: child, url: format!("http://127.0.0.1:{port}") }
    }

    /// The settings that point a server at it.
    pub(crate) fn settings(&self) -> [(&str, &str); 2] {
        [("HEARKEN_APPS__GITHUB__BASE_URL", &self.url), ("HEARKEN_EGRESS_ALLOW", "127.0.0.1/32")]
    }

    /// One call of its control plane.
    pub(crate) async fn control(&self, action: &str, body: Value) -> Value {
        let url = format!("{}/_sim/{action}", self.url);
        let answer = client().post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{action}: {}", answer.status());
        answer.json().await.unwrap()
    }

    /// What it holds and what it has seen.
    pub(crate) async fn state(&self) -> Value {
        let url = format!("{}/_sim/state", self.url);
        client().get(url).send().await.unwrap().json().await.unwrap()
    }

    /// The hook ids it holds.
    pub(crate) async fn hooks(&self) -> Vec<Value> {
        self.state().await["hooks"].as_array().unwrap().clone()
    }
}
