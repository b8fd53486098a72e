//! Bodies of every kind, read by the content type they declare and by no other; and everything
//! that is no such body, which must be told so and never do harm.
//!
//! The gzip file and its HMAC were made with Python's gzip and hmac.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::{fmt::Write as _, fs, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use hearken_engine::{
    App, Headers, KeyRing, Outcome, Recipient, Rejection, Request, TriggerContext,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

const ALL: &str = "content_types: [json, form, text, multipart, xml, ndjson]";
const SECRET: &str = "s3cret-of-the-trigger";

fn app_with(ingress: &str, script: &str, unverified: &str) -> App {
    let root = TempDir::new().unwrap();
    let folder = root.path().join("acme");
    fs::create_dir(&folder).unwrap();
    let definition = format!(
        "title: Acme\ncategory: testing\ndescription: Bodies.\ndocs: https://acme.example\n\
         facts: {{ grade: R1, checked: '2026-11-24', sources: [https://acme.example] }}\n\
         auth: [{{ kind: none, title: Nothing }}]\n{unverified}ingress: {{ {ingress} }}\n\
         triggers:\n  - {{ name: ANY, type: any, title: Any, description: Any., match: {{}}, \
         config: {{ type: object }}, payload: {{}} }}\n"
    );
    fs::write(folder.join("app.yaml"), definition).unwrap();
    fs::write(folder.join("connector.rhai"), script).unwrap();
    App::load(root.path(), "acme").unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// An app whose events are the bodies it takes.
fn app(ingress: &str) -> App {
    app_with(ingress, "", "unverified: It is a test.\n")
}

fn outcome(app: &App, headers: &[(&str, &str)], body: &[u8]) -> Result<Outcome, Rejection> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let request = Request {
        method: "POST".to_owned(),
        url: "https://hearken.example/v1/webhooks/acme/trg_1".to_owned(),
        query: Vec::new(),
        headers: Headers::new(headers.iter().map(own)),
        body: body.to_vec(),
        received_at: 1_700_000_000_000_000,
    };
    let trigger = TriggerContext {
        id: "trg_1".to_owned(),
        name: "ACME__ANY".to_owned(),
        config: json!({}),
        account_id: None,
        account_metadata: Value::Null,
        recipient: Recipient { secrets: vec![SecretString::from(SECRET)], ..Recipient::default() },
    };
    let received = app.receive(&request, &trigger, &KeyRing::offline())?;
    Ok(received.outcome)
}

/// The parsed body, or the code of the rejection.
fn read(app: &App, headers: &[(&str, &str)], body: &[u8]) -> Result<Value, &'static str> {
    match outcome(app, headers, body).map_err(|rejection| rejection.code())? {
        Outcome::Events(mut events) => Ok(events.remove(0).data),
        other => panic!("{other:?}"),
    }
}

fn read_as(app: &App, content_type: &str, body: &str) -> Result<Value, &'static str> {
    read(app, &[("Content-Type", content_type)], body.as_bytes())
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

const MULTIPART: &str = "multipart/form-data; boundary=\"----b\"";
const PARTS: &str =
    "------b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n------b--\r\n";

/// One body of each kind, under each of the names of its kind.
const KINDS: [(&[&str], &str); 6] = [
    (
        &["application/json", "application/JSON; charset=utf-8", "application/vnd.acme+json"],
        r#"{"a":"1"}"#,
    ),
    (&["application/x-www-form-urlencoded"], "a=1&b=two+words&a=2"),
    (&["text/plain", "text/plain; charset=utf-8"], "hello there"),
    (&[MULTIPART], PARTS),
    (&["application/xml", "text/xml", "application/soap+xml"], "<a><b>1</b></a>"),
    (
        &[
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/x-jsonlines",
        ],
        "{\"a\":1}\n\n{\"a\":2}\r\n",
    ),
];

