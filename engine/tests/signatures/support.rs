//! What the tests of signatures share: vectors as they stand in files, and a stand-in for the web
//! that counts what is asked of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use data_encoding::BASE64;
use hearken_engine::{
    Headers, HttpClient, HttpError, HttpRequest, HttpResponse, KeyRing, Recipient, Rejection,
    Request, Scheme,
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

/// Any time; every test that cares about time says its own.
pub(crate) const NOW: i64 = 1_700_000_000;

/// A scheme, a request, and what must come of it. `vectors/generate.py` describes the form.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) id: String,
    /// Where a published one was found.
    #[serde(default)]
    #[expect(dead_code, reason = "it is for people")]
    pub(crate) source: String,
    scheme: Value,
    /// What vouches for it.
    #[serde(default)]
    pub(crate) by: Option<String>,
    /// Or the code of its rejection.
    #[serde(default)]
    pub(crate) rejected: Option<String>,
    /// The text to tamper with.
    #[serde(default)]
    pub(crate) signature: Option<String>,
    /// Whether `body`, `fields` of it or `nothing` of it is signed.
    pub(crate) covers: String,
    /// JSON pointers of the fields.
    #[serde(default)]
    pub(crate) signed: Vec<String>,
    pub(crate) now: i64,
    /// Seconds around `now` within which it is good.
    #[serde(default)]
    pub(crate) tolerance: Option<i64>,
    /// The last second at which it is good.
    #[serde(default)]
    pub(crate) valid_to: Option<i64>,
    pub(crate) secrets: Vec<String>,
    pub(crate) request: Written,
    #[serde(default)]
    recipient_url: String,
    #[serde(default)]
    facts: Value,
    #[serde(default)]
    fetch: BTreeMap<String, String>,
    /// The body that the signature really vouches for.
    #[serde(default)]
    unwrapped_base64: Option<String>,
    #[serde(default)]
    unwrapped_json: Option<Value>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    method: String,
    url: String,
    #[serde(default)]
    query: Vec<(String, String)>,
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
}

#[derive(Deserialize)]
struct Vectors {
    documents: BTreeMap<String, String>,
    vectors: Vec<Vector>,
}

/// Every vector, published and generated.
pub(crate) fn vectors() -> Vec<Vector> {
    let files =
        [include_str!("../vectors/published.json"), include_str!("../vectors/generated.json")];
    let mut all = Vec::new();
    for file in files {
        let mut file: Vectors = serde_json::from_str(file).unwrap();
        for vector in &mut file.vectors {
            for name in vector.fetch.values_mut() {
                name.clone_from(&file.documents[name]);
            }
        }
        all.append(&mut file.vectors);
    }
    all
}

impl Vector {
    /// What a script would return.
    pub(crate) fn description(&self) -> &Value {
        &self.scheme
    }

