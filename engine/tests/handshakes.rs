//! Every way in which providers ask whether a URL is alive or ours, with the examples of their
//! documentation. HMACs and digests were computed with Python's hmac and hashlib.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;

use hearken_engine::{
    Answer, App, Duty, Headers, KeyRing, Outcome, Recipient, Rejection, Request, TriggerContext,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET: &str = "s3cret-of-the-trigger";
const URL: &str = "https://hearken.example/v1/webhooks/acme/trg_1";
const SIGNED: &str = r#"fn signature() { #{ kind: "hmac", header: "X-Signature" } }"#;

/// An app with these challenges; `ingress` is what it says of bodies.
fn app(ingress: &str, challenges: &str) -> App {
    let root = TempDir::new().unwrap();
    let folder = root.path().join("acme");
    fs::create_dir(&folder).unwrap();
    let definition = format!(
        "title: Acme\ncategory: testing\ndescription: Handshakes.\ndocs: https://acme.example\n\
         facts: {{ grade: R1, checked: '2026-11-24', sources: [https://acme.example] }}\n\
         auth: [{{ kind: none, title: Nothing }}]\ningress: {{ {ingress} }}\n\
         challenges:\n{challenges}\n\
         triggers:\n  - {{ name: ANY, type: any, title: Any, description: Any., match: {{}}, \
         config: {{ type: object }}, payload: {{}} }}\n"
    );
    fs::write(folder.join("app.yaml"), definition).unwrap();
    fs::write(folder.join("connector.rhai"), SIGNED).unwrap();
    App::load(root.path(), "acme").unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request {
        method: method.to_owned(),
        url: if query.is_empty() { URL.to_owned() } else { format!("{URL}?{query}") },
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: Headers::new(headers.iter().map(own)),
        body: body.as_bytes().to_vec(),
        received_at: 1_700_000_000_000_000,
    }
}

fn get(query: &str) -> Request {
    request("GET", query, &[], "")
}

fn post(body: &str) -> Request {
    request("POST", "", &[("Content-Type", "application/json")], body)
}

fn signed(signature: &str, body: &str) -> Request {
    let headers = [("Content-Type", "application/json"), ("X-Signature", signature)];
    request("POST", "", &headers, body)
}

fn recipient(secrets: &[&str]) -> Recipient {
    let secrets = secrets.iter().map(|text| SecretString::from((*text).to_owned())).collect();
    Recipient { url: URL.to_owned(), secrets, facts: Value::Null }
}

fn unsigned(app: &App, request: &Request, secrets: &[&str]) -> Option<Answer> {
    app.answer_unsigned(request, &recipient(secrets))
}

/// The answer to a handshake that is signed like a delivery.
fn verified(app: &App, request: &Request) -> Result<Outcome, Rejection> {
    let trigger = TriggerContext {
        id: "trg_1".to_owned(),
        name: "ACME__ANY".to_owned(),
        config: json!({}),
        account_id: None,
        account_metadata: Value::Null,
        recipient: recipient(&[SECRET]),
    };
    assert!(app.answer_unsigned(request, &trigger.recipient).is_none(), "only after verification");
    app.receive(request, &trigger, &KeyRing::offline()).map(|received| received.outcome)
}

fn challenge(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Challenge(answer) => answer,
        other => panic!("no challenge: {other:?}"),
    }
}

fn body(answer: &Answer) -> String {
    String::from_utf8(answer.reply.body.clone()).unwrap()
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut found = answer.reply.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.as_str())
}

fn secret_of(answer: &Answer) -> Option<&str> {
    match &answer.duty {
        Some(Duty::KeepSecret { secret, .. }) => Some(secret.expose_secret()),
        _ => None,
    }
}

fn json_body(answer: &Answer) -> Value {
    assert_eq!(header(answer, "content-type"), Some("application/json"));
    serde_json::from_slice(&answer.reply.body).unwrap()
}

