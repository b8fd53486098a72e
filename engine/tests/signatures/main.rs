//! Signature schemes against vectors from outside: providers' documentation, their SDKs, captured
//! deliveries, RFC 4231 and the Standard Webhooks specification; and everything a forger may send.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod keys;
mod matrix;
mod samples;
mod support;

use hearken_engine::{Rejection, Scheme};
use serde_json::json;

use self::support::{NOW, request, scheme, verify};

const SECRET: &str = "It's a Secret to Everybody";
/// HMAC-SHA256 of "Hello, World!" under [`SECRET`], as GitHub's documentation publishes it.
const PUBLISHED: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn body_hmac() -> Scheme {
    scheme(&json!({
        "kind": "hmac", "algorithm": "sha256", "header": "X-Hub-Signature-256",
        "prefix": "sha256=", "encoding": "hex", "message": "{body}",
    }))
}

fn verdict(signature: &str, body: &[u8]) -> Result<&'static str, Rejection> {
    verify(&body_hmac(), &request(&[("X-Hub-Signature-256", signature)], body, NOW), &[SECRET])
}

/// RFC 4231, test cases 2 (a short key) and 6 (a key longer than a block).
#[test]
fn rfc_4231() {
    let long_key = "\u{aa}".repeat(131);
    let cases: [(&str, &str, &[u8], &str, bool); 3] = [
        (
            "sha256",
            "Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            false,
        ),
        (
            "sha512",
            "Jefe",
            b"what do ya want for nothing?",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            false,
        ),
        (
            "sha256",
            &long_key,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            true,
        ),
    ];
    for (algorithm, key, message, expected, in_hex) in cases {
        let mut description = json!({ "kind": "hmac", "algorithm": algorithm, "header": "X-S" });
        // The key is bytes that are no text, so it is handed over in hex.
        let key = if in_hex {
            description["key"] = json!({ "encoding": "hex" });
            "aa".repeat(131)
        } else {
            key.to_owned()
        };
        let request = request(&[("X-S", expected)], message, NOW);
        let found = verify(&scheme(&description), &request, &[&key]);
        assert!(found.is_ok(), "{algorithm} {found:?}");
    }
}

/// The example of the Standard Webhooks specification, 1.0.0.
#[test]
fn standard_webhooks() {
    let (id, time, body) =
        ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let scheme = scheme(&json!({ "kind": "standard_webhooks" }));
    let with = |signature: &str, time: &str, now: i64| {
        let headers =
            [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)];
        verify(&scheme, &request(&headers, body, now), &[secret])
    };
    let at = 1_614_265_330;
    assert_eq!(with(signature, time, at), Ok("standard-webhooks"));
    let other = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    let several = [other, other, other, signature, other].join(" ");
    assert!(with(&several, time, at).is_ok(), "one good of five");
    let many = vec![other; 10_000].join(" ");
    assert!(with(&format!("{many} {signature}"), time, at).is_err(), "only so many are tried");
    assert_eq!(with("v1,", time, at).unwrap_err().code(), "malformed_signature");
    assert_eq!(with("v1a,AAAA", time, at).unwrap_err().code(), "malformed_signature");
    for (now, expected) in
        [(at + 300, None), (at + 301, Some("stale")), (at - 300, None), (at - 301, Some("stale"))]
    {
        assert_eq!(with(signature, time, now).err().map(|error| error.code()), expected, "{now}");
    }
    for time in [
        "",
        "now",
        "1614265330000000000000000",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1614265330.5",
    ] {
        assert!(with(signature, time, at).is_err(), "{time}");
    }
}