fn meaning(kind: usize) -> Value {
    match kind {
        0 | 3 => json!({ "a": "1" }),
        1 => json!({ "a": "1, 2", "b": "two words" }),
        2 => json!("hello there"),
        4 => json!({ "a": { "b": "1" } }),
        _ => json!([{ "a": 1 }, { "a": 2 }]),
    }
}

#[test]
fn each_kind_is_read() {
    let app = app(ALL);
    for (kind, (names, body)) in KINDS.iter().enumerate() {
        for name in *names {
            assert_eq!(read_as(&app, name, body), Ok(meaning(kind)), "{name}");
        }
    }
}

/// Each body under each declared type: it is read as what it is declared to be, or turned away.
#[test]
fn the_declared_type_decides_alone() {
    let all = app(ALL);
    for (of_body, (_, body)) in KINDS.iter().enumerate() {
        for (declared, (names, _)) in KINDS.iter().enumerate() {
            let found = read_as(&all, names[0], body);
            let expected = match (declared, of_body) {
                (same, kind) if same == kind => Ok(meaning(kind)),
                // Any UTF-8 text is a text, and a form of odd names.
                (2, _) => Ok(json!(body)),
                (1, _) => Ok(found.clone().unwrap()),
                // One line of JSON is a JSON document, and the other way round.
                (5, 0) => Ok(json!([{ "a": "1" }])),
                _ => Err("malformed_body"),
            };
            assert_eq!(found, expected, "body {of_body} as {}", names[0]);
        }
        // An app that takes one kind takes no other, whatever the body looks like.
        for (taken, name) in
            ["json", "form", "text", "multipart", "xml", "ndjson"].iter().enumerate()
        {
            let narrow = app(&format!("content_types: [{name}]"));
            for (declared, (names, _)) in KINDS.iter().enumerate() {
                if declared != taken {
                    let found = read_as(&narrow, names[0], body);
                    assert_eq!(found, Err("unsupported_content_type"), "{} for {name}", names[0]);
                }
            }
        }
        for odd in [
            "",
            "json",
            "*/*",
            "text/html",
            "application/octet-stream",
            "application/json, text/plain",
            "image/svg+xml",
            "multipart/mixed; boundary=b",
        ] {
            assert_eq!(read_as(&all, odd, body), Err("unsupported_content_type"), "{odd}");
        }
        let twice = [("Content-Type", "application/json"), ("content-type", "application/json")];
        assert_eq!(read(&all, &twice, body.as_bytes()), Err("unsupported_content_type"));
        assert_eq!(read(&all, &[], body.as_bytes()), Err("unsupported_content_type"), "none");
    }
    let only_json = app("content_types: [json]");
    assert_eq!(read(&only_json, &[], br#"{"a":"1"}"#), Ok(meaning(0)), "none is JSON for it");
    assert_eq!(read(&only_json, &[], b"a=1"), Err("malformed_body"));
}

#[test]
fn json_that_comes_in_other_clothes() {
    let text = app("content_types: [text], text: json");
    assert_eq!(
        read_as(&text, "text/plain; charset=UTF-8", r#"{"Type":"x"}"#),
        Ok(json!({ "Type": "x" }))
    );
    assert_eq!(read_as(&text, "text/plain", "hello"), Err("malformed_body"));

    // Jotform's `rawRequest`, Slack's `payload`.
    let field = app("content_types: [form, multipart], form_field: rawRequest");
    let form = "formID=1&rawRequest=%7B%22q3_name%22%3A%22Ada%22%7D";
    assert_eq!(
        read_as(&field, "application/x-www-form-urlencoded", form),
        Ok(json!({ "q3_name": "Ada" }))
    );
    assert_eq!(
        read_as(&field, "application/x-www-form-urlencoded", "formID=1"),
        Err("malformed_body")
    );
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body =
        format!("{}{}--b--\r\n", part("formID", "1"), part("rawRequest", r#"{"q3_name":"Ada"}"#));
    let multipart = "multipart/form-data; boundary=b";
    assert_eq!(read_as(&field, multipart, &body), Ok(json!({ "q3_name": "Ada" })));
    assert_eq!(
        read_as(&field, multipart, &format!("{}--b--\r\n", part("formID", "1"))),
        Err("malformed_body")
    );
}

/// cloud.google.com/pubsub/docs/push: `message.data` is base64, and may be missing.
#[test]
fn base64_within_json() {
    let app = app("base64_field: /message/data");
    let sent = |data: Value| {
        let body = json!({ "message": { "data": data, "messageId": "1" }, "subscription": "s" });
        read(&app, &[], body.to_string().as_bytes()).map(|body| body["message"]["data"].clone())
    };
    let mail = json!({ "emailAddress": "user@example.com", "historyId": "9876543210" });
    let standard =
        "eyJlbWFpbEFkZHJlc3MiOiJ1c2VyQGV4YW1wbGUuY29tIiwiaGlzdG9yeUlkIjoiOTg3NjU0MzIxMCJ9";
    assert_eq!(sent(json!(standard)), Ok(mail));
    assert_eq!(
        sent(json!("SGVsbG8gQ2xvdWQgUHViL1N1YiEgSGVyZSBpcyBteSBtZXNzYWdlIQ==")),
        Ok(json!("Hello Cloud Pub/Sub! Here is my message!"))
    );
    assert_eq!(sent(json!("8J+Ygg")), Ok(json!("\u{1f602}")), "without padding");
    assert_eq!(sent(json!("8J-Ygg")), Ok(json!("\u{1f602}")), "for URLs");
    assert_eq!(sent(json!("/w==")), Err("malformed_body"), "neither JSON nor text");
    assert_eq!(sent(json!("!")), Err("malformed_body"));
    assert_eq!(sent(json!(7)), Err("malformed_body"));
    let without = br#"{"message":{"attributes":{"a":"b"}}}"#;
    assert_eq!(read(&app, &[], without), Ok(json!({ "message": { "attributes": { "a": "b" } } })));
}

#[test]
fn files_in_multipart() {
    let app = app("content_types: [multipart]");
    let body = "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"from\"\r\n\r\nAda <ada@example.com>\r\n\
        --b\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\none\r\n\
        --b\r\nContent-Disposition: form-data; name=\"tag\"\r\n\r\ntwo\r\n\
        --b\r\nContent-Disposition: form-data; name=\"attachment-1\"; filename=\"../../etc/passwd\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n\u{1}\u{2}\r\n--b--\r\nepilogue";
    let expected = json!({
        "from": "Ada <ada@example.com>",
        "tag": ["one", "two"],
        "attachment-1": {
            "filename": "../../etc/passwd", "content_type": "application/octet-stream",
            "size": 2, "base64": "AQI=",
        },
    });
    assert_eq!(read_as(&app, "multipart/form-data; boundary=b", body), Ok(expected));
    let empty = read_as(&app, "multipart/form-data; boundary=b", "--b--\r\n");
    assert_eq!(empty, Ok(json!({})));
}

/// developer.salesforce.com/docs: an outbound message, shortened.
#[test]
fn xml_becomes_json() {
    let app = app("content_types: [xml]");
    let body = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="x">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>00Dx00000000001</OrganizationId>
   <SessionId xsi:nil="true"/>
   <Notification><Id>04l1</Id><sObject xsi:type="sf:Account"><sf:Name>A &amp; B &#x3c;&#62; &quot;C&apos;</sf:Name></sObject></Notification>
   <Notification><Id>04l2</Id><note lang='d"e'>Gr&#252;&#xDF;e</note><raw><![CDATA[<b>&amp;</b>]]></raw><empty></empty></Notification>
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>
<!-- the end -->"#;
    let expected = json!({ "soapenv:Envelope": {
        "@xmlns:soapenv": "http://schemas.xmlsoap.org/soap/envelope/",
        "@xmlns:xsi": "x",
        "soapenv:Body": { "notifications": {
            "@xmlns": "http://soap.sforce.com/2005/09/outbound",
            "OrganizationId": "00Dx00000000001",
            "SessionId": { "@xsi:nil": "true" },
            "Notification": [
                { "Id": "04l1", "sObject": { "@xsi:type": "sf:Account", "sf:Name": "A & B <> \"C'" } },
                { "Id": "04l2", "note": { "@lang": "d\"e", "#text": "Gr\u{fc}\u{df}e" },
                  "raw": "<b>&amp;</b>", "empty": "" },
            ],
        } },
    } });
    assert_eq!(read_as(&app, "text/xml; charset=utf-8", body), Ok(expected));
}

#[test]
fn xml_that_is_turned_away() {
    let app = app("content_types: [xml], body_limit: 26214400");
    let laughs = r#"<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><lolz>&lol2;</lolz>"#;
    let external = r#"<!DOCTYPE foo [<!ENTITY xxe SYSTEM "file:///etc/passwd">]><foo>&xxe;</foo>"#;
    let deep = "<a>".repeat(100_000);
    let closed = "<a>".repeat(101) + &"</a>".repeat(101);
    let bad = [
        laughs,
        external,
        &deep,
        &closed,
        "",
        "   ",
        "text",
        "<a>",
        "</a>",
        "<a></b>",
        "<a/><b/>",
        "<a/><a/>",
        "<a/>text",
        "<a>&undefined;</a>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a b='1' b='2'/>",
        "<a b='&undefined;'/>",
        "<a b=1/>",
        "<a",
        "<!DOCTYPE a><a/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><a>\u{e4}</a>",
        "<a><![CDATA[</a>",
        "<a><!-- </a>",
    ];
    for body in bad {
        let shown: String = body.chars().take(60).collect();
        assert_eq!(read_as(&app, "application/xml", body), Err("malformed_body"), "{shown}");
    }
    let nested = "<a>".repeat(100) + &"</a>".repeat(100);
    assert!(read_as(&app, "application/xml", &nested).is_ok(), "a hundred levels are fine");
    let mut wide = "<a ".to_owned();
    for number in 0..100_000 {
        write!(wide, "b{number}='' ").unwrap();
    }
    wide.push_str("/>");
    assert!(read_as(&app, "application/xml", &wide).is_ok(), "many attributes take no longer");
}

/// `{"kind":"packed","n":1}`; signed as it was sent.
const PACKED: &str =
    "1f8b0800000000000203ab56cacecc4b51b2522a484cce4e4d51d251ca53b232ac0500387f82b517000000";
const PACKED_HMAC: &str = "02b4514b340b57056ce2e1f9089711e31f4a851cf6aa755d9b4ada1b6050cdc8";

#[test]
fn packed_bodies_are_signed_as_sent() {
    let script = r#"fn signature() { #{ kind: "hmac", header: "X-Signature" } }"#;
    let app = app_with("compression: [gzip]", script, "");
    let body = data_encoding::HEXLOWER.decode(PACKED.as_bytes()).unwrap();
    let mut headers = vec![
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("X-Signature", PACKED_HMAC),
    ];
    assert_eq!(read(&app, &headers, &body), Ok(json!({ "kind": "packed", "n": 1 })));
    let plain = br#"{"kind":"packed","n":1}"#;
    assert_eq!(read(&app, &headers, plain), Err("bad_signature"), "not over what it unpacks to");
    let mut altered = body.clone();
    altered[20] ^= 1;
    assert_eq!(read(&app, &headers, &altered), Err("bad_signature"), "nothing forged is unpacked");
    headers[1].1 = "identity";
    assert_eq!(read(&app, &headers, &body), Err("content_encoding"));
}

#[test]
fn packed_bodies_stay_within_bounds() {
    let app = app("compression: [gzip], body_limit: 65536");
    let gzip = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let good = packed(br#"{"a":1}"#);
    assert_eq!(read(&app, &gzip, &good), Ok(json!({ "a": 1 })));
    let alias = [("Content-Type", "application/json"), ("Content-Encoding", "X-GZIP")];
    assert_eq!(read(&app, &alias, &good), Ok(json!({ "a": 1 })));
    let two = [packed(br#"{"a""#), packed(b":1}")].concat();
    assert_eq!(read(&app, &gzip, &two), Ok(json!({ "a": 1 })), "a chain of members");

    let bomb = packed(&vec![b' '; 100 << 20]);
    assert!(bomb.len() < 200_000);
    let small_bomb = packed(&vec![b' '; 60_000]);
    let large =
        packed(json!((0..9000).map(|n| n * 7919).collect::<Vec<_>>()).to_string().as_bytes());
    for (what, body) in [("bomb", &bomb), ("small bomb", &small_bomb), ("large", &large)] {
        assert_eq!(read(&app, &gzip, body), Err("payload_too_large"), "{what}");
    }
    let chain = packed(b"").repeat(100_000);
    let mut truncated = good.clone();
    truncated.pop();
    let mut wrong_sum = good.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let trailing = [good.as_slice(), b"x"].concat();
    let nested = packed(&good);
    let bad: [(&str, &[u8]); 7] = [
        ("100,000 members", &chain),
        ("truncated", &truncated),
        ("checksum", &wrong_sum),
        ("trailing", &trailing),
        ("nested", &nested),
        ("plain", br#"{"a":1}"#),
        ("empty", b""),
    ];
    for (what, body) in bad {
        assert_eq!(read(&app, &gzip, body), Err("malformed_body"), "{what}");
    }
    for coding in ["deflate", "br", "zstd", "gzip, gzip", "", "identity"] {
        let headers = [("Content-Type", "application/json"), ("Content-Encoding", coding)];
        assert_eq!(read(&app, &headers, &good), Err("content_encoding"), "{coding}");
    }
    let twice = [gzip[0], gzip[1], gzip[1]];
    assert_eq!(read(&app, &twice, &good), Err("content_encoding"));
}

#[test]
fn odd_json() {
    let app = app("body_limit: 26214400");
    let members: Vec<String> = (0..1_000_000).map(|number| format!("\"k{number}\":1")).collect();
    let wide = format!("{{{}}}", members.join(","));
    assert_eq!(read(&app, &[], wide.as_bytes()).unwrap().as_object().unwrap().len(), 1_000_000);
    assert_eq!(read(&app, &[], br#"{"a":1,"a":2}"#), Ok(json!({ "a": 2 })), "the last one counts");
    let digits = "1".repeat(400);
    for (body, fine) in [
        ("[".repeat(100_000), false),
        (r#"{"a":"#.repeat(100_000), false),
        (format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), false),
        ("NaN".to_owned(), false),
        ("[Infinity]".to_owned(), false),
        ("1e400".to_owned(), false),
        (digits, false),
        ("12345678901234567890123".to_owned(), true),
        (r#""\ud800""#.to_owned(), false),
        (r#""\udc00\ud800""#.to_owned(), false),
        (r#""\u0000""#.to_owned(), true),
        ("\u{feff}{}".to_owned(), false),
        ("{} {}".to_owned(), false),
        ("{}\0".to_owned(), false),
        (String::new(), false),
        ("{'a':1}".to_owned(), false),
    ] {
        let shown: String = body.chars().take(40).collect();
        let found = read(&app, &[], body.as_bytes());
        assert_eq!(found.is_ok(), fine, "{shown}");
        assert!(fine || found == Err("malformed_body"), "{shown}");
    }
    for bytes in [b"\"\xff\"".as_slice(), b"{\"\xc3\x28\":1}", b"\xff\xfe{\0}\0", b"\xed\xa0\x80"] {
        assert_eq!(read(&app, &[], bytes), Err("malformed_body"), "{bytes:?}");
    }
}

#[test]
fn odd_forms_and_parts() {
    let app = app(ALL);
    let form = "application/x-www-form-urlencoded";
    for body in ["", "&&&", "=", "%", "%zz=%", "a", "a=%00", "=b&=c", "a=b=c&d"] {
        assert!(read_as(&app, form, body).is_ok(), "{body:?}");
    }
    assert_eq!(read(&app, &[("Content-Type", form)], b"a=\xff"), Err("malformed_body"));
    let part = |head: &str, body: &str| format!("--b\r\n{head}\r\n\r\n{body}\r\n");
    let named = |name: &str| part(&format!("Content-Disposition: form-data; name=\"{name}\""), "x");
    let bad = [
        String::new(),
        "--b".to_owned(),
        "--b\r\n".to_owned(),
        named("a"),
        format!("{}--b", named("a")),
        format!("{}--b--", part("Content-Type: text/plain", "x")),
        format!("{}--b--", part("Content-Disposition: form-data", "x")),
        format!("{}--b--", part("no colon", "x")),
        format!("{}--b--", part(&"X-A: b\r\n".repeat(1000), "x")),
        "--b\nContent-Disposition: form-data; name=a\n\nx\n--b--".to_owned(),
        named("a").repeat(1001) + "--b--",
        "--c--\r\n".to_owned(),
    ];
    for body in &bad {
        let shown: String = body.chars().take(60).collect();
        let found = read_as(&app, "multipart/form-data; boundary=b", body);
        assert_eq!(found, Err("malformed_body"), "{shown:?}");
    }
    assert!(
        read_as(&app, "multipart/form-data; boundary=b", &(named("a").repeat(999) + "--b--"))
            .is_ok()
    );
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    for declared in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"",
        &long,
    ] {
        assert_eq!(read_as(&app, declared, PARTS), Err("malformed_body"), "{declared}");
    }
    let bytes = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--b--\r\n";
    let headers = [("Content-Type", "multipart/form-data; boundary=b")];
    assert_eq!(read(&app, &headers, bytes), Err("malformed_body"), "a field is text");
}

/// Genuine bodies with random damage, the same in every run: each is read or turned away.
#[test]
fn damaged_bodies_do_no_harm() {
    let app = app(&format!("{ALL}, compression: [gzip], base64_field: /message/data"));
    let pubsub = json!({ "message": { "data": "eyJhIjoxfQ==" } }).to_string();
    let soap = "<e:Envelope xmlns:e='u'><e:Body a=\"1\"><n>x &amp; y</n><n/><![CDATA[z]]></e:Body></e:Envelope>";
    let gzip = packed(pubsub.as_bytes());
    let mut seeds: Vec<(&str, Option<&str>, Vec<u8>)> =
        KINDS.iter().map(|(names, body)| (names[0], None, body.as_bytes().to_vec())).collect();
    seeds.push(("application/json", None, pubsub.clone().into_bytes()));
    seeds.push(("application/xml", None, soap.as_bytes().to_vec()));
    seeds.push(("application/json", Some("gzip"), gzip));
    let mut random = Random(0x5eed);
    let (mut read_well, mut refused) = (0, 0);
    for round in 0..10_000 {
        let (kind, coding, seed) = &seeds[round % seeds.len()];
        let body = damage(seed, &mut random);
        let mut headers = vec![("Content-Type", *kind)];
        headers.extend(coding.map(|coding| ("Content-Encoding", coding)));
        match outcome(&app, &headers, &body) {
            Ok(Outcome::Events(_)) => read_well += 1,
            Ok(other) => panic!("{other:?}"),
            Err(Rejection::MalformedBody(_) | Rejection::BodyTooLarge { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(read_well > 500 && refused > 2000, "{read_well} read, {refused} refused");
}

/// Flips, inserts, deletes, repeats or swaps bytes.
fn damage(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut body = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(body.len().max(1));
        let byte = u8::try_from(random.below(256)).unwrap();
        match random.below(6) {
            0 => body.insert(at.min(body.len()), byte),
            1 if !body.is_empty() => drop(body.remove(at)),
            2 if !body.is_empty() => body[at] = byte,
            3 => body.truncate(at),
            4 => {
                let piece = body[at.min(body.len())..].to_vec();
                body.extend(piece);
            }
            _ if !body.is_empty() => body[at] ^= 1 << random.below(8),
            _ => body.push(byte),
        }
    }
    body
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}
