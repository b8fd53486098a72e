//! `hearken demo`: its walkthrough, and that of the README, run word for word in a shell.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use serde_json::Value;

use crate::support::{command, guide, project, ran, run};

/// A demo that serves on free ports.
struct Demo {
    child: Child,
    server: String,
    provider: String,
    /// The walkthrough it printed.
    walkthrough: String,
}

impl Demo {
    fn start(folder: &Path, apps: &Path, app: &str) -> Self {
        let (server, provider) = (free_address(), free_address());
        let apps = apps.to_str().unwrap();
        let arguments = [
            "demo",
            "--app",
            app,
            "--apps-dir",
            apps,
            "--listen",
            &server,
            "--provider",
            &provider,
        ];
        let mut child = command(folder, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut walkthrough = String::new();
        // The last command of the walkthrough is the only one that deletes.
        for line in lines.skip_while(|line| !line.starts_with("API=")) {
            walkthrough.push_str(&line);
            walkthrough.push('\n');
            if line.contains("DELETE") {
                break;
            }
        }
        assert!(!walkthrough.is_empty(), "the demo ended early: {:?}", child.wait());
        Self { child, server, provider, walkthrough }
    }

    /// Runs commands in a shell, and returns what they printed.
    fn shell(commands: &str) -> String {
        let shell = Command::new("bash").args(["-euc", commands]).output().unwrap();
        let shell = ran(&shell);
        assert_eq!(shell.code, 0, "{}{}", shell.out, shell.err);
        shell.out
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let id = Pid::from_raw(self.child.id().cast_signed());
        // Fails only if it has ended already.
        let _ = kill(id, Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn the_printed_walkthrough_leads_to_a_processed_event() {
    let folder = guide();
    let demo = Demo::start(folder.path(), &folder.path().join("apps"), "acme");
    let shown = Demo::shell(&demo.walkthrough);
    let last = shown.lines().last().unwrap();
    assert!(last.contains("\"status\":\"processed\""), "{shown}");
    assert!(last.contains("\"type\":\"acme.ticket.closed\""), "{shown}");

    // Delivered again, it is another event: the pretend provider gives it a new id.
    let again = Demo::shell(&format!("curl -sX POST http://{}/deliver/acme/closed", demo.provider));
    assert!(again.contains("evt_") && again.contains("\"duplicates\":[]"), "{again}");
}

#[test]
fn a_receipt_becomes_a_sample() {
    let folder = guide();
    let demo = Demo::start(folder.path(), &folder.path().join("apps"), "acme");
    Demo::shell(&demo.walkthrough);
    let key = "Authorization: Bearer demo-key";
    let list = format!("curl -s -H '{key}' 'http://{}/v1/receipts?outcome=stored'", demo.server);
    let receipts: Value = serde_json::from_str(&Demo::shell(&list)).unwrap();
    let receipt = receipts["data"][0]["id"].as_str().unwrap().to_owned();
    let server = format!("http://{}", demo.server);
    let arguments = ["app", "record", &receipt, "--server", &server, "--name", "received"];
    let refused =
        ran(&command(folder.path(), &arguments).env("HEARKEN_KEY", "no").output().unwrap());
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("401"), "{}", refused.err);
    let made =
        ran(&command(folder.path(), &arguments).env("HEARKEN_KEY", "demo-key").output().unwrap());
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let test = run(folder.path(), &["app", "test"]);
    assert!(test.out.contains("8 passed, 0 failed"), "{}", test.out);
}

#[test]
fn the_readme_works_word_for_word() {
    let folder = guide();
    let demo = Demo::start(folder.path(), &project().join("apps"), "github");
    let readme = fs::read_to_string(project().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let commands: String = blocks.filter(|block| block.contains("curl")).collect();
    // The ports of the test in place of the usual ones; nothing else is changed.
    let commands =
        commands.replace("127.0.0.1:8080", &demo.server).replace("127.0.0.1:8090", &demo.provider);
    let shown = Demo::shell(&commands);
    assert!(shown.contains("\"status\":\"processed\""), "{shown}");
    assert!(shown.lines().last().unwrap().contains("rcp_"), "{shown}");
}
