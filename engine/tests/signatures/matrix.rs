//! Every vector under its scheme, and everything near it that must not pass: tampered, cut,
//! doubled, out of time, under another key. Nothing false is accepted, nothing genuine refused.

use hearken_engine::{Headers, KeyRing, Request, Scheme};
use serde_json::{Value, json};

use crate::support::{Vector, vectors, with_signature};

/// Bytes of a body that are changed, spread over it.
const FLIPS: usize = 400;

fn accepts(vector: &Vector, scheme: &Scheme, keys: &KeyRing, request: &Request) -> bool {
    scheme.verify(request, &vector.recipient(), keys).is_ok()
}

fn genuine() -> impl Iterator<Item = Vector> {
    vectors().into_iter().filter(|vector| vector.rejected.is_none())
}

#[test]
fn every_vector_is_judged_as_it_says() {
    let (mut accepted, mut rejected) = (0, 0);
    let mut wrong = Vec::new();
    for vector in vectors() {
        let (request, recipient) = (vector.request(), vector.recipient());
        let found = vector.scheme().verify(&request, &recipient, &vector.keys());
        let told = match (&vector.by, &vector.rejected, &found) {
            (Some(by), None, Ok(verified)) => {
                accepted += 1;
                let body = match (vector.expected_body(), verified.is_unwrapped()) {
                    (Some(Value::Array(bytes)), true) => json!(verified.body()) == json!(bytes),
                    (Some(body), true) => {
                        serde_json::from_slice::<Value>(verified.body()).unwrap() == body
                    }
                    (None, false) => verified.body() == request.body,
                    _ => false,
                };
                verified.by() == by && body
            }
            (None, Some(code), Err(rejection)) => {
                rejected += 1;
                rejection.code() == code
            }
            _ => false,
        };
        if !told {
            let found = found.map(|verified| verified.by().to_owned());
            wrong.push(format!("{}: {:?} {:?}: {found:?}", vector.id, vector.by, vector.rejected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(accepted >= 90 && rejected >= 90, "only {accepted} and {rejected} vectors");
}

#[test]
fn a_tampered_signature_is_never_accepted() {
    for vector in genuine() {
        let (scheme, keys) = (vector.scheme(), vector.keys());
        let signature = vector.signature.clone().unwrap();
        let mut forged: Vec<String> = Vec::new();
        for (at, character) in signature.char_indices() {
            let (before, after) = (&signature[..at], &signature[at + 1..]);
            let other = if character == 'A' { 'B' } else { 'A' };
            forged.push(format!("{before}{other}{after}"));
            forged.push(format!("{before}{}{after}", char::from(character as u8 ^ 1)));
            forged.push(format!("{before}{after}"));
        }
        let half = signature.len() / 2;
        forged.extend([
            String::new(),
            signature[..1].to_owned(),
            signature[..half].to_owned(),
            signature[half..].to_owned(),
            signature.chars().rev().collect(),
            format!("{signature}{signature}"),
            format!("{signature} {signature}"),
            format!("{signature},{signature}"),
            format!("{signature}A"),
            format!("{signature}AA"),
            format!("{signature}AAAA"),
            format!("{signature}00"),
            format!("{signature}="),
            format!("{signature}\0"),
            format!("{signature}\u{e9}"),
            format!("A{signature}"),
            format!("\u{feff}{signature}"),
            format!("0x{signature}"),
            format!("sha256={signature}"),
            "0".repeat(signature.len()),
            "A".repeat(signature.len()),
            signature.to_lowercase(),
            signature.to_uppercase(),
        ]);
        for text in forged {
            // Hex digits have no case, and base64 is read with padding and without.
            let unpadded = !vector.is_encoded_as("hex") && vector.by.as_deref() != Some("jwt");
            let same = text == signature
                || vector.is_encoded_as("hex") && text.eq_ignore_ascii_case(&signature)
                || unpadded && text.trim_end_matches('=') == signature.trim_end_matches('=');
            // What follows a separator is another signature, and the first one is still good.
            let listed = vector
                .separator()
                .into_iter()
                .chain(vector.id.contains("pairs").then_some(","))
                .any(|separator| text.split(separator).any(|one| one == signature));
            if !same && !listed {
                let request = with_signature(&vector, &text);
                assert!(!accepts(&vector, &scheme, &keys, &request), "{}: {text:?}", vector.id);
            }
        }
    }
}

#[test]
fn a_tampered_body_is_never_accepted() {
    for vector in genuine().filter(|vector| vector.covers == "body") {
        let (scheme, keys) = (vector.scheme(), vector.keys());
        let original = vector.request();
        let body = &original.body;
        let mut bodies = Vec::new();
        for at in (0..body.len()).step_by(body.len().div_ceil(FLIPS).max(1)) {
            for bit in [0x01, 0x20, 0x80] {
                let mut flipped = body.clone();
                flipped[at] ^= bit;
                bodies.push(flipped);
            }
            let mut shorter = body.clone();
            shorter.remove(at);
            bodies.push(shorter);
        }
        bodies.push([b"\xef\xbb\xbf", body.as_slice()].concat());
        for addition in [&b" "[..], b"\n", b"\0", b"\r\n", b"\xff", body] {
            bodies.push([body, addition].concat());
            bodies.push([addition, body].concat());
        }
        bodies.push(Vec::new());
        bodies.push(body.iter().rev().copied().collect());
        for changed in bodies.into_iter().filter(|changed| changed != body) {
            // Hexadecimal ciphertext has no case, whitespace around it does not count, and two
            // texts may be one form.
            let trimmed = String::from_utf8_lossy(&changed).trim().to_ascii_lowercase();
            let same = vector.by.as_deref() == Some("aes-gcm")
                && trimmed == String::from_utf8_lossy(body).to_ascii_lowercase();
            let form = |bytes: &[u8]| -> Vec<(String, String)> {
                let mut fields: Vec<_> = url::form_urlencoded::parse(bytes).into_owned().collect();
                fields.retain(|(name, value)| !(name.is_empty() && value.is_empty()));
                fields
            };
            let same_form =
                vector.id.contains("form") && equal_when_joined(&form(&changed), &form(body));
            if !same && !same_form {
                let request = Request { body: changed.clone(), ..original.clone() };
                let text = String::from_utf8_lossy(&changed);
                assert!(!accepts(&vector, &scheme, &keys, &request), "{}: {text}", vector.id);
            }
        }
    }
}

/// Whether two forms are the same to a scheme that joins names and values without separators, or
/// signs only some of the fields.
fn equal_when_joined(one: &[(String, String)], other: &[(String, String)]) -> bool {
    let joined = |fields: &[(String, String)]| -> String {
        let mut fields = fields.to_vec();
        fields.sort();
        fields.dedup();
        fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
    };
    let signed = |fields: &[(String, String)]| -> Vec<String> {
        let known = ["order", "amount", "sig"];
        let known =
            known.iter().flat_map(|wanted| fields.iter().filter(move |(name, _)| name == wanted));
        known.map(|(_, value)| value.trim().to_ascii_lowercase()).collect()
    };
    joined(one) == joined(other) || !signed(one).is_empty() && signed(one) == signed(other)
}

#[test]
fn a_tampered_field_is_never_accepted() {
    let mut changed = 0;
    for vector in genuine().filter(|vector| vector.covers == "fields") {
        let (scheme, keys) = (vector.scheme(), vector.keys());
        let original = vector.request();
        let body: Value = serde_json::from_slice(&original.body).unwrap();
        for pointer in &vector.signed {
            let value = body.pointer(pointer).unwrap().clone();
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut others = vec![json!(null), json!(""), json!({}), json!([value])];
            others.extend([json!(format!("{text} ")), json!(format!("x{text}")), json!(text[1..])]);
            others.push(json!(text.to_uppercase() + "x"));
            for other in others.into_iter().filter(|other| *other != value) {
                let mut tampered = body.clone();
                *tampered.pointer_mut(pointer).unwrap() = other.clone();
                let request = Request { body: tampered.to_string().into(), ..original.clone() };
                // Text is trimmed where times are read.
                let trimmed = other.as_str().is_some_and(|other| other.trim() == text);
                if !(pointer.ends_with("timestamp") || pointer.ends_with("encrypted")) || !trimmed {
                    assert!(
                        !accepts(&vector, &scheme, &keys, &request),
                        "{} {pointer} {other}",
                        vector.id
                    );
                    changed += 1;
                }
            }
        }
    }
    assert!(changed > 100, "only {changed}");
}

#[test]
fn time_is_judged_to_the_second() {
    let mut judged = 0;
    for vector in genuine() {
        let (scheme, keys) = (vector.scheme(), vector.keys());
        let at = |now: i64| {
            let request =
                Request { received_at: now.saturating_mul(1_000_000), ..vector.request() };
            let recipient = vector.recipient();
            scheme.verify(&request, &recipient, &keys).map(|_| ()).map_err(|why| why.code())
        };
        if let Some(tolerance) = vector.tolerance {
            judged += 1;
            for (skew, expected) in [
                (0, Ok(())),
                (tolerance, Ok(())),
                (-tolerance, Ok(())),
                (tolerance + 1, Err("stale")),
                (-tolerance - 1, Err("stale")),
            ] {
                assert_eq!(at(vector.now + skew), expected, "{} {skew}", vector.id);
            }
        }
        if let Some(end) = vector.valid_to {
            judged += 1;
            assert_eq!(at(end), Ok(()), "{}", vector.id);
            assert_eq!(at(end + 1), Err("stale"), "{}", vector.id);
        }
        if vector.tolerance.is_some() || vector.valid_to.is_some() {
            assert!(vector.scheme().has_timestamp(), "{}", vector.id);
            for extreme in [i64::MIN, i64::MAX, i64::MAX / 1_000_000] {
                let told = at(extreme);
                assert!(told.is_err() || vector.valid_to.is_some() && extreme < 0, "{}", vector.id);
            }
        }
    }
    assert!(judged > 30, "only {judged}");
}

#[test]
fn another_key_is_never_accepted() {
    for vector in genuine().filter(|vector| !vector.secrets.is_empty()) {
        let scheme = vector.scheme();
        for place in 0..4 {
            let mut other = vector.clone();
            for secret in &mut other.secrets {
                // A character that keeps the form: hexadecimal, base64, PEM and plain text.
                let at = secret.len() * place / 5 + secret.len() / 10;
                let at =
                    (at..secret.len()).find(|at| secret.as_bytes()[*at].is_ascii_alphanumeric());
                let at = at.unwrap();
                let digit = if secret.as_bytes()[at] == b'a' { "b" } else { "a" };
                secret.replace_range(at..=at, digit);
            }
            if other
                .secrets
                .iter()
                .zip(&vector.secrets)
                .all(|(other, own)| !other.eq_ignore_ascii_case(own))
            {
                let request = vector.request();
                assert!(!accepts(&other, &scheme, &other.keys(), &request), "{}", vector.id);
            }
        }
        for secrets in [vec![], vec![String::new()]] {
            let mut without = vector.clone();
            without.secrets = secrets;
            assert!(
                !accepts(&without, &scheme, &vector.keys(), &vector.request()),
                "{}",
                vector.id
            );
        }
        let mut rotated = vector.clone();
        rotated.secrets.insert(0, "the new one".to_owned());
        assert!(accepts(&rotated, &scheme, &vector.keys(), &vector.request()), "{}", vector.id);
    }
}

#[test]
fn what_is_missing_or_there_twice_is_refused() {
    for vector in genuine() {
        let (scheme, keys) = (vector.scheme(), vector.keys());
        let all: Vec<(String, String)> = vector.request.headers.clone().into_iter().collect();
        for (index, (name, value)) in all.iter().enumerate() {
            if name == "content-type" {
                continue;
            }
            for fields in [
                all.iter()
                    .enumerate()
                    .filter(|(at, _)| *at != index)
                    .map(|(_, field)| field.clone())
                    .collect(),
                [all.clone(), vec![(name.clone(), value.clone())]].concat(),
                [all.clone(), vec![(name.to_uppercase(), "another".to_owned())]].concat(),
                all.iter()
                    .map(|(other, value)| {
                        (other.clone(), if other == name { String::new() } else { value.clone() })
                    })
                    .collect(),
            ] {
                let request = Request { headers: Headers::new(fields), ..vector.request() };
                assert!(!accepts(&vector, &scheme, &keys, &request), "{} {name}", vector.id);
            }
        }
        let bare = Request { headers: Headers::default(), body: Vec::new(), ..vector.request() };
        let told = scheme.verify(&bare, &vector.recipient(), &keys).unwrap_err();
        assert_eq!(told.code(), "missing_signature", "{}", vector.id);
    }
}

/// What is signed here for trying an app out is what verification accepts.
#[test]
fn what_is_signed_here_is_accepted() {
    let mut signed = 0;
    for vector in genuine().filter(|vector| !vector.secrets.is_empty()) {
        let (scheme, recipient) = (vector.scheme(), vector.recipient());
        let secret = recipient.secrets.last().unwrap();
        let Ok(fields) = scheme.sign(&vector.request(), secret) else {
            continue;
        };
        let mut headers = vector.request.headers.clone();
        headers.retain(|name, _| fields.iter().all(|(other, _)| !name.eq_ignore_ascii_case(other)));
        let headers = headers.into_iter().chain(fields);
        let request = Request { headers: Headers::new(headers), ..vector.request() };
        assert!(accepts(&vector, &scheme, &vector.keys(), &request), "{}", vector.id);
        signed += 1;
    }
    assert!(signed > 40, "only {signed}");
}

/// A header with ten thousand signatures, the good one last: only so many are tried.
#[test]
fn ten_thousand_candidates() {
    let mut tried = 0;
    for vector in genuine() {
        let signature = vector.signature.clone().unwrap();
        let Some((separator, pair)) =
            vector.separator().map(|separator| (separator.to_owned(), String::new())).or_else(
                || vector.id.contains("pairs-commas").then(|| (",".to_owned(), "v1=".to_owned())),
            )
        else {
            continue;
        };
        let version = vector.request.headers.values().find_map(|value| {
            let before =
                value.split(signature.as_str()).next().filter(|before| *before != value)?;
            Some(before.rsplit([' ', ';']).next().unwrap_or_default().to_owned())
        });
        let prefix = if pair.is_empty() { version.unwrap() } else { pair };
        let other = "0".repeat(64);
        let list = vec![format!("{other}{separator}{prefix}"); 10_000].concat() + &signature;
        let request = with_signature(&vector, &list);
        assert!(!accepts(&vector, &vector.scheme(), &vector.keys(), &request), "{}", vector.id);
        tried += 1;
    }
    assert!(tried >= 4, "only {tried}");
}
