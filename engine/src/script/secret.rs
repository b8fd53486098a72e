//! `Secret`: a credential in a script's hands, which it can pass on and combine but not see; and
//! the scrubbing of known secrets from every message that leaves a call.

use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rhai::{Dynamic, Engine, ImmutableString};
use secrecy::{ExposeSecret, SecretString};

use super::failure::{Fallible, fault};

/// What stands in a text where a secret was.
pub(super) const MASK: &str = "[secret]";
/// Shorter values are not searched for: they occur everywhere by chance.
const SHORTEST: usize = 4;

/// A secret value. Everything made from it is a secret too, and of the same call.
#[derive(Clone)]
pub(super) struct Secret {
    value: SecretString,
    known: Known,
}

/// The secrets of one call, and the spellings of them that were made on the way.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<Vec<SecretString>>>);

impl Known {
    /// A secret of this call.
    pub(super) fn secret(&self, value: &SecretString) -> Secret {
        self.add(value.clone());
        Secret { value: value.clone(), known: self.clone() }
    }

    fn add(&self, value: SecretString) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }

    /// Replaces every known secret in `text`, also where it is percent-encoded or in Base64.
    pub(super) fn scrub(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spellings: Vec<String> = known
            .iter()
            .map(ExposeSecret::expose_secret)
            .filter(|secret| secret.len() >= SHORTEST)
            .flat_map(spellings)
            .collect();
        // Longest first: a spelling must not be broken up by a shorter one inside it.
        spellings.sort_unstable_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        spellings
            .iter()
            .fold(text.to_owned(), |text, spelling| text.replace(spelling.as_str(), MASK))
    }
}

fn spellings(secret: &str) -> Vec<String> {
    let json = serde_json::Value::from(secret).to_string();
    vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        url_encode(secret),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        json.trim_matches('"').to_owned(),
        BASE64.encode(secret.as_bytes()),
        BASE64_NOPAD.encode(secret.as_bytes()),
        BASE64URL.encode(secret.as_bytes()),
        BASE64URL_NOPAD.encode(secret.as_bytes()),
    ]
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn url_encode(text: &str) -> String {
    const RESERVED: percent_encoding::AsciiSet =
        NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, &RESERVED).to_string()
}

impl Secret {
    /// The value, for the request it goes into.
    pub(super) fn reveal(&self) -> &SecretString {
        &self.value
    }

    fn derive(&self, value: String) -> Self {
        let value = SecretString::from(value);
        self.known.add(value.clone());
        Self { value, known: self.known.clone() }
    }

    fn joined(&self, before: &str, after: &str) -> Self {
        Self {
            value: format!("{before}{}{after}", self.value.expose_secret()).into(),
            known: self.known.clone(),
        }
    }
}

/// Registers the type and the few things a script may do with it.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Secret>("Secret")
        .register_fn("+", |a: ImmutableString, b: Secret| b.joined(&a, ""))
        .register_fn("+", |a: Secret, b: ImmutableString| a.joined("", &b))
        .register_fn("+", |a: Secret, b: Secret| a.joined("", b.value.expose_secret()))
        .register_fn("+=", |_: &mut ImmutableString, _: Secret| {
            Err::<(), _>(fault("write `x = x + secret`: with `+=` it would stay a plain string"))
        })
        .register_fn("==", refuse_comparison::<Secret, Secret>)
        .register_fn("==", refuse_comparison::<Secret, ImmutableString>)
        .register_fn("==", refuse_comparison::<ImmutableString, Secret>)
        .register_fn("!=", refuse_comparison::<Secret, Secret>)
        .register_fn("!=", refuse_comparison::<Secret, ImmutableString>)
        .register_fn("!=", refuse_comparison::<ImmutableString, Secret>)
        .register_fn("url_encode", |text: &str| url_encode(text))
        .register_fn("url_encode", |secret: Secret| {
            secret.derive(url_encode(secret.value.expose_secret()))
        })
        .register_fn("basic_auth", basic_auth);
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine.register_fn(name, |_: Secret| MASK);
    }
}

fn refuse_comparison<A, B>(_: A, _: B) -> Fallible<bool> {
    Err(fault("a Secret cannot be compared"))
}

/// The value of an `Authorization` header after RFC 7617; either part may be a secret or a text.
fn basic_auth(user: Dynamic, password: Dynamic) -> Fallible<Secret> {
    let mut known = None;
    let mut part = |value: Dynamic| match value.try_cast_result::<Secret>() {
        Ok(secret) => {
            let text = secret.value.expose_secret().to_owned();
            known = Some(secret.known);
            Ok(text)
        }
        Err(other) => other
            .into_string()
            .map_err(|kind| fault(format!("basic_auth takes texts or secrets, not {kind}"))),
    };
    let pair = format!("{}:{}", part(user)?, part(password)?);
    let known = known.unwrap_or_default();
    Ok(known.secret(&BASE64.encode(pair.as_bytes()).into()).joined("Basic ", ""))
}
