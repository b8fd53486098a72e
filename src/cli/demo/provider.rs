//! The pretend provider: answers calls as the samples recorded them, and delivers on request.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    capture,
    delivery::deliver,
    exchange::{Exchange, Substitutes},
    playbook::Playbook,
};
use crate::egress::Egress;

/// The pretend provider of every app that has samples.
pub(super) struct Provider {
    playbooks: Vec<Playbook>,
    public_url: String,
    egress: Egress,
    subscriptions: Mutex<Vec<Subscription>>,
}

/// A subscription the server registered.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    slug: String,
    id: Option<String>,
    /// Where to deliver.
    pub(super) callback: String,
    /// What to sign with, where the call said it.
    pub(super) secret: Option<String>,
    said: Substitutes,
}

impl Provider {
    /// A provider without subscriptions, for a server that is reached under `public_url`.
    pub(super) fn new(playbooks: Vec<Playbook>, public_url: String, egress: Egress) -> Self {
        Self { playbooks, public_url, egress, subscriptions: Mutex::default() }
    }

    fn playbook(&self, slug: &str) -> Option<&Playbook> {
        self.playbooks.iter().find(|playbook| playbook.slug() == slug)
    }

    fn subscriptions(&self) -> MutexGuard<'_, Vec<Subscription>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a call as the recorded one that fits best was answered.
    fn answer(
        &self,
        playbook: &Playbook,
        method: &str,
        segments: &[&str],
        body: &Value,
    ) -> Option<Response> {
        let fitting = playbook
            .exchanges
            .iter()
            .filter_map(|exchange| exchange.fit(method, segments, body).map(|fit| (fit, exchange)));
        // The first of the best, in the order of the samples.
        let (_, exchange) =
            fitting.reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        let mut said = exchange.differences(segments, body);
        let mut subscriptions = self.subscriptions();
        let known = subscriptions
            .iter()
            .position(|known| known.id.as_deref().is_some_and(|id| segments.contains(&id)));
        match (known, capture::callback(body, &self.public_url)) {
            (Some(index), _) => {
                said.extend(subscriptions[index].said.clone());
                if method == "DELETE" {
                    subscriptions.remove(index);
                }
            }
            (None, Some(callback)) => {
                subscriptions.push(subscribe(playbook, exchange, body, callback, &mut said));
            }
            (None, None) => {}
        }
        Some(respond(exchange, &said))
    }
}

/// Notes a new subscription, under an id that no other has.
fn subscribe(
    playbook: &Playbook,
    exchange: &Exchange,
    body: &Value,
    callback: String,
    said: &mut Substitutes,
) -> Subscription {
    let id = exchange.external_id.as_deref().map(|recorded| {
        let id = capture::fresh(recorded);
        said.insert(recorded.to_owned(), id.clone());
        id
    });
    let generate = playbook.app.definition.secret.generate.as_ref();
    Subscription {
        slug: playbook.slug().to_owned(),
        id,
        callback,
        secret: generate.and_then(|generate| capture::secret(body, generate)),
        said: said.clone(),
    }
}

fn respond(exchange: &Exchange, said: &Substitutes) -> Response {
    let status = StatusCode::from_u16(exchange.status).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &exchange.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
            && name != header::CONTENT_LENGTH
        {
            headers.insert(name, value);
        }
    }
    (status, headers, exchange.answer(said)).into_response()
}

/// `/` tells what can be done, `/deliver/…` does it, and below `/<app>/` is the provider's API.
pub(super) fn router(provider: Arc<Provider>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/deliver/{app}/{sample}", post(deliver_sample))
        .fallback(call)
        .with_state(provider)
}

async fn index(State(provider): State<Arc<Provider>>) -> String {
    let mut text = String::from("Pretend provider. It can deliver:\n\n");
    for playbook in &provider.playbooks {
        for (name, delivery) in &playbook.deliveries {
            let path = format!("POST /deliver/{}/{name}", playbook.slug());
            let _ = writeln!(text, "  {path:<50} {} ({})", delivery.title, delivery.trigger);
        }
    }
    let _ = writeln!(text, "\nSubscriptions: {}", provider.subscriptions().len());
    text
}

async fn deliver_sample(
    State(provider): State<Arc<Provider>>,
    Path((slug, name)): Path<(String, String)>,
) -> Response {
    let playbook = provider.playbook(&slug);
    let Some((playbook, delivery)) =
        playbook.and_then(|book| Some((book, book.deliveries.get(&name)?)))
    else {
        return complain(StatusCode::NOT_FOUND, "there is no such sample; GET / lists them");
    };
    let mine: Vec<_> =
        provider.subscriptions().iter().filter(|one| one.slug == slug).cloned().collect();
    if mine.is_empty() {
        let why = "nobody subscribed yet: link an account and create a trigger first";
        return complain(StatusCode::CONFLICT, why);
    }
    let mut answers = Vec::new();
    for subscription in &mine {
        answers.push(deliver(&provider.egress, &playbook.app, delivery, subscription).await);
    }
    Json(answers).into_response()
}

async fn call(
    State(provider): State<Arc<Provider>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let segments: Vec<_> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let Some((slug, segments)) = segments.split_first() else {
        return complain(StatusCode::NOT_FOUND, "GET / tells what can be done here");
    };
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| form(&body));
    let playbook = provider.playbook(slug);
    let answer = playbook.and_then(|book| provider.answer(book, method.as_str(), segments, &body));
    answer.unwrap_or_else(|| complain(StatusCode::NOT_FOUND, "no sample recorded a call like this"))
}

/// Form fields as a JSON object.
fn form(body: &[u8]) -> Value {
    let fields = url::form_urlencoded::parse(body).into_owned();
    Value::Object(fields.map(|(name, value)| (name, Value::from(value))).collect())
}

fn complain(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
