//! `http`: what a lifecycle function calls to reach its provider, and the answer it gets.
//!
//! The script runs on a thread of its own; its requests travel to the thread that started the
//! call, where the client sends them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    mpsc::{self, Sender},
};

use rhai::{Dynamic, Engine, ImmutableString, Map};
use serde_json::Value;
use url::Url;

use super::{
    HttpError, HttpRequest, HttpResponse, LifecycleError,
    engine::MAX_STRING,
    failure::{Ending, Fallible, fault},
    json::Json,
    meter, moment, outgoing, provider_words,
    record::Record,
};
use crate::Headers;

/// Requests one call may send.
pub(super) const MAX_REQUESTS: usize = 20;

/// A request on its way to the client, and the way back for the answer.
pub(super) struct Exchange {
    pub(super) request: HttpRequest,
    pub(super) answer: Sender<Result<HttpResponse, HttpError>>,
}

/// The script's `http`.
#[derive(Clone)]
pub(super) struct Http(Arc<Access>);

struct Access {
    client: Sender<Exchange>,
    /// Hosts the app may reach, as `host` or `host:port`.
    hosts: Vec<String>,
    base_url: Url,
    sent: AtomicUsize,
}

impl Http {
    pub(super) fn new(client: Sender<Exchange>, hosts: &[String], base_url: Url) -> Self {
        Self(Arc::new(Access {
            client,
            hosts: hosts.to_vec(),
            base_url,
            sent: AtomicUsize::new(0),
        }))
    }

    fn send(&self, method: &str, url: Dynamic, options: Map) -> Fallible<Response> {
        let url = outgoing::url(url)?;
        self.check_destination(&url)?;
        let request = outgoing::request(method, &url, options)?;
        if self.0.sent.fetch_add(1, Ordering::Relaxed) >= MAX_REQUESTS {
            return Err(fault(format!(
                "one call may send {MAX_REQUESTS} requests, and this would be one more"
            )));
        }
        let (answer, answered) = mpsc::channel();
        let result = meter::off_the_clock(|| {
            self.0.client.send(Exchange { request, answer }).ok()?;
            answered.recv().ok()
        });
        match result.ok_or_else(|| fault("the request could not be handed over"))? {
            Ok(response) => Ok(Response::new(&response)),
            Err(HttpError::Denied(reason)) => Err(lifecycle(LifecycleError::Denied(reason))),
            Err(HttpError::Unreachable(reason)) => {
                Err(lifecycle(LifecycleError::Unreachable(reason)))
            }
            Err(HttpError::Timeout { seconds }) => {
                Err(lifecycle(LifecycleError::Timeout { seconds }))
            }
            Err(error @ HttpError::TooLarge { .. }) => Err(fault(error.to_string())),
        }
    }

    /// Only listed hosts, only HTTPS; the base URL's own host with the base URL's own scheme, so
    /// that an operator can point an app at a plain-HTTP server of theirs.
    fn check_destination(&self, url: &Url) -> Fallible<()> {
        let address = |url: &Url| (url.host_str().map(str::to_owned), url.port_or_known_default());
        let is_base = address(url) == address(&self.0.base_url);
        let host = url.host_str().unwrap_or_default();
        // An IPv6 address has colons of its own, within brackets.
        let split = |entry: &'_ str| match entry.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => Some((name.to_owned(), port.to_owned())),
            _ => None,
        };
        let listed = self.0.hosts.iter().any(|entry| match split(entry) {
            Some((name, port)) => {
                name.eq_ignore_ascii_case(host) && port.parse().ok() == url.port_or_known_default()
            }
            None => entry.eq_ignore_ascii_case(host) && url.port().is_none(),
        });
        if !is_base && !listed {
            let host = match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            };
            return Err(lifecycle(LifecycleError::HostNotListed { host }));
        }
        let as_base = is_base && url.scheme() == self.0.base_url.scheme();
        if url.scheme() != "https" && !as_base {
            return Err(lifecycle(LifecycleError::Denied(format!(
                "`{}` would be called without encryption; use https",
                url.host_str().unwrap_or_default()
            ))));
        }
        Ok(())
    }
}

#[expect(
    clippy::unnecessary_box_returns,
    reason = "host functions return boxed errors, and so does what they return with"
)]
fn lifecycle(error: LifecycleError) -> Box<rhai::EvalAltResult> {
    Ending::Lifecycle(error).raise()
}

/// The provider's answer as a script sees it.
#[derive(Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    headers: Dynamic,
    /// `None` where the body is not JSON.
    pub(super) json: Option<Arc<Value>>,
    pub(super) text: String,
    retry_after: Option<u64>,
}

impl Response {
    fn new(response: &HttpResponse) -> Self {
        let mut headers = serde_json::Map::new();
        for (name, value) in response.headers.iter() {
            headers
                .entry(name)
                .and_modify(|earlier| {
                    *earlier = format!("{}, {value}", earlier.as_str().unwrap_or_default()).into();
                })
                .or_insert_with(|| value.into());
        }
        let json = serde_json::from_slice(&response.body).ok().map(Arc::new);
        let mut text = String::from_utf8_lossy(&response.body).into_owned();
        text.truncate(text.floor_char_boundary(MAX_STRING));
        Self {
            status: response.status,
            headers: Json::present(Arc::new(headers.into())),
            json,
            text,
            retry_after: retry_after(&response.headers),
        }
    }

