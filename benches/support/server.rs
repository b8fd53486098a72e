//! What the benches share: a server in a process of its own, and a client of it.

#[path = "../../tests/support/database.rs"]
pub(crate) mod database;

use std::{path::Path, process::Stdio};

use reqwest::Client;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// The root key of the servers measured.
pub(crate) const KEY: &str = "bench-root-key-0123456789abcdef0123456789abcdef";

/// Starts a server on `database` with the apps in `folder`.
pub(crate) async fn serve(database: &str, folder: &Path, data: &str) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearken"));
    command
        .arg("serve")
        .env("HEARKEN_LISTEN", "127.0.0.1:0")
        .env("HEARKEN_DATABASE_URL", database)
        .env("HEARKEN_DATA_DIR", folder.join(data))
        .env("HEARKEN_APPS_DIR", folder.join("apps"))
        .env("HEARKEN_ROOT_KEY", KEY)
        .env("HEARKEN_LOG__FILTER", "off")
        .env("HEARKEN_LIMITS__WEBHOOKS_PER_SECOND", "1000000");
    spawn(&mut command).await
}

/// Starts a process that tells its address in a line `URL http://…`.
pub(crate) async fn spawn(command: &mut Command) -> (Child, String) {
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

#[expect(clippy::disallowed_methods, reason = "the load is a client of the server, not part of it")]
pub(crate) fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}
