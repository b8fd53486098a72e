//! A public key that cannot be fetched is not the sender's fault: it is asked to try again, and
//! nothing is accepted meanwhile.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    database::fresh,
    server::{Server, client},
};

const DEFINITION: &str = r"title: Keyed
category: testing
description: Tokens signed with keys from a host that does not exist.
docs: https://keyed.example
facts: { grade: R1, checked: '2026-11-24', sources: [https://keyed.example] }
hosts: [keys.invalid]
auth: [{ kind: none, title: Nothing }]
triggers:
  - name: CALLED
    type: called
    title: Called
    description: Whatever comes.
    match: {}
    config: { type: object }
    payload: {}
";

const SCRIPT: &str = r#"fn signature() {
    #{
        kind: "jwt",
        header: "Authorization",
        prefix: "Bearer ",
        public_key: #{ jwks: "https://keys.invalid/jwks.json" },
    }
}
"#;

/// The token of RFC 7515, appendix A.2.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_fetched_is_a_reason_to_try_again() {
    let apps = TempDir::new().unwrap();
    let folder = apps.path().join("keyed");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("app.yaml"), DEFINITION).unwrap();
    fs::write(folder.join("connector.rhai"), SCRIPT).unwrap();
    let database = fresh("sqlite").await;
    let server =
        Server::start(&database, &[("HEARKEN_APPS_DIR", apps.path().to_str().unwrap())]).await;
    let trigger = server.post("/v1/triggers", json!({ "trigger": "KEYED__CALLED" })).await;
    let url = trigger["webhook_url"].as_str().unwrap();
    let send = async |token: &str| {
        let request = client().post(url).header("Content-Type", "application/json");
        request.bearer_auth(token).body("{}").send().await.unwrap()
    };
    for _ in 0..2 {
        let answer = send(TOKEN).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "30");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "key_unavailable");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("keys.invalid"), "{detail}");
    }
    let answer = send("not.a.token").await;
    assert_eq!(answer.status(), 401, "what is no token needs no key");
    let receipts = server.all("/v1/receipts?outcome=rejected").await;
    assert!(receipts.iter().any(|receipt| receipt["reason"] == "key_unavailable"), "{receipts:?}");
    for receipt in receipts {
        let shown = receipt.to_string();
        assert!(!shown.contains("cC4hiUPoj9E"), "a token could be used again: {shown}");
    }
}
