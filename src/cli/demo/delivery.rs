//! Delivering a sample as the provider would: with a fresh id, signed now, to every subscription.

use hearken_engine::{App, Headers, HttpRequest, Request};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{capture, playbook::Delivery, provider::Subscription};
use crate::{clock, egress::Egress};

/// Header fields the connection itself decides.
const OF_THE_CONNECTION: [&str; 4] = ["host", "content-length", "connection", "transfer-encoding"];

/// Delivers to one subscription and tells what the server answered.
pub(super) async fn deliver(
    egress: &Egress,
    app: &App,
    delivery: &Delivery,
    subscription: &Subscription,
) -> Value {
    let sent = match sign(app, delivery, subscription) {
        Ok(request) => egress.call(request).await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    match sent {
        Ok(answer) => json!({
            "url": subscription.callback,
            "status": answer.status,
            "body": serde_json::from_slice(&answer.body)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&answer.body))),
        }),
        Err(error) => json!({ "url": subscription.callback, "error": error }),
    }
}

fn sign(app: &App, delivery: &Delivery, to: &Subscription) -> Result<HttpRequest, String> {
    let secret = to.secret.clone().or_else(|| delivery.secret.clone());
    let secret = SecretString::from(secret.unwrap_or_default());
    let request = refreshed(delivery, &to.callback);
    let signature = app.scheme().sign(&request, &secret).map_err(|error| error.to_string())?;
    let is_signature =
        |name: &str| signature.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let carried = request
        .headers
        .iter()
        .filter(|(name, _)| !is_signature(name) && !OF_THE_CONNECTION.contains(name));
    let carried: Vec<_> =
        carried.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let headers = carried.into_iter().chain(signature);
    Ok(HttpRequest {
        method: request.method.clone(),
        url: to.callback.clone(),
        headers: headers.map(|(name, value)| (name, SecretString::from(value))).collect(),
        body: Some(request.body),
    })
}

/// The delivery with new ids, so that it is no repetition.
fn refreshed(delivery: &Delivery, url: &str) -> Request {
    let ids: Vec<_> = delivery.ids.iter().map(|id| (id, capture::fresh(id))).collect();
    let renew = |text: &str| {
        ids.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old.as_str(), new))
    };
    let headers = delivery.headers.iter().map(|(name, value)| (name.clone(), renew(value)));
    let body = match std::str::from_utf8(&delivery.body) {
        Ok(text) => renew(text).into_bytes(),
        Err(_) => delivery.body.clone(),
    };
    let query = delivery.query.as_deref().unwrap_or_default();
    Request {
        method: delivery.method.clone(),
        url: if query.is_empty() { url.to_owned() } else { format!("{url}?{query}") },
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: Headers::new(headers),
        body,
        received_at: clock::now(),
    }
}
