//! Requests as they leave a lifecycle function: where they may go, how they are built, how many.

use hearken_engine::{HttpError, LifecycleError};

use super::{
    Provider, compile, context,
    lifecycle::{register, register_in, script_error},
};

#[test]
fn forms_basic_auth_and_secrets_in_urls() {
    let provider = Provider::default();
    let body = r#"
        http.put(trigger.base_url + "?key=" + url_encode(trigger.account.token), #{
            headers: #{ "Accept": "text/plain", Authorization: basic_auth("me", trigger.account.token) },
            form: #{ a: "x y", b: [1, true], c: (), d: trigger.secret },
        });
        http.delete(trigger.base_url + "/17");
        http.patch("https://alt.acme.example:8443/", #{ body: "raw" });
        ()"#;
    let registration = register(body, &provider).unwrap();
    assert_eq!(registration.external_id, None);
    let asked = provider.asked();
    assert_eq!(asked[0].url, "https://api.acme.example/?key=tok%2Fen%2B42");
    assert_eq!(asked[0].headers["Accept"], "text/plain");
    // printf 'me:tok/en+42' | base64
    assert_eq!(asked[0].headers["Authorization"], "Basic bWU6dG9rL2VuKzQy");
    assert_eq!(asked[0].body.as_deref(), Some("a=x+y&b=1&b=true&d=signing-key-9"));
    assert_eq!((asked[1].method.as_str(), &asked[1].body), ("DELETE", &None));
    assert_eq!(asked[2].body.as_deref(), Some("raw"));
}

#[test]
fn only_listed_hosts_are_reached() {
    for (url, host) in [
        ("https://evil.example/", "evil.example"),
        ("https://api.acme.example.evil.example/", "api.acme.example.evil.example"),
        ("https://api.acme.example:8443/", "api.acme.example:8443"),
        ("https://alt.acme.example/", "alt.acme.example"),
        ("https://169.254.169.254/latest", "169.254.169.254"),
        ("https://[::1]/", "[::1]"),
        ("http://localhost:80/", "localhost"),
    ] {
        let provider = Provider::default();
        let error = register(&format!("http.get(\"{url}\")"), &provider).unwrap_err();
        assert_eq!(error, LifecycleError::HostNotListed { host: host.to_owned() }, "{url}");
        assert!(provider.asked().is_empty());
    }
    let provider = Provider::default();
    let plain = register("http.get(\"http://api.acme.example/\")", &provider).unwrap_err();
    assert!(matches!(plain, LifecycleError::Denied(_)), "{plain:?}");
    assert!(provider.asked().is_empty());
}

#[test]
fn an_overridden_base_url_may_be_plain_and_local() {
    let mut context = context();
    context.base_url = "http://127.0.0.1:4010/api/".to_owned();
    let provider = Provider::default();
    register_in(&context, "http.get(trigger.base_url + \"/x\"); ()", &provider).unwrap();
    assert_eq!(provider.asked()[0].url, "http://127.0.0.1:4010/api/x");
    let other = register_in(&context, "http.get(\"http://127.0.0.1:4011/\")", &provider);
    assert!(matches!(other, Err(LifecycleError::HostNotListed { .. })), "{other:?}");
}

#[test]
fn malformed_requests_are_refused_with_a_reason() {
    let provider = Provider::default();
    for (call, part) in [
        (r#"http.get("nonsense")"#, "URL"),
        (r#"http.get("ftp://api.acme.example/")"#, "https://"),
        (r#"http.get("https://me:pw@api.acme.example/")"#, "user name"),
        (r#"http.get("https://api.acme.example/repos/../admin")"#, ".."),
        (r#"http.get("https://api.acme.example/repos/%2e%2E/admin")"#, ".."),
        (r"http.get(trigger.base_url, #{ header: #{} })", "did you mean `headers`"),
        (r#"http.get(trigger.base_url, #{ headers: #{ "a b": "x" } })"#, "\"a b\""),
        (r#"http.get(trigger.base_url, #{ headers: #{ "X-A": "x\r\nX-B: y" } })"#, "line break"),
        (r#"http.get(trigger.base_url, #{ headers: #{ "X-A": "x\x00" } })"#, "line break"),
        (r#"http.get(trigger.base_url, #{ headers: #{ "Host": "x" } })"#, "connection"),
        (r"http.post(trigger.base_url, #{ json: 1, form: #{} })", "one of"),
        (r"http.post(trigger.base_url, #{ form: 1 })", "map"),
        (
            r#"let s = "["; s.pad(60000, "1,"); let j = parse_json(s + "1]"); http.post(trigger.base_url, #{ json: [j, j, j, j, j] })"#,
            "300016 bytes",
        ),
        (r"http.get(#{})", "URL"),
    ] {
        let error = script_error(register(call, &provider));
        assert!(error.message.contains(part), "{call}: {error}");
        assert_eq!(error.line, Some(2), "{call}");
    }
    assert!(provider.asked().is_empty());
}

#[test]
fn a_call_has_a_budget_of_requests() {
    let provider = Provider::default();
    let error = script_error(register("loop { http.get(trigger.base_url); }", &provider));
    assert!(error.message.contains("20 requests"), "{error}");
    assert_eq!(provider.asked().len(), 20);
}

#[test]
fn waiting_for_a_provider_costs_the_script_no_time() {
    struct Slow;
    impl hearken_engine::HttpClient for Slow {
        fn send(
            &self,
            _: hearken_engine::HttpRequest,
        ) -> Result<hearken_engine::HttpResponse, HttpError> {
            // Longer than a script may compute.
            std::thread::sleep(std::time::Duration::from_millis(400));
            Ok(hearken_engine::HttpResponse {
                status: 200,
                headers: hearken_engine::Headers::default(),
                body: b"{}".to_vec(),
            })
        }
    }
    let script =
        compile("fn unregister(http, trigger) { http.get(trigger.base_url); let n = 1; n += 1; }");
    script.unregister(&Slow, &context()).unwrap();
    let endless = compile("fn unregister(http, trigger) { loop { } }");
    assert!(endless.unregister(&Slow, &context()).is_err());
}