    pub(crate) fn scheme(&self) -> Scheme {
        Scheme::parse(&self.scheme).unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    pub(crate) fn is_encoded_as(&self, encoding: &str) -> bool {
        let one = self.scheme.get(0).unwrap_or(&self.scheme);
        match one["kind"].as_str().unwrap_or_default() {
            "standard_webhooks" => encoding == "base64",
            "jwt" => encoding == "base64url",
            "token" => false,
            "aes_gcm" if one.get("tag").is_some() => encoding == "hex",
            _ => one["encoding"].as_str().unwrap_or("hex") == encoding,
        }
    }

    pub(crate) fn separator(&self) -> Option<&str> {
        let separated = self.scheme["separator"].as_str();
        separated.or_else(|| (self.scheme["kind"] == "standard_webhooks").then_some(" "))
    }

    pub(crate) fn request(&self) -> Request {
        let written = &self.request;
        let body = match (&written.body, &written.body_base64) {
            (Some(body), _) => body.clone().into_bytes(),
            (None, Some(base64)) => BASE64.decode(base64.as_bytes()).unwrap(),
            (None, None) => Vec::new(),
        };
        Request {
            method: written.method.clone(),
            url: written.url.clone(),
            query: written.query.clone(),
            headers: Headers::new(written.headers.clone()),
            body,
            received_at: self.now * 1_000_000,
        }
    }

    pub(crate) fn recipient(&self) -> Recipient {
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        let (url, facts) = (self.recipient_url.clone(), self.facts.clone());
        Recipient { url, facts, ..secrets_of(&secrets) }
    }

    pub(crate) fn keys(&self) -> KeyRing {
        KeyRing::new(Arc::new(self.web()))
    }

    /// The documents it may fetch.
    pub(crate) fn web(&self) -> Web {
        Web::of(self.fetch.clone())
    }

    /// The one document it fetches, with its URL.
    pub(crate) fn document(&self) -> (&str, &str) {
        let (url, text) = self.fetch.iter().next().unwrap();
        (url, text)
    }

    /// The body that verification must give.
    pub(crate) fn expected_body(&self) -> Option<Value> {
        let decoded = self.unwrapped_base64.as_ref().map(|text| BASE64.decode(text.as_bytes()));
        let decoded = decoded.map(|bytes| json!(bytes.unwrap()));
        decoded.or_else(|| self.unwrapped_json.clone())
    }
}

/// The same with the first occurrence of `signature` in what carries it replaced.
pub(crate) fn with_signature(vector: &Vector, replacement: &str) -> Request {
    let signature = vector.signature.as_deref().unwrap();
    let mut request = vector.request();
    let mut written = vector.request.headers.clone();
    let carrier = written.values_mut().find(|value| value.contains(signature));
    if let Some(value) = carrier {
        *value = value.replacen(signature, replacement, 1);
        request.headers = Headers::new(written);
        return request;
    }
    let body = String::from_utf8(request.body).unwrap();
    assert!(body.contains(signature), "{}: no place carries the signature", vector.id);
    request.body = body.replacen(signature, replacement, 1).into_bytes();
    request
}

pub(crate) fn request(headers: &[(&str, &str)], body: &[u8], now_seconds: i64) -> Request {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request {
        method: "POST".to_owned(),
        url: "https://www.example.com/webhook_uri".to_owned(),
        query: Vec::new(),
        headers: Headers::new(headers.iter().map(own)),
        body: body.to_vec(),
        received_at: now_seconds.saturating_mul(1_000_000),
    }
}

pub(crate) fn secrets_of(texts: &[&str]) -> Recipient {
    let secrets = texts.iter().map(|text| SecretString::from((*text).to_owned())).collect();
    Recipient { secrets, ..Recipient::default() }
}

pub(crate) fn scheme(description: &Value) -> Scheme {
    Scheme::parse(description).unwrap_or_else(|error| panic!("{description}: {error}"))
}

/// Verifies without any way out.
pub(crate) fn verify(
    scheme: &Scheme,
    request: &Request,
    secrets: &[&str],
) -> Result<&'static str, Rejection> {
    let verified = scheme.verify(request, &secrets_of(secrets), &KeyRing::offline());
    verified.map(|verified| verified.by())
}

/// Documents by URL; what is not there is answered 404, and nothing at all while it is down.
#[derive(Default)]
pub(crate) struct Web {
    pub(crate) documents: Mutex<BTreeMap<String, String>>,
    pub(crate) headers: Mutex<Vec<(String, String)>>,
    pub(crate) asked: AtomicUsize,
    pub(crate) down: Mutex<bool>,
}

impl Web {
    pub(crate) fn of(documents: BTreeMap<String, String>) -> Self {
        Self { documents: Mutex::new(documents), ..Self::default() }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl HttpClient for Web {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!((request.method.as_str(), &request.body), ("GET", &None));
        if *self.down.lock().unwrap() {
            return Err(HttpError::Timeout { seconds: 10 });
        }
        let documents = self.documents.lock().unwrap();
        let found = documents.get(&request.url);
        Ok(HttpResponse {
            status: if found.is_some() { 200 } else { 404 },
            headers: Headers::new(self.headers.lock().unwrap().clone()),
            body: found.cloned().unwrap_or_default().into_bytes(),
        })
    }
}
