//! No registration call reaches an address that is not public, however it is written.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::{database::fresh, server::Server};

/// Hosts that all mean a private, local or special address: literals in every notation, names
/// that resolve to such, cloud metadata.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0177.1",
    "127.0.0.1.",
    "127.000.000.001",
    "0x7f.0x0.0x0.0x1",
    "127.255.255.254",
    "0",
    "0.0.0.0",
    "0.0",
    "0x0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "012.0.0.1",
    "0xa.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "0xac.0x10.0.1",
    "192.168.0.1",
    "192.168.255.255",
    "0xc0a80001",
    "3232235521",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:192.168.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::10.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::127.0.0.1]",
    "[64:ff9b:1::1]",
    "[100::1]",
    "[100:0:0:1::1]",
    "[2001::1]",
    "[2001:0:7f00:1::]",
    "[2001:1::1]",
    "[2001:2::1]",
    "[2001:3::1]",
    "[2001:4:112::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2002:a9fe:a9fe::]",
    "[2002:c0a8:1::1]",
    "[2620:4f:8000::1]",
    "[3fff::1]",
    "[3fff:fff::1]",
    "[4000::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd00::1]",
    "[fd00:ec2::254]",
    "[fdff:ffff::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[feff::1]",
    "[ff00::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "ip6-localhost",
    "ip6-loopback",
    "metadata",
    "metadata.google.internal",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "printer.local",
    "vault.internal",
    "router.home.arpa",
    "db",
    "host.docker.internal",
    "\u{ff11}\u{ff12}\u{ff17}.\u{ff10}.\u{ff10}.\u{ff11}",
    "\u{2460}\u{2461}\u{2466}.0.0.1",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "127.0.0.1%2e",
    "%31%32%37.0.0.1",
    "127.0.0.1%00",
];

const SCRIPT: &str = r"
fn register(http, trigger) {
    let answer = http.get(trigger.config.url);
    #{ external_id: answer.status.to_string() }
}

fn unregister(http, trigger) {}
";

/// An app whose registration calls whatever URL its trigger is configured with.
fn caller(hosts: &[String]) -> String {
    let hosts = serde_json::to_string(hosts).unwrap();
    format!(
        r#"title: Caller
category: testing
description: Calls the URL it is told to call.
homepage: https://caller.example
docs: https://caller.example
facts: {{ grade: R1, checked: 2026-11-24, sources: ["https://caller.example"] }}
base_url: https://caller.example
hosts: {hosts}
auth:
  - kind: none
    title: Nothing
unverified: It is a test.
ingress: {{ content_types: [json] }}
triggers:
  - name: CALLED
    type: called
    title: Called
    description: Whatever comes.
    match: {{}}
    config:
      type: object
      properties: {{ url: {{ type: string }} }}
    payload: {{ type: object }}
"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_private_address_is_reached() {
    // Every port the guard would allow at a public address; the ones in use here are not ours
    // to listen on, and are refused all the same.
    let mut canaries = Vec::new();
    for port in [80, 443, 8080, 8443] {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            canaries.push(listener);
        }
    }
    assert!(!canaries.is_empty(), "no canary could listen");
    let apps = TempDir::new().unwrap();
    let folder = apps.path().join("caller");
    fs::create_dir(&folder).unwrap();
    let mut listed: Vec<String> = HOSTS
        .iter()
        .filter_map(|host| url::Url::parse(&format!("https://{host}/")).ok())
        .filter_map(|url| url.host_str().map(str::to_owned))
        // As an app could list them, so that nothing but the guard stands in the way.
        .flat_map(|host| [format!("{host}:8443"), host])
        .collect();
    listed.sort();
    listed.dedup();
    fs::write(folder.join("app.yaml"), caller(&listed)).unwrap();
    fs::write(folder.join("connector.rhai"), SCRIPT).unwrap();
    let database = fresh("sqlite").await;
    let settings = [
        ("HEARKEN_APPS_DIR", apps.path().to_str().unwrap()),
        ("http_proxy", "http://127.0.0.1:8080"),
        ("https_proxy", "http://127.0.0.1:8080"),
        ("ALL_PROXY", "http://127.0.0.1:8080"),
        ("HEARKEN_LIMITS__PROVIDER_SECONDS", "3"),
    ];
    let server = Server::start(&database, &settings).await;
    assert_eq!(server.get("/v1/apps").await["problems"], json!([]));

    let mut refused_as_address = 0;
    assert!(HOSTS.len() >= 120, "{} hosts", HOSTS.len());
    for host in HOSTS {
        for url in [
            format!("https://{host}/"),
            format!("https://{host}:8443/"),
            format!("http://{host}:8080/"),
            format!("https://u:p@{host}/"),
        ] {
            let request = json!({ "trigger": "CALLER__CALLED", "config": { "url": url } });
            let (status, problem) = server.call(Method::POST, "/v1/triggers", Some(&request)).await;
            assert!(
                status.is_client_error() || status.is_server_error(),
                "{url}: {status} {problem}"
            );
            // The guard's own words, not those for a host that the app does not list.
            let detail = problem["detail"].as_str().unwrap_or_default();
            if detail.starts_with("the request was not sent") {
                refused_as_address += 1;
            }
        }
    }
    // Some cannot even be written as a URL, and never get as far as the guard.
    assert!(refused_as_address >= 190, "only {refused_as_address} were refused by the guard");
    assert_eq!(server.all("/v1/triggers").await, Vec::<Value>::new());
    for canary in canaries {
        let hit = tokio::time::timeout(std::time::Duration::from_millis(50), canary.accept()).await;
        assert!(hit.is_err(), "a canary at {:?} was reached", canary.local_addr());
    }
}