    /// The JSON body. Where a successful answer has none, reading a field of it is an error that
    /// says so, and not merely a missing field.
    fn body(&self) -> Dynamic {
        match &self.json {
            Some(json) => Json::present(Arc::clone(json)),
            None if self.is_success() => {
                Dynamic::from(NotJson { status: self.status, empty: self.text.is_empty() })
            }
            None => Dynamic::UNIT,
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Seconds the provider asks to be left alone (RFC 9110, section 10.2.3). A date is read against
/// the provider's own clock, the answer's `Date`.
fn retry_after(headers: &Headers) -> Option<u64> {
    let wanted = headers.get("retry-after")?.trim();
    if let Ok(seconds) = wanted.parse() {
        return Some(seconds);
    }
    let until = moment::parse_http(wanted)?;
    let now = moment::parse_http(headers.get("date")?.trim())?;
    u64::try_from((until - now) / 1_000_000).ok()
}

/// The body of a successful answer that is not JSON.
#[derive(Clone)]
struct NotJson {
    status: u16,
    empty: bool,
}

impl NotJson {
    fn refuse(&self) -> Fallible<()> {
        let what = if self.empty { "an empty body" } else { "something that is not JSON" };
        let status = self.status;
        Err(fault(format!("the provider answered with {what}, status {status}")))
    }
}

/// Registers `http`, its answers and `provider_error`.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Http>("Http")
        .register_type_with_name::<Response>("Response")
        .register_type_with_name::<NotJson>("NotJson")
        .register_get("status", |r: &mut Response| i64::from(r.status))
        .register_get("ok", |r: &mut Response| r.is_success())
        .register_get("headers", |r: &mut Response| r.headers.clone())
        .register_get("body", |r: &mut Response| r.body())
        .register_get("text", |r: &mut Response| r.text.clone())
        .register_indexer_get(|body: &mut NotJson, _: ImmutableString| body.refuse())
        .register_indexer_get(|body: &mut NotJson, _: i64| body.refuse())
        .register_get("tag", |body: &mut NotJson| body.refuse())
        .register_fn("==", |_: NotJson, (): ()| true)
        .register_fn("!=", |_: NotJson, (): ()| false)
        .register_fn("provider_error", |r: Response| Err::<(), _>(provider_error(&r, None)))
        .register_fn("provider_error", |r: Response, hint: &str| {
            Err::<(), _>(provider_error(&r, Some(hint.to_owned())))
        })
        .register_fn("provider_error", |r: Response, told: Map| {
            Err::<(), _>(told_otherwise(Some(&r), told).unwrap_or_else(fault))
        })
        .register_fn("provider_error", |told: Map| {
            Err::<(), _>(told_otherwise(None, told).unwrap_or_else(fault))
        });
    for method in ["get", "post", "put", "patch", "delete"] {
        let upper = method.to_ascii_uppercase();
        let with_options = upper.clone();
        engine
            .register_fn(method, move |http: &mut Http, url: Dynamic| {
                http.send(&upper, url, Map::new())
            })
            .register_fn(method, move |http: &mut Http, url: Dynamic, options: Map| {
                http.send(&with_options, url, options)
            });
    }
}

#[expect(
    clippy::unnecessary_box_returns,
    reason = "host functions return boxed errors, and so does what they return with"
)]
fn provider_error(response: &Response, hint: Option<String>) -> Box<rhai::EvalAltResult> {
    lifecycle(LifecycleError::Provider {
        status: response.status,
        message: provider_words::of(response.json.as_deref(), &response.text),
        hint,
        retry_after: response.retry_after,
    })
}

/// The error of an answer that has another status than it means, or words where no format has
/// them: what `told` says counts before what the answer does.
fn told_otherwise(
    answer: Option<&Response>,
    told: Map,
) -> Result<Box<rhai::EvalAltResult>, String> {
    let what = "what `provider_error` is told";
    let mut record = Record::new(what, told.into(), &["status", "message", "hint"])?;
    let status = match record.text("status")? {
        Some(status) => status.parse().ok().filter(|status| (400..600).contains(status)),
        None => answer.map(|answer| answer.status),
    };
    let said = |answer: &Response| provider_words::of(answer.json.as_deref(), &answer.text);
    let message = record.text("message")?.or_else(|| answer.map(said));
    let (Some(status), Some(message)) = (status, message) else {
        return Err(format!("{what} must have a `status` from 400 to 599 and a `message`"));
    };
    let hint = record.text("hint")?;
    let message = provider_words::shorten(&message);
    let retry_after = answer.and_then(|answer| answer.retry_after);
    Ok(lifecycle(LifecycleError::Provider { status, message, hint, retry_after }))
}
