//! The committed description of the API is the one the server serves.
//!
//! `UPDATE_EXPECT=1 cargo test --test openapi` renews it.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the variable is for whoever runs the tests")]
fn the_committed_description_is_current() {
    let current = format!("{}\n", serde_json::to_string_pretty(&hearken::api::openapi()).unwrap());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(committed(), &current).unwrap();
    }
    let found = fs::read_to_string(committed()).unwrap_or_default();
    assert!(found == current, "docs/openapi.json is stale: run with UPDATE_EXPECT=1");
}

/// Every resource of the API by the paths its users know, told here a second time.
#[test]
fn every_route_is_described() {
    let document: Value = serde_json::to_value(hearken::api::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let described: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    let expected: BTreeSet<String> = [
        "get /v1/apps",
        "get /v1/apps/{app}",
        "post /v1/provider-apps",
        "get /v1/provider-apps",
        "get /v1/provider-apps/{id}",
        "patch /v1/provider-apps/{id}",
        "delete /v1/provider-apps/{id}",
        "post /v1/linked-accounts",
        "post /v1/linked-accounts/oauth2/start",
        "get /v1/oauth2/callback",
        "get /v1/linked-accounts",
        "get /v1/linked-accounts/{id}",
        "patch /v1/linked-accounts/{id}",
        "delete /v1/linked-accounts/{id}",
        "post /v1/triggers",
        "get /v1/triggers",
        "get /v1/triggers/{id}",
        "patch /v1/triggers/{id}",
        "delete /v1/triggers/{id}",
        "get /v1/triggers/{id}/events",
        "get /v1/triggers/{id}/health",
        "get /v1/triggers/{id}/secret",
        "get /v1/triggers/{id}/stats",
        "get /v1/trigger-events",
        "get /v1/trigger-events/{id}",
        "delete /v1/trigger-events/{id}",
        "post /v1/trigger-events/pull",
        "get /v1/trigger-events/stream",
        "post /v1/trigger-events/ack",
        "post /v1/trigger-events/nack",
        "post /v1/trigger-events/extend",
        "get /v1/consumers",
        "get /v1/consumers/{name}",
        "delete /v1/consumers/{name}",
        "post /v1/consumers/{name}/seek",
        "get /v1/consumers/{name}/dead-letters",
        "post /v1/consumers/{name}/dead-letters/redrive",
        "get /v1/triggers/events/all",
        "delete /v1/triggers/events/{id}",
        "get /v1/receipts",
        "get /v1/receipts/{id}",
        "post /v1/webhooks/{app}/{trigger_id}",
        "get /v1/webhooks/{app}/{trigger_id}",
        "post /v1/projects",
        "get /v1/projects",
        "get /v1/projects/{id}",
        "post /v1/api-keys",
        "get /v1/api-keys",
        "delete /v1/api-keys/{id}",
        "get /v1/jobs",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(described, expected);
}

/// What generators of clients rely on, and the specification asks for.
#[test]
fn every_operation_has_a_name_of_its_own_and_tells_its_problems() {
    let document: Value = serde_json::to_value(hearken::api::openapi()).unwrap();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let place = format!("{method} {path}");
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{place}: `{name}` is taken");
            let text = |field: &str| operation[field].as_str().unwrap_or_default();
            assert!(!text("summary").is_empty(), "{place}: no summary");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{place}");
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                let described = response["description"].as_str().is_some_and(|it| !it.is_empty());
                assert!(described, "{place}: {status} is not described");
            }
            for class in ["4XX", "5XX"] {
                let schema =
                    &responses[class]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ProblemDocument", "{place}: {class}");
            }
        }
    }
    let scheme = |security: &Value| security.as_object().unwrap().keys().next().unwrap().clone();
    let asked = document["security"].as_array().unwrap().iter().map(scheme);
    for asked in asked {
        assert!(document["components"]["securitySchemes"][&asked].is_object(), "{asked}");
    }
}