#[test]
fn what_a_forger_may_send() {
    assert_eq!(verdict(&format!("sha256={PUBLISHED}"), b"Hello, World!"), Ok("hmac-sha256"));
    let upper = PUBLISHED.to_uppercase();
    assert!(
        verdict(&format!("sha256={upper}"), b"Hello, World!").is_ok(),
        "hex digits have no case"
    );
    let cases = [
        ("", "missing_signature"),
        ("   ", "missing_signature"),
        ("sha256=", "malformed_signature"),
        (PUBLISHED, "malformed_signature"),
        (&format!("sha1={PUBLISHED}"), "malformed_signature"),
        (&format!("SHA256={PUBLISHED}"), "malformed_signature"),
        (&format!("sha256=sha256={PUBLISHED}"), "malformed_signature"),
        (&format!("sha256={}", &PUBLISHED[..62]), "malformed_signature"),
        (&format!("sha256={}", &PUBLISHED[..1]), "malformed_signature"),
        (&format!("sha256={PUBLISHED}00"), "malformed_signature"),
        (&format!("sha256={PUBLISHED}="), "malformed_signature"),
        (&format!("sha256={}zz", &PUBLISHED[..62]), "malformed_signature"),
        (&format!("sha256={PUBLISHED},sha256={PUBLISHED}"), "malformed_signature"),
        (&format!("sha256={}", "0".repeat(64)), "bad_signature"),
        (&format!("sha256={}18", &PUBLISHED[..62]), "bad_signature"),
        (&format!("sha256=0{}", &PUBLISHED[1..]), "bad_signature"),
    ];
    for (signature, code) in cases {
        assert_eq!(verdict(signature, b"Hello, World!").unwrap_err().code(), code, "{signature}");
    }
    let good = format!("sha256={PUBLISHED}");
    for body in [
        &b""[..],
        b"hello, World!",
        b"Hello, World! ",
        b"\xef\xbb\xbfHello, World!",
        b"Hello, World!\0",
    ] {
        assert_eq!(verdict(&good, body), Err(Rejection::BadSignature), "{body:?}");
    }
    let twice = request(
        &[("x-hub-signature-256", &good), ("X-Hub-Signature-256", &good)],
        b"Hello, World!",
        NOW,
    );
    assert_eq!(verify(&body_hmac(), &twice, &[SECRET]).unwrap_err().code(), "duplicate_signature");
    let without = request(&[], b"Hello, World!", NOW);
    assert_eq!(verify(&body_hmac(), &without, &[SECRET]).unwrap_err().code(), "missing_signature");
    let fine = request(&[("X-Hub-Signature-256", &good)], b"Hello, World!", NOW);
    assert_eq!(verify(&body_hmac(), &fine, &[]), Err(Rejection::NoSecret));
    assert_eq!(verify(&body_hmac(), &fine, &[""]), Err(Rejection::BadSignature));
    assert!(verify(&body_hmac(), &fine, &["new", SECRET]).is_ok(), "a secret that is rotated out");
}

#[test]
fn bodies_need_not_be_text() {
    let body: Vec<u8> = (0..=255).collect();
    let scheme = scheme(&json!({ "kind": "hmac", "header": "X-S" }));
    let request = request(&[("X-S", BINARY_BODY_HMAC)], &body, NOW);
    assert!(verify(&scheme, &request, &["k"]).is_ok());
}

/// From Python's hmac module: HMAC-SHA256 of the bytes 0 to 255 under the key "k".
const BINARY_BODY_HMAC: &str = "5728ec606984e03aa5a37000a4b93b8c308a25d1b84df1168c3c8d379d776fa9";

#[test]
fn tokens_and_pairs() {
    let token = scheme(&json!({ "kind": "token", "header": "X-Token" }));
    let with = |value: &str| {
        verify(&token, &request(&[("X-Token", value)], b"", NOW), &["s3cret", "older"])
    };
    assert_eq!(with("s3cret"), Ok("token"));
    assert_eq!(with("older"), Ok("token"));
    for wrong in ["s3cre", "s3crets", "S3CRET", "\u{e9}"] {
        assert_eq!(with(wrong), Err(Rejection::BadSignature), "{wrong}");
    }
    assert_eq!(token.secret_carriers(), ["x-token"]);

    // A list of pairs with a time, the way payment providers write it.
    let pairs = scheme(&json!({
        "kind": "hmac", "header": "X-S", "pair": "v1", "message": "{timestamp}.{body}", "timestamp": { "pair": "t" },
    }));
    // python3 -c 'import hmac;print(hmac.new(b"whsec",b"1700000000.{}","sha256").hexdigest())'
    let good = "7d44587dddbaf4c7f70fef20f48cd594834ffea1641e3ac227b84408298738af";
    let with =
        |text: &str, now: i64| verify(&pairs, &request(&[("X-S", text)], b"{}", now), &["whsec"]);
    assert!(with(&format!("t=1700000000,v1={good}"), NOW).is_ok());
    assert!(with(&format!("t=1700000000, v1={} , v1={good}", "0".repeat(64)), NOW).is_ok());
    assert_eq!(
        with(&format!("t=1700000001,v1={good}"), NOW),
        Err(Rejection::BadSignature),
        "the time is signed"
    );
    assert_eq!(with(&format!("v1={good}"), NOW).unwrap_err().code(), "bad_timestamp");
    assert_eq!(
        with(&format!("t=1700000000,v0={good}"), NOW).unwrap_err().code(),
        "malformed_signature"
    );
    assert_eq!(with(&format!("t=1700000000,v1={good}"), NOW + 301).unwrap_err().code(), "stale");
}

