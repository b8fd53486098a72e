//! The edge of the server: slow, oversized, ambiguous and misdirected requests.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    database::{self, Database},
    github_signature,
    server::Server,
    simulator::Simulator,
};

const PUSH: [(&str, &str); 2] = [("X-GitHub-Event", "push"), ("Content-Type", "application/json")];

async fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // The server closes ambiguous connections; for the others half a second of silence will do.
    let _ = timeout(Duration::from_millis(500), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn with_push_trigger(
    database: &Database,
    settings: &[(&str, &str)],
) -> (Simulator, Server, String, String) {
    let simulator = Simulator::start().await;
    let mut all = simulator.settings().to_vec();
    all.extend_from_slice(settings);
    let server = Server::start(database, &all).await;
    let account = server.link_account("ghp_valid").await;
    let trigger = server.create_trigger(&account, "GITHUB__PUSH").await;
    let url = trigger["webhook_url"].as_str().unwrap().to_owned();
    let secret = simulator.hooks().await[0]["secret"].as_str().unwrap().to_owned();
    (simulator, server, url, secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_let_go_and_others_served() {
    let database = database::fresh("sqlite").await;
    let settings = [("HEARKEN_LIMITS__HEADER_SECONDS", "1"), ("HEARKEN_LIMITS__BODY_SECONDS", "1")];
    let server = Server::start(&database, &settings).await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let slow = [
        "",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost: x\r\nX-Half: ",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf a body",
    ];
    let mut connections = Vec::new();
    for opening in slow.iter().cycle().take(300) {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(opening.as_bytes()).await.unwrap();
        connections.push(stream);
    }
    assert_eq!(server.get("/readyz").await["ready"], true, "healthy clients are served meanwhile");
    for mut stream in connections {
        let mut rest = Vec::new();
        let closed = timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(
            closed.is_ok(),
            "a slow connection is still held: {}",
            String::from_utf8_lossy(&rest)
        );
    }
}

/// A client may keep its connection for later, longer than a request's head may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_can_be_used_again() {
    let database = database::fresh("sqlite").await;
    let server = Server::start(&database, &[("HEARKEN_LIMITS__HEADER_SECONDS", "1")]).await;
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    for pause in [0, 2] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut rest = [0; 4096];
        assert!(stream.read(&mut rest).await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ambiguous_framing_is_refused() {
    let database = database::fresh("sqlite").await;
    let server = Server::start(&database, &[]).await;
    let refused = [
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost : a\r\n\r\n",
        "POST /v1/webhooks/github/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ];
    for request in refused {
        let answer = raw(&server, request.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer}");
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "404" | "408"), "{request:?}: {answer}");
    }
    let fine = raw(&server, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_paths_are_not_found_and_touch_nothing() {
    let database = database::fresh("sqlite").await;
    let server = Server::start(&database, &[]).await;
    let long = "a".repeat(5000);
    let odd = [
        "..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "%00",
        "github%00",
        "GITHUB",
        "git%0ahub",
        "%ff%fe",
        "github%2f..",
        ".",
        "%2e%2e",
        "_",
        "-",
        "%E2%80%8Bgithub",
        "gith\u{443}b",
        "..;",
        "github;x",
        "*",
        "con",
        &long,
    ];
    for app in odd {
        for trigger in ["trg_00000000000000000000000000", "x", "..%2f", "%00", "trg_"] {
            let path = format!("/v1/webhooks/{app}/{trigger}");
            let answer = raw(&server, format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).await;
            let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
            assert!(matches!(status.as_str(), "400" | "404" | "414" | "431"), "{path}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_bounded_by_what_the_app_declares() {
    let database = database::fresh("sqlite").await;
    let (_simulator, server, url, secret) = with_push_trigger(&database, &[]).await;
    let filler = "x".repeat(2 << 20);
    let large = serde_json::to_vec(&json!({ "ref": "refs/heads/main", "filler": filler })).unwrap();
    let signature = github_signature(&secret, &large);
    let headers =
        [PUSH[0], PUSH[1], ("X-Hub-Signature-256", &signature), ("X-GitHub-Delivery", "large")];
    assert_eq!(
        server.deliver(&url, &headers, large).await.status(),
        202,
        "2 MiB is fine at GitHub"
    );
    let too_large = vec![b'x'; (25 << 20) + 1];
    let answer = server.deliver(&url, &PUSH, too_large).await;
    assert_eq!(answer.status(), 413);
    let answer =
        server.deliver(&url, &[PUSH[0], PUSH[1], ("Content-Encoding", "gzip")], vec![0; 10]).await;
    assert_eq!(answer.status(), 415);
    let (status, problem) = server
        .call(Method::POST, "/v1/triggers", Some(&json!({ "filler": "x".repeat(2 << 20) })))
        .await;
    assert_eq!(status, 413, "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_bodies_never_give_a_5xx() {
    let database = database::fresh("sqlite").await;
    let (_simulator, server, url, secret) = with_push_trigger(&database, &[]).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let wide = format!(
        "{{{}}}",
        (0..50_000).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(",")
    );
    let bodies: [&[u8]; 14] = [
        b"",
        b"null",
        b"[]",
        b"0",
        b"\"x\"",
        b"{",
        b"{\"a\":NaN}",
        b"{\"a\":1,\"a\":2}",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"{\"ref\":\"\\ud800\"}",
        b"{\"ref\":1e999}",
        deep.as_bytes(),
        wide.as_bytes(),
    ];
    let types = [
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data",
        "x",
        "",
    ];
    for body in bodies {
        for content_type in types {
            let signature = github_signature(&secret, body);
            let headers = [
                ("X-GitHub-Event", "push"),
                ("Content-Type", content_type),
                ("X-Hub-Signature-256", signature.as_str()),
            ];
            let answer = server.deliver(&url, &headers, body.to_vec()).await;
            assert!(
                answer.status().as_u16() < 500,
                "{content_type} {body:.20?}: {}",
                answer.status()
            );
        }
    }
    assert_eq!(server.get("/readyz").await["ready"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_are_told_when_to_come_back() {
    let database = database::fresh("sqlite").await;
    let settings =
        [("HEARKEN_LIMITS__WEBHOOKS_PER_SECOND", "5"), ("HEARKEN_LIMITS__API_PER_SECOND", "5")];
    let (_simulator, server, url, _secret) = with_push_trigger(&database, &settings).await;
    let mut limited = 0;
    for _ in 0..40 {
        let answer = server.deliver(&url, &PUSH, b"{}".to_vec()).await;
        if answer.status() == 429 {
            limited += 1;
            let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=5).contains(&seconds));
        }
    }
    assert!(limited > 0, "no webhook was limited");
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(server.call(Method::GET, "/v1/triggers", None).await.0.as_u16());
    }
    assert!(statuses.contains(&429), "no API call was limited: {statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_answers_what_is_under_way() {
    let database = database::fresh("sqlite").await;
    let (_simulator, server, url, secret) = with_push_trigger(&database, &[]).await;
    let body = br#"{"ref":"refs/heads/main"}"#.to_vec();
    let signature = github_signature(&secret, &body);
    let headers = [PUSH[0], PUSH[1], ("X-Hub-Signature-256", &signature)];
    assert_eq!(server.deliver(&url, &headers, body).await.status(), 202);
    assert!(server.stop().await.success());
}