/// developers.facebook.com/docs/graph-api/webhooks/getting-started
#[test]
fn hub_challenge_with_a_verify_token() {
    let echo =
        "  - { kind: query_echo, parameter: hub.challenge, token_parameter: hub.verify_token }";
    let app = app("", echo);
    let asked = |token: &str| {
        get(&format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"))
    };
    let answer = unsigned(&app, &asked("meatyhamhock"), &["new", "meatyhamhock"]).unwrap();
    assert_eq!((answer.kind, answer.reply.status), ("query_echo", 200));
    assert_eq!(body(&answer), "1158201444");
    assert_eq!(header(&answer, "content-type"), Some("text/plain; charset=utf-8"));
    assert!(unsigned(&app, &asked("wrong"), &["meatyhamhock"]).is_none());
    assert!(unsigned(&app, &asked(""), &["meatyhamhock"]).is_none());
    assert!(unsigned(&app, &asked("meatyhamhock"), &[]).is_none());
    assert!(unsigned(&app, &get("hub.challenge=1"), &["meatyhamhock"]).is_none());
}

#[test]
fn the_verify_token_may_be_a_public_fact() {
    let app = app(
        "",
        "  - { kind: query_echo, parameter: c, token_parameter: t, token_fact: verify_token }",
    );
    let facts = |token: Value| Recipient {
        facts: json!({ "verify_token": token }),
        ..recipient(&["app-secret"])
    };
    let asked = |token: &str| get(&format!("c=77&t={token}"));
    assert!(app.answer_unsigned(&asked("abc"), &facts(json!("abc"))).is_some());
    assert!(app.answer_unsigned(&asked("app-secret"), &facts(json!("abc"))).is_none());
    assert!(app.answer_unsigned(&asked(""), &facts(Value::Null)).is_none());
}

/// developers.strava.com/docs/webhooks: JSON with the same key.
#[test]
fn hub_challenge_as_json() {
    let app = app(
        "",
        "  - kind: query_echo\n    parameter: hub.challenge\n    token_parameter: hub.verify_token\n    reply_field: hub.challenge",
    );
    let asked = get(
        "hub.verify_token=STRAVA&hub.challenge=15f7d1a91c1f40f8a748fd134752feb3&hub.mode=subscribe",
    );
    let answer = unsigned(&app, &asked, &["STRAVA"]).unwrap();
    assert_eq!(json_body(&answer), json!({ "hub.challenge": "15f7d1a91c1f40f8a748fd134752feb3" }));
}

/// Nylas and Dropbox ask with `challenge`, Onfleet with `check`.
#[test]
fn a_value_in_the_query() {
    for (parameter, value) in
        [("challenge", "bc609b38-c81f-47fb-a275-0d9bd61968e7"), ("check", "A5b")]
    {
        let app = app("", &format!("  - {{ kind: query_echo, parameter: {parameter} }}"));
        let answer = unsigned(&app, &get(&format!("{parameter}={value}")), &[]).unwrap();
        assert_eq!(body(&answer), value);
        assert!(unsigned(&app, &get("other=1"), &[]).is_none());
    }
}

/// learn.microsoft.com/graph/change-notifications-delivery-webhooks: `POST`, and the token comes
/// back decoded, as plain text.
#[test]
fn a_value_in_the_query_of_a_post() {
    let app = app("", "  - { kind: query_echo, parameter: validationToken }");
    let headers = [("Content-Type", "text/plain; charset=utf-8")];
    let query =
        "validationToken=Validation%3A+Testing+client+application+reachability+for+%3Cscript%3E";
    let answer = unsigned(&app, &request("POST", query, &headers, ""), &[SECRET]).unwrap();
    assert_eq!(body(&answer), "Validation: Testing client application reachability for <script>");
    assert_eq!(header(&answer, "content-type"), Some("text/plain; charset=utf-8"));
    assert!(unsigned(&app, &post("{}"), &[]).is_none(), "a delivery is none");
}

/// developers.asana.com/docs/webhooks-guide: the header goes back, and its value signs from then.
#[test]
fn a_header_that_hands_over_the_secret() {
    let app = app("", "  - { kind: header_echo, header: X-Hook-Secret, store: secret }");
    let value = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
    let asked = request("POST", "", &[("X-Hook-Secret", value)], "{}");
    let answer = unsigned(&app, &asked, &[]).unwrap();
    assert_eq!(answer.reply.status, 200);
    assert_eq!(header(&answer, "X-Hook-Secret"), Some(value));
    assert!(matches!(answer.duty, Some(Duty::KeepSecret { first_only: false, .. })));
    assert_eq!(secret_of(&answer), Some(value));
    assert!(!format!("{:?}", answer.duty).contains(value), "not even when debugging");
    assert_eq!(app.secret_carriers(None), ["x-hook-secret"]);
    assert!(app.hands_over_secret());
    for bad in ["", "  ", &"x".repeat(2000)] {
        let asked = request("POST", "", &[("X-Hook-Secret", bad)], "{}");
        assert!(unsigned(&app, &asked, &[]).is_none(), "{bad:?} is no secret");
    }
}

// RingCentral's `Validation-Token`; Smartsheet's header under another name, or in JSON.
#[test]
fn a_header_that_goes_back() {
    let ring = app("", "  - { kind: header_echo, header: Validation-Token }");
    let asked = request("POST", "", &[("Validation-Token", "1b2c3d")], "");
    let answer = unsigned(&ring, &asked, &[]).unwrap();
    assert_eq!(
        (header(&answer, "validation-token"), answer.duty.is_none()),
        (Some("1b2c3d"), true)
    );

    let token = "d78dd1d3-01ce-4481-81de-92b4f3aa5ab1";
    let asked = request("POST", "", &[("Smartsheet-Hook-Challenge", token)], "{}");
    let other = app(
        "",
        "  - kind: header_echo\n    header: Smartsheet-Hook-Challenge\n    reply_header: Smartsheet-Hook-Response",
    );
    let answer = unsigned(&other, &asked, &[]).unwrap();
    assert_eq!(header(&answer, "Smartsheet-Hook-Response"), Some(token));
    let in_json = app(
        "",
        "  - kind: header_echo\n    header: Smartsheet-Hook-Challenge\n    reply_field: smartsheetHookResponse",
    );
    let answer = unsigned(&in_json, &asked, &[]).unwrap();
    assert_eq!(json_body(&answer), json!({ "smartsheetHookResponse": token }));
}

/// developer.okta.com/docs/concepts/event-hooks: once, by `GET`.
#[test]
fn a_header_that_goes_back_as_json() {
    let app = app(
        "",
        "  - kind: header_echo\n    header: X-Okta-Verification-Challenge\n    reply_field: verification\n    when: { path: $.method, equals: GET }",
    );
    let headers = [("X-Okta-Verification-Challenge", "my verification challenge")];
    let answer = unsigned(&app, &request("GET", "", &headers, ""), &[]).unwrap();
    assert_eq!(json_body(&answer), json!({ "verification": "my verification challenge" }));
    assert!(unsigned(&app, &request("POST", "", &headers, "{}"), &[]).is_none(), "`when` counts");
}

// api.slack.com/events/url_verification, signed; developer.monday.com, not signed; dev.twitch.tv
// wants the bare text.
#[test]
fn a_value_in_the_body_that_goes_back() {
    let slack = app(
        "",
        "  - kind: json_echo\n    when: { path: $.body.type, equals: url_verification }\n    field: challenge\n    reply_field: challenge",
    );
    let token = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    let text = format!(
        r#"{{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"{token}","type":"url_verification"}}"#
    );
    let good = "86371a1e93743388dab3f30c297123e742abf2064d6142393f8cb5fe852836eb";
    let answer = challenge(verified(&slack, &signed(good, &text)).unwrap());
    assert_eq!(json_body(&answer), json!({ "challenge": token }));
    let forged = verified(&slack, &signed(&good.replace('8', "9"), &text));
    assert_eq!(forged.unwrap_err(), Rejection::BadSignature);

    let monday = app(
        "",
        "  - kind: json_echo\n    when: { path: $.body.challenge, exists: true }\n    field: challenge\n    reply_field: challenge\n    signed: false",
    );
    let text = format!(r#"{{"challenge":"{token}"}}"#);
    let answer = unsigned(&monday, &post(&text), &[]).unwrap();
    assert_eq!(json_body(&answer), json!({ "challenge": token }));

    let twitch = app(
        "",
        "  - kind: json_echo\n    when: { path: \"$.headers['twitch-eventsub-message-type']\", equals: webhook_callback_verification }\n    field: challenge",
    );
    let text = r#"{"challenge":"pogchamp-kappa-360noscope-vohiyo","subscription":{"id":"f1c2a387-161a-49f9-a165-0f21d7a4e1c4","status":"webhook_callback_verification_pending","type":"channel.follow"}}"#;
    let headers = [
        ("Content-Type", "application/json"),
        ("Twitch-Eventsub-Message-Type", "webhook_callback_verification"),
        ("X-Signature", "9f467f0ec3f535f3349951cf0aa5b79f6b3cf1b1b807fce521332894f5bfa616"),
    ];
    let asked = request("POST", "", &headers, text);
    assert_eq!(
        body(&challenge(verified(&twitch, &asked).unwrap())),
        "pogchamp-kappa-360noscope-vohiyo"
    );
}

/// developers.zoom.us/docs/api/webhooks: the published `plainToken`; the secret behind the
/// published answer is not told, so this one is ours.
#[test]
fn a_hashed_value_in_the_body() {
    let app = app(
        "",
        "  - kind: hmac_echo\n    when: { path: $.body.event, equals: endpoint.url_validation }\n    field: /payload/plainToken\n    reply_field: plainToken\n    reply_hmac_field: encryptedToken\n    signed: false",
    );
    let text = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680}"#;
    let answer = unsigned(&app, &post(text), &["a-secret-token", "the-old-one"]).unwrap();
    assert_eq!(
        json_body(&answer),
        json!({
            "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
            "encryptedToken": "c22e788aaa0b13b8cbb139d66de0d7e0a4fd07e92e0e1584b90e06b8d1d160ce",
        })
    );
    assert!(unsigned(&app, &post(text), &[]).is_none(), "there is nothing to prove with");
}

// Twitter's CRC, base64 after a prefix; LinkedIn's `challengeCode`, hexadecimal.
#[test]
fn a_hashed_value_in_the_query() {
    let twitter = app(
        "",
        "  - kind: hmac_echo\n    field: crc_token\n    reply_hmac_field: response_token\n    encoding: base64\n    prefix: sha256=\n    signed: false",
    );
    let asked = get("crc_token=MTYzMTQ5NjMyMi1mb28&nonce=x");
    let answer = unsigned(&twitter, &asked, &["consumer-secret"]).unwrap();
    let proof = "sha256=JcLIvR/aVpoCovGOmjaggvSRlzqhyTFlpCCCrhY37HQ=";
    assert_eq!(json_body(&answer), json!({ "response_token": proof }));

    let linkedin = app(
        "",
        "  - kind: hmac_echo\n    field: challengeCode\n    reply_field: challengeCode\n    reply_hmac_field: challengeResponse\n    signed: false",
    );
    let code = "890e4665-4dfe-4ab1-b689-ed553bceeed0";
    let answer = unsigned(&linkedin, &get(&format!("challengeCode={code}")), &["client-secret"]);
    assert_eq!(
        json_body(&answer.unwrap()),
        json!({
            "challengeCode": code,
            "challengeResponse": "8ab4bbad570533d66462deba280bde93c1cad8b543e7f526d3e962acaf6c391a",
        })
    );
}

/// The vector of eBay's own event notification SDKs: SHA-256 of code, token and endpoint.
#[test]
fn a_digest_of_value_secret_and_url() {
    let app = app(
        "",
        "  - kind: hmac_echo\n    field: challenge_code\n    message: '{value}{secret}{url}'\n    algorithm: digest\n    reply_hmac_field: challengeResponse\n    signed: false",
    );
    let to = Recipient {
        url: "http://www.testendpoint.com/webhook".to_owned(),
        ..recipient(&["71745723-d031-455c-bfa5-f90d11b4f20a"])
    };
    let asked = get("challenge_code=a8628072-3d33-45ee-9004-bee86830a22d");
    let answer = app.answer_unsigned(&asked, &to).unwrap();
    let published = "ca527df75caa230092d7e90484071e8f05d63068f1317973d6a3a42593734bbb";
    assert_eq!(json_body(&answer), json!({ "challengeResponse": published }));
}

/// Where bodies are signed with the same key, an answer must be of no use as their signature.
#[test]
fn nothing_that_could_be_a_body_is_proved_over() {
    let app = app(
        "content_types: [json, form]",
        "  - { kind: hmac_echo, field: token, reply_hmac_field: proof, signed: false }",
    );
    for value in
        [r#"{"a":1}"#, "[1]", "a=b&c=d", "a=b", "a b", "", "===", "é", "\"x\"", &"x".repeat(1025)]
    {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", value)
            .finish();
        assert!(unsigned(&app, &get(&query), &[SECRET]).is_none(), "{value}");
        let body = json!({ "token": value }).to_string();
        assert!(unsigned(&app, &post(&body), &[SECRET]).is_none(), "{value}");
    }
    assert!(unsigned(&app, &get("token=c29tZQ%3D%3D"), &[SECRET]).is_some(), "base64 is fine");
}

/// docs.aws.amazon.com/sns: the confirmation comes as `text/plain`; its URL must be on their hosts.
#[test]
fn a_url_that_confirms() {
    let app = app(
        "content_types: [text], text: json",
        "  - kind: confirm_url\n    when: { path: $.body.Type, equals: SubscriptionConfirmation }\n    field: SubscribeURL\n    hosts: ['sns.*.amazonaws.com']",
    );
    let sent = |signature: &str, text: &str| {
        let headers = [("Content-Type", "text/plain; charset=UTF-8"), ("X-Signature", signature)];
        verified(&app, &request("POST", "", &headers, text))
    };
    let text = r#"{"Type":"SubscriptionConfirmation","MessageId":"165545c9-2a5c-472c-8df2-7ff2be2b3b1b","Token":"2336412f37","TopicArn":"arn:aws:sns:us-west-2:123456789012:MyTopic","SubscribeURL":"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-west-2:123456789012:MyTopic&Token=2336412f37","Timestamp":"2012-04-26T20:45:04.751Z"}"#;
    let good = "d939482af61a485e7d5f45d5bd661d3341e8b3e26b28842129930b3380b0313c";
    let answer = challenge(sent(good, text).unwrap());
    let Some(Duty::CallUrl(url)) = &answer.duty else { panic!("{answer:?}") };
    assert_eq!(
        url,
        "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-west-2:123456789012:MyTopic&Token=2336412f37"
    );
    let evil = r#"{"Type":"SubscriptionConfirmation","SubscribeURL":"https://sns.us-west-2.amazonaws.com.evil.example/?Action=ConfirmSubscription"}"#;
    let refused =
        sent("2a7b8ed0894874853b5e0a611e5df224a4f0eab135d222a2760637d335cbb1c0", evil).unwrap_err();
    assert_eq!(refused.code(), "url_not_allowed");
    assert!(refused.to_string().contains("evil.example"), "{refused}");
}

#[test]
fn only_https_on_a_listed_host_is_called() {
    let root = "  - kind: confirm_url\n    when: {}\n    field: url\n    hosts: ['sns.*.acme.example', 'a-*.acme.example']";
    // Unverified, so that each URL needs no signature of its own.
    let app = {
        let folder = TempDir::new().unwrap();
        let place = folder.path().join("acme");
        fs::create_dir(&place).unwrap();
        let definition = format!(
            "title: A\ncategory: testing\ndescription: A.\ndocs: https://a.example\nfacts: {{ grade: R1, checked: '2026-11-24', sources: [https://a.example] }}\nauth: [{{ kind: none, title: N }}]\nunverified: A test.\nchallenges:\n{root}\ntriggers:\n  - {{ name: ANY, type: any, title: Any, description: Any., match: {{}}, config: {{ type: object }}, payload: {{}} }}\n"
        );
        fs::write(place.join("app.yaml"), definition).unwrap();
        App::load(folder.path(), "acme").unwrap()
    };
    let calls = |url: &str| {
        verified(&app, &post(&json!({ "url": url }).to_string()))
            .map(|outcome| challenge(outcome).duty.is_some())
            .map_err(|rejection| rejection.code())
    };
    for good in [
        "https://sns.eu-1.acme.example/?a=b",
        "https://SNS.x.ACME.example",
        "https://a-1.acme.example/",
        "https://sns.x.acme.example:443/",
    ] {
        assert_eq!(calls(good), Ok(true), "{good}");
    }
    for bad in [
        "http://sns.x.acme.example/",
        "https://sns.x.acme.example:8443/",
        "https://user@sns.x.acme.example/",
        "https://sns.x.acme.example@evil.example/",
        "https://sns.x.y.acme.example/",
        "https://sns.acme.example/",
        "https://a-.acme.example/",
        "https://xsns.x.acme.example/",
        "https://evil.example/sns.x.acme.example",
        "https://evil.example#sns.x.acme.example",
        "https://evil.example\\@sns.x.acme.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "file:///etc/passwd",
        "//sns.x.acme.example/",
        "",
        "x",
    ] {
        assert_eq!(calls(bad), Err("url_not_allowed"), "{bad}");
    }
}

/// developers.notion.com/reference/webhooks: the first request hands over the key.
#[test]
fn a_token_that_is_captured() {
    let app = app("", "  - { kind: capture, field: verification_token }");
    let token = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
    let first = post(&json!({ "verification_token": token }).to_string());
    let answer = unsigned(&app, &first, &[]).unwrap();
    assert!(matches!(answer.duty, Some(Duty::KeepSecret { first_only: true, .. })));
    assert_eq!((secret_of(&answer), answer.reply.status), (Some(token), 200));
    assert!(!body(&answer).contains(token));
    assert!(unsigned(&app, &first, &[token]).is_some(), "it is sent again if we were slow");
    assert!(unsigned(&app, &first, &["another"]).is_none(), "nobody replaces one that is known");
    for other in [r#"{"verification_token":7}"#, r#"{"verification_token":""}"#, "{}", "[]", "x"] {
        assert!(unsigned(&app, &post(other), &[]).is_none(), "{other}");
    }
    let long = post(&json!({ "verification_token": token, "pad": "x".repeat(70_000) }).to_string());
    assert!(unsigned(&app, &long, &[]).is_none(), "handshakes are small");
}

/// Mailchimp looks by `GET`; Trello by `HEAD`, which the server answers without being told.
#[test]
fn a_probe() {
    let app = app("", "  - { kind: probe, methods: [GET] }");
    let answer = unsigned(&app, &get(""), &[SECRET]).unwrap();
    assert_eq!((answer.kind, answer.reply.status, body(&answer).as_str()), ("probe", 200, ""));
    assert!(unsigned(&app, &post("{}"), &[SECRET]).is_none());
}

// WooCommerce sends a form with the webhook's id when it is saved, without a signature.
#[test]
fn a_ping_in_a_form() {
    let app = app(
        "content_types: [json, form]",
        "  - { kind: ping, when: { path: $.body.webhook_id, exists: true }, signed: false }",
    );
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = unsigned(&app, &request("POST", "", &headers, "webhook_id=7"), &[SECRET]).unwrap();
    assert_eq!((answer.kind, answer.reply.status), ("ping", 200));
    assert!(unsigned(&app, &post(r#"{"id":7}"#), &[SECRET]).is_none());
}

/// Discord wants 204 for the PING of its event webhooks, and `{"type":1}` for an interaction's.
/// Its own signatures are Ed25519; which scheme vouches for a ping makes no difference here.
#[test]
fn a_ping_with_an_answer_of_its_own() {
    let events = app(
        "",
        "  - { kind: ping, when: { path: $.body.type, equals: 0 }, reply: { status: 204 } }",
    );
    let text = r#"{"version":1,"application_id":"1234560123453231555","type":0}"#;
    let asked = signed("463f1fdc92943649bcec9df593e41ab7e48f1b7a0820321d0c8e3d07b20f4b61", text);
    let answer = challenge(verified(&events, &asked).unwrap());
    assert_eq!((answer.reply.status, body(&answer).as_str()), (204, ""));

    let interactions = app(
        "",
        "  - { kind: ping, when: { path: $.body.type, equals: 1 }, reply: { json: { type: 1 } } }",
    );
    let asked =
        signed("5b51b852726b46c08da495f0661c3e7c0083de61bae1aa4a0374a0cb8deaa0c1", r#"{"type":1}"#);
    let answer = challenge(verified(&interactions, &asked).unwrap());
    assert_eq!((answer.reply.status, json_body(&answer)), (200, json!({ "type": 1 })));
}

/// docs.adyen.com/development-resources/webhooks: the answer must be `[accepted]`.
#[test]
fn a_fixed_acknowledgement() {
    let app = app("acknowledge: { body: '[accepted]' }", "  []");
    let reply = app.definition.ingress.acknowledge.as_ref().unwrap().reply();
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"[accepted]".as_slice()));
    assert_eq!(reply.headers[0].1, "text/plain; charset=utf-8");
}

#[test]
fn an_app_without_unsigned_handshakes_answers_nothing_before_verification() {
    let app = app("", "  - { kind: ping, when: {} }");
    for request in [get("challenge=1"), post(r#"{"challenge":"x"}"#), request("HEAD", "", &[], "")]
    {
        assert!(unsigned(&app, &request, &[SECRET]).is_none());
    }
}