/// What payment and mail providers do: the signature in the body, over fields of the body; a
/// password; one of several headers; a time in words.
#[test]
fn signatures_in_other_places() {
    // python3 -c 'import hmac;print(hmac.new(b"key",b"1700000000tok","sha256").hexdigest())'
    let good = "034f80794eb775260bdd55684adc5dd7e94045a10ad8ba1e5c65df9d037d0790";
    let mailed = scheme(&json!({
        "kind": "hmac", "body": "/signature/signature", "message": "{timestamp}{field:/signature/token}",
        "timestamp": { "body": "/signature/timestamp" },
    }));
    let body = |signature: &str, token: &str| {
        json!({ "signature": { "timestamp": "1700000000", "token": token, "signature": signature } }).to_string()
    };
    let with = |body: String| verify(&mailed, &request(&[], body.as_bytes(), NOW), &["key"]);
    assert!(with(body(good, "tok")).is_ok());
    assert_eq!(with(body(good, "tok2")), Err(Rejection::BadSignature));
    assert_eq!(with("not JSON".to_owned()).unwrap_err().code(), "missing_signature");

    let basic = scheme(&json!({ "kind": "token", "basic": true }));
    let with = |field: &str| {
        verify(&basic, &request(&[("Authorization", field)], b"", NOW), &["user:pass"])
    };
    assert_eq!(with("Basic dXNlcjpwYXNz"), Ok("token"));
    assert_eq!(with("Basic dXNlcjpwYXN6"), Err(Rejection::BadSignature));
    assert_eq!(with("Bearer dXNlcjpwYXNz").unwrap_err().code(), "missing_signature");
    assert_eq!(with("Basic ???").unwrap_err().code(), "missing_signature");

    let several = scheme(&json!({ "kind": "hmac", "header": ["X-S-1", "X-S-2"] }));
    let zeros = "0".repeat(64);
    let with = |headers: &[(&str, &str)]| {
        verify(&several, &request(headers, b"Hello, World!", NOW), &[SECRET])
    };
    assert!(with(&[("X-S-1", &zeros), ("X-S-2", PUBLISHED)]).is_ok());
    assert_eq!(with(&[("X-S-1", &zeros)]), Err(Rejection::BadSignature));

    let iso = scheme(&json!({
        "kind": "hmac", "header": "X-S", "message": "{timestamp}:{body}", "timestamp": { "header": "X-T", "unit": "iso" },
    }));
    // python3 -c 'import hmac;print(hmac.new(b"key",b"2023-11-14T22:13:20Z:{}","sha256").hexdigest())'
    let good = "222268a030a7a6cd59df3891d3f222303fec7568a7a474db669bae1ca4f6696e";
    let with = |now: i64| {
        let headers = [("X-S", good), ("X-T", "2023-11-14T22:13:20Z")];
        verify(&iso, &request(&headers, b"{}", now), &["key"])
    };
    assert!(with(NOW).is_ok());
    assert_eq!(with(NOW + 301).unwrap_err().code(), "stale");
}

