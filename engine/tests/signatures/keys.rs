//! Fetching public keys: kept as long as they may be, asked for seldom whatever senders name, and
//! never a reason to accept anything when they cannot be had.

use std::{collections::BTreeMap, sync::Arc, thread};

use hearken_engine::{KeyRing, Request, Scheme};

use crate::support::{Vector, Web, vectors};

const JWKS: &str = "https://keys.acme.example/jwks.json";
const MINUTE: i64 = 60;

struct Keys {
    vector: Vector,
    scheme: Scheme,
    web: Arc<Web>,
    ring: KeyRing,
}

/// A vector whose keys are fetched, and that stays good for long.
fn keys(id: &str) -> Keys {
    let vector = vectors().into_iter().find(|vector| vector.id == id).unwrap();
    let web = Arc::new(vector.web());
    let ring = KeyRing::new(web.clone());
    Keys { scheme: vector.scheme(), vector, web, ring }
}

impl Keys {
    /// The code of what is made of the vector at a time, `ok` if it verifies.
    fn at(&self, now: i64) -> &'static str {
        self.judge(&self.vector.request(), now)
    }

    fn judge(&self, request: &Request, now: i64) -> &'static str {
        let request = Request { received_at: now.saturating_mul(1_000_000), ..request.clone() };
        let found = self.scheme.verify(&request, &self.vector.recipient(), &self.ring);
        found.map_or_else(|rejection| rejection.code(), |_| "ok")
    }

    fn cache_control(&self, text: &str) {
        *self.web.headers.lock().unwrap() = vec![("Cache-Control".to_owned(), text.to_owned())];
    }
}

#[test]
fn a_flood_of_unknown_names_fetches_once_in_five_minutes() {
    let known = keys("jwt-rs256");
    let unknown = vectors().into_iter().find(|vector| vector.id == "jwt-kid-unknown").unwrap();
    let request = unknown.request();
    let start = known.vector.now;
    assert_eq!(known.judge(&request, start), "unknown_key");
    assert_eq!(known.web.asked(), 1);
    for second in 0..300 {
        for _ in 0..20 {
            assert_eq!(known.judge(&request, start + second), "unknown_key");
        }
        assert_eq!(known.at(start + second), "ok", "the good ones are not kept waiting");
    }
    assert_eq!(known.web.asked(), 1);
    assert_eq!(known.judge(&request, start + 300), "unknown_key");
    assert_eq!(known.web.asked(), 2);
    for second in 300..600 {
        assert_eq!(known.judge(&request, start + second), "unknown_key");
    }
    assert_eq!(known.web.asked(), 2, "6,600 tokens of unknown keys in ten minutes");
}

#[test]
fn a_new_key_is_found_five_minutes_later_at_most() {
    let known = keys("jwt-rs256");
    let start = known.vector.now;
    let documents = known.web.documents.lock().unwrap().clone();
    let before =
        BTreeMap::from([(JWKS.to_owned(), documents[JWKS].replace("\"rsa\"", "\"former\""))]);
    *known.web.documents.lock().unwrap() = before;
    assert_eq!(known.at(start), "unknown_key");
    *known.web.documents.lock().unwrap() = documents;
    assert_eq!(known.at(start + 299), "unknown_key");
    assert_eq!(known.at(start + 300), "ok");
    assert_eq!(known.web.asked(), 2);
}

#[test]
fn keys_are_kept_as_long_as_the_provider_says_within_bounds() {
    for (header, kept) in [
        ("public, max-age=600, must-revalidate", 10 * MINUTE),
        ("max-age=1", 5 * MINUTE),
        ("no-store", 60 * MINUTE),
        ("max-age=nonsense", 60 * MINUTE),
        ("MAX-AGE=\"1200\"", 20 * MINUTE),
        ("max-age=99999999999999999999", 60 * MINUTE),
        ("max-age=9223372036854775807", 24 * 60 * MINUTE),
        ("max-age=-5", 5 * MINUTE),
        ("max-age=31536000", 24 * 60 * MINUTE),
    ] {
        let known = keys("certificate-crc32-and-fact");
        let start = known.vector.now;
        known.cache_control(header);
        let fetches = |now: i64| {
            // Its own time is judged last, and does not matter to the keys.
            assert!(["ok", "stale"].contains(&known.at(now)), "{header}");
            known.web.asked()
        };
        assert_eq!(fetches(start), 1, "{header}");
        assert_eq!(fetches(start + kept - 1), 1, "{header}");
        assert_eq!(fetches(start + kept), 2, "{header}");
    }
}

#[test]
fn what_cannot_be_fetched_is_never_accepted_and_not_asked_for_at_once() {
    let known = keys("jwt-rs256");
    let start = known.vector.now;
    *known.web.down.lock().unwrap() = true;
    for second in 0..30 {
        assert_eq!(known.at(start + second), "key_unavailable");
    }
    assert_eq!(known.web.asked(), 1);
    *known.web.down.lock().unwrap() = false;
    assert_eq!(known.at(start + 29), "key_unavailable", "a failure is remembered");
    assert_eq!(known.at(start + 30), "ok");
    assert_eq!(known.web.asked(), 2);
    let offline = KeyRing::offline();
    let request = known.vector.request();
    let found = known.scheme.verify(&request, &known.vector.recipient(), &offline);
    assert_eq!(found.unwrap_err().code(), "key_unavailable");
}

