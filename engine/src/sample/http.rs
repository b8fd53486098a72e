//! A provider made of recorded answers: checks that a script, or the verification of a signature,
//! asks what the sample says it asks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::compare::{Difference, differences, same};
use crate::{Headers, HttpClient, HttpError, HttpRequest, HttpResponse};

/// A call and its recorded answer.
#[derive(Debug, Deserialize)]
pub(super) struct Exchange {
    request: ExpectedRequest,
    response: Answer,
}

#[derive(Debug, Deserialize)]
struct ExpectedRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    form: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    text: Option<String>,
}

/// Plays exchanges in order.
pub(super) struct Recorded {
    exchanges: Arc<[Exchange]>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    played: usize,
    differences: Vec<Difference>,
}

impl Recorded {
    pub(super) fn new(exchanges: &Arc<[Exchange]>) -> Self {
        Self { exchanges: exchanges.clone(), progress: Mutex::default() }
    }

    /// What was asked otherwise than recorded, or not at all.
    pub(super) fn differences(&self) -> Vec<Difference> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = std::mem::take(&mut progress.differences);
        for (index, exchange) in self.exchanges.iter().enumerate().skip(progress.played) {
            let ExpectedRequest { method, url, .. } = &exchange.request;
            let at = format!("http[{index}]");
            told.push(Difference::between(at, format!("{method} {url}"), "no such call"));
        }
        told
    }
}

impl HttpClient for Recorded {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let index = progress.played;
        progress.played += 1;
        let Some(exchange) = self.exchanges.get(index) else {
            let call = format!("{} {}", request.method, request.url);
            let told = Difference::between(format!("http[{index}]"), "no further call", call);
            progress.differences.push(told);
            return Err(HttpError::Unreachable(
                "the sample has no answer for this call".to_owned(),
            ));
        };
        progress.differences.extend(exchange.request.compare(index, &request));
        Ok(exchange.response.play())
    }
}

impl ExpectedRequest {
    fn compare(&self, index: usize, request: &HttpRequest) -> Vec<Difference> {
        let at = format!("http[{index}].request");
        let mut told = Vec::new();
        if self.method != request.method || self.url != request.url {
            let expected = format!("{} {}", self.method, self.url);
            let found = format!("{} {}", request.method, request.url);
            told.push(Difference::between(&at, expected, found));
        }
        for (name, expected) in &self.headers {
            let found = request.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
            let found = found.map_or("nothing", |(_, value)| value.expose_secret());
            told.extend(same(&format!("{at}.headers.{name}"), expected.as_str(), found));
        }
        let body = request.body.as_deref().unwrap_or_default();
        if let Some(expected) = &self.json {
            let found = serde_json::from_slice(body).unwrap_or_default();
            told.extend(differences(&format!("{at}.json"), expected, &found));
        }
        if let Some(expected) = &self.form {
            let found: BTreeMap<String, String> =
                url::form_urlencoded::parse(body).into_owned().collect();
            let (expected, found) = (serde_json::json!(expected), serde_json::json!(found));
            told.extend(differences(&format!("{at}.form"), &expected, &found));
        }
        told
    }
}

impl Answer {
    fn play(&self) -> HttpResponse {
        let body = match (&self.json, &self.text) {
            (Some(json), _) => json.to_string(),
            (None, text) => text.clone().unwrap_or_default(),
        };
        HttpResponse {
            status: self.status,
            headers: Headers::new(self.headers.clone()),
            body: body.into_bytes(),
        }
    }
}