#[test]
fn descriptions_that_are_wrong_say_where() {
    let jwks = json!({ "jwks": "https://x.example/keys" });
    let cases = [
        (json!("hmac"), ""),
        (json!({ "kind": "hmac" }), "header"),
        (json!({ "kind": "hmca", "header": "X" }), "kind"),
        (json!({ "kind": "hmac", "header": "X", "algoritm": "sha256" }), "algoritm"),
        (json!({ "kind": "hmac", "header": "X", "algorithm": "sha3" }), "algorithm"),
        (json!({ "kind": "hmac", "header": "X", "padding": "pss" }), "padding"),
        (json!({ "kind": "hmac", "header": "X", "public_key": jwks }), "public_key"),
        (json!({ "kind": "hmac", "header": "X", "message": "{body" }), "message"),
        (json!({ "kind": "hmac", "header": "X", "message": "{bdy}" }), "message"),
        (json!({ "kind": "hmac", "header": "X", "message": "{secret}{body}" }), "message"),
        (json!({ "kind": "hmac", "header": "X", "message": "{if:/a}{body}" }), "message"),
        (json!({ "kind": "hmac", "header": "X", "message": "{body}{end}" }), "message"),
        (json!({ "kind": "hmac", "header": "X", "message": "{timestamp}{body}" }), "timestamp"),
        (json!({ "kind": "hmac", "header": "X", "timestamp": {} }), "timestamp"),
        (json!({ "kind": "hmac", "header": "X", "query": "y" }), "header"),
        (json!({ "kind": "hmac", "body": "" }), "body"),
        (json!({ "kind": "hmac", "header": "X", "body_hash": {} }), "body_hash"),
        (json!({ "kind": "hmac", "header": "X", "each": "/a", "message": "{field:/b}" }), "each"),
        (json!({ "kind": "hmac", "body": "/s", "each": "/a", "message": "{body}" }), "each"),
        (json!({ "kind": "hmac", "body": "/s", "each": "a", "message": "{field:/b}" }), "each"),
        (json!({ "kind": "ed25519", "header": "X" }), "public_key"),
        (
            json!({ "kind": "ed25519", "header": "X", "public_key": { "secret": "der" } }),
            "public_key",
        ),
        (json!({ "kind": "ed25519", "header": "X", "public_key": { "pem": "x" } }), "public_key"),
        (json!({ "kind": "ed25519", "header": "X", "public_key": jwks }), "public_key"),
        (
            json!({ "kind": "rsa", "header": "X", "public_key": { "secret": "pem" }, "algorithm": "md5" }),
            "algorithm",
        ),
        (
            json!({ "kind": "rsa", "header": "X", "public_key": { "secret": "pem" }, "algorithm": "sha1", "padding": "pss" }),
            "algorithm",
        ),
        (
            json!({ "kind": "rsa", "header": "X", "public_key": { "certificate": { "header": "C", "hosts": [] } } }),
            "public_key",
        ),
        (
            json!({ "kind": "rsa", "header": "X", "public_key": { "certificate": { "header": "C", "hosts": ["*"] } } }),
            "public_key",
        ),
        (
            json!({ "kind": "rsa", "header": "X", "public_key": { "certificate": { "header": "C", "hosts": ["a.*.example"] } } }),
            "public_key",
        ),
        (
            json!({ "kind": "rsa", "header": "X", "public_key": { "certificate": { "header": "C", "hosts": ["https://a.example"] } } }),
            "public_key",
        ),
        (
            json!({ "kind": "rsa", "header": "X", "public_key": { "certificate": { "hosts": ["a.example"] } } }),
            "public_key",
        ),
        (json!({ "kind": "jwt", "header": "X", "jwt": { "odience": "a" } }), "jwt"),
        (json!({ "kind": "jwt", "header": "X", "jwt": { "audience": "{uri}" } }), "jwt"),
        (json!({ "kind": "jwt", "header": "X", "jwt": { "algorithms": ["none"] } }), "jwt"),
        (json!({ "kind": "jwt", "header": "X", "jwt": { "algorithms": ["RS256"] } }), "jwt"),
        (
            json!({ "kind": "jwt", "header": "X", "public_key": jwks, "jwt": { "algorithms": ["RS256", "HS256"] } }),
            "jwt",
        ),
        (json!({ "kind": "jwt", "header": "X", "jwt": { "time": "none" } }), "jwt"),
        (
            json!({ "kind": "jwt", "header": "X", "public_key": { "jwks": "http://x.example" } }),
            "public_key",
        ),
        (json!({ "kind": "aes_gcm" }), "iv"),
    ];
    for (description, field) in cases {
        let error = Scheme::parse(&description).unwrap_err();
        assert_eq!(error.field, field, "{description}: {error}");
    }
    // A key of another kind is told when the app is loaded, and not by every delivery.
    let published = support::vectors();
    let of = |id: &str| published.iter().find(|vector| vector.id == id).unwrap();
    let mut description = of("ecdsa-der-pem").description().clone();
    description["public_key"] = of("rsa-sha256").description()["public_key"].clone();
    assert_eq!(Scheme::parse(&description).unwrap_err().field, "public_key");
    let hint = Scheme::parse(&json!({ "kind": "hmac", "hedaer": "X" })).unwrap_err();
    assert!(hint.message.contains("`header`"), "{hint}");
}

/// Ten thousand malformed headers and bodies: nothing is accepted, nothing panics.
#[test]
fn mutations_are_never_accepted() {
    let mut random = 0x2026_1124_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let good = format!("sha256={PUBLISHED}");
    for round in 0..10_000 {
        let (mut header, mut body) = (good.clone().into_bytes(), b"Hello, World!".to_vec());
        let target = if round % 2 == 0 { &mut header } else { &mut body };
        let at = next(target.len());
        match next(3) {
            0 => target[at] ^= 1 << next(7),
            1 => drop(target.remove(at)),
            _ => target.insert(at, u8::try_from(next(256)).unwrap()),
        }
        let header = String::from_utf8_lossy(&header).into_owned();
        let same =
            header.trim().eq_ignore_ascii_case(&good) && header.trim().starts_with("sha256=");
        if same && body == b"Hello, World!" {
            continue;
        }
        assert!(verdict(&header, &body).is_err(), "{header:?} {body:?}");
    }
}