#[test]
fn an_old_set_serves_while_there_is_no_new_one() {
    let known = keys("certificate-crc32-and-fact");
    let start = known.vector.now;
    known.cache_control("max-age=300");
    assert_eq!(known.at(start), "ok");
    *known.web.down.lock().unwrap() = true;
    assert_eq!(known.at(start + 300), "ok");
    assert_eq!(known.web.asked(), 2);
    assert_eq!(known.at(start + 301), "stale", "judged with the old key, not turned away");
    assert_eq!(known.web.asked(), 2);
    assert_eq!(known.at(start + 300 + 24 * 60 * MINUTE), "key_unavailable", "but not for ever");

    // A name that an old set does not know may be in the new one: no verdict before that is read.
    let known = keys("jwt-rs256");
    known.cache_control("max-age=300");
    assert_eq!(known.at(start), "ok");
    *known.web.down.lock().unwrap() = true;
    let unknown = vectors().into_iter().find(|vector| vector.id == "jwt-kid-unknown").unwrap();
    assert_eq!(known.judge(&unknown.request(), start + 299), "unknown_key");
    assert_eq!(known.judge(&unknown.request(), start + 300), "key_unavailable");
}

#[test]
fn a_flood_of_certificates_is_bounded() {
    let known = keys("certificate-crc32-and-fact");
    let start = known.vector.now;
    assert_eq!(known.at(start), "ok");
    for number in 0..5_000 {
        let mut headers = known.vector.request.headers.clone();
        let url = format!("https://certs.eu-{number}.acme.example/{number}.pem");
        headers.insert("X-Cert".to_owned(), url);
        let request =
            Request { headers: hearken_engine::Headers::new(headers), ..known.vector.request() };
        assert_eq!(known.judge(&request, start + number / 100), "key_unavailable");
    }
    assert_eq!(known.web.asked(), 20, "a minute's budget, the good one included");
    assert_eq!(known.at(start + 50), "ok", "what is known goes on serving");
    assert_eq!(known.web.asked(), 20, "and is not pushed out");
}

#[test]
fn many_at_once_fetch_once() {
    let known = keys("jwt-rs256");
    let now = known.vector.now;
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(known.at(now), "ok"));
        }
    });
    assert_eq!(known.web.asked(), 1);
}

#[test]
fn an_operator_may_have_keys_asked_for_elsewhere() {
    let known = keys("jwt-rs256");
    let documents = known.web.documents.lock().unwrap().clone();
    let elsewhere =
        BTreeMap::from([("http://127.0.0.1:9/keys/jwks.json".to_owned(), documents[JWKS].clone())]);
    let ring = KeyRing::new(Arc::new(Web::of(elsewhere)));
    let replaced = ring.replacing([(
        "https://keys.acme.example".to_owned(),
        "http://127.0.0.1:9/keys".to_owned(),
    )]);
    let request = known.vector.request();
    let verify = |ring: &KeyRing| {
        known.scheme.verify(&request, &known.vector.recipient(), ring).map(|verified| verified.by())
    };
    assert_eq!(verify(&replaced), Ok("jwt"));
}

#[test]
fn sets_with_keys_nobody_can_use_are_no_sets() {
    for (set, code) in [
        ("{}", "key_unavailable"),
        ("[]", "key_unavailable"),
        (r#"{"keys":{}}"#, "key_unavailable"),
        (r#"{"keys":[1,null,"x",{},{"kty":"RSA"}]}"#, "key_unavailable"),
        (r#"{"keys":[{"kty":"RSA","kid":"rsa","n":"","e":"AQAB"}]}"#, "key_unavailable"),
        (r#"{"keys":[{"kty":"RSA","kid":"rsa","n":"AAAA","e":"AQAB"}]}"#, "key_unavailable"),
        (r#"{"keys":[{"kty":"RSA","kid":"rsa","n":"AQAB","e":"AQAB"}]}"#, "bad_signature"),
        (
            r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"rsa","x":"AA","y":"AA"}]}"#,
            "key_unavailable",
        ),
        (r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"rsa","x":"AA"}]}"#, "key_unavailable"),
        (r#"{"keys":[{"kty":"oct","kid":"rsa","k":"AA"}]}"#, "key_unavailable"),
    ] {
        let known = keys("jwt-rs256");
        known.web.documents.lock().unwrap().insert(JWKS.to_owned(), set.to_owned());
        assert_eq!(known.at(known.vector.now), code, "{set}");
    }
    for certificate in ["", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "<html>"] {
        let known = keys("certificate-crc32-and-fact");
        for document in known.web.documents.lock().unwrap().values_mut() {
            certificate.clone_into(document);
        }
        assert_eq!(known.at(known.vector.now), "key_unavailable", "{certificate}");
    }
}
