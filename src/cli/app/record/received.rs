//! The request a sample is made of: from a server's receipt, or from a file.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, anyhow};
use data_encoding::BASE64;
use hearken_engine::{HttpRequest, Micros, Scheme};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Arguments;
use crate::{cli::exit::UsageError, clock, config::Config, egress::Egress};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Where samples say they arrive.
const URL: &str = "https://hearken.example/v1/webhooks/app/trg_sample";
/// What proxies and connections add; no provider sends it.
const FROM_THE_WAY: [&str; 16] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "accept-encoding",
    "keep-alive",
    "te",
    "upgrade",
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-real-ip",
    "traceparent",
];
/// What somebody could use again.
const CREDENTIALS: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"];

/// A request that was received.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) app: Option<String>,
    pub(super) trigger: Option<String>,
    pub(super) config: Value,
    pub(super) method: String,
    pub(super) query: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) at: Micros,
    pub(super) url: String,
}

impl Received {
    /// Reads what the command line names.
    pub(super) async fn read(arguments: &Arguments, config: &Config) -> anyhow::Result<Self> {
        let source = &arguments.source;
        if !source.starts_with("rcp_") || Path::new(source).exists() {
            let text = fs::read_to_string(source)
                .map_err(|error| UsageError(format!("{source} cannot be read: {error}")))?;
            let value =
                serde_json::from_str(&text).with_context(|| format!("{source} is not JSON"))?;
            return Self::of(&value).with_context(|| source.clone());
        }
        let key = arguments.key.as_ref().ok_or_else(|| {
            UsageError("a receipt is asked for with an API key: set HEARKEN_KEY".to_owned())
        })?;
        let server = arguments.server.clone().unwrap_or_else(|| config.public_url());
        let server = Server { url: server.trim_end_matches('/').to_owned(), key };
        let receipt = server.get(&format!("/v1/receipts/{source}")).await?;
        let mut received = Self::of(&receipt)?;
        if let Some(trigger) = receipt["trigger_id"].as_str() {
            let trigger = server.get(&format!("/v1/triggers/{trigger}")).await?;
            received.trigger = trigger["name"].as_str().map(str::to_owned);
            received.config = trigger["config"].clone();
        }
        Ok(received)
    }

    /// Understands a receipt as the API shows it, and simpler descriptions of a request.
    fn of(value: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let body = match (&value["body"], value["body_base64"].as_str()) {
            (Value::String(text), _) => text.clone().into_bytes(),
            (Value::Null, Some(text)) => BASE64
                .decode(text.as_bytes())
                .map_err(|_| anyhow!("`body_base64` is not base64"))?,
            (Value::Null, None) if value["body_size"].as_i64().is_some_and(|size| size > 0) => {
                return Err(anyhow!(
                    "its body was not kept: only the bodies of verified requests are"
                ));
            }
            (Value::Null, None) => Vec::new(),
            (json, _) => json.to_string().into_bytes(),
        };
        let at = match text("received_at") {
            Some(time) => clock::parse_rfc3339(&time).map_err(|error| anyhow!(error))?,
            None => clock::now(),
        };
        let config = &value["config"];
        Ok(Self {
            app: text("app"),
            trigger: text("trigger"),
            config: if config.is_object() { config.clone() } else { json!({}) },
            method: text("method").unwrap_or_else(|| "POST".to_owned()),
            query: text("query").filter(|query| !query.is_empty()),
            headers: headers(&value["headers"])?,
            body,
            at,
            url: URL.to_owned(),
        })
    }

    /// Takes out what is nobody's business: credentials, and what was added on the way.
    pub(super) fn drop_credentials(&mut self, scheme: &Scheme) {
        let carriers = scheme.secret_carriers();
        self.headers.retain(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let known =
                FROM_THE_WAY.contains(&name.as_str()) || CREDENTIALS.contains(&name.as_str());
            !known && !carriers.contains(&name) && value != "[redacted]"
        });
    }
}

/// Header fields as an object, or as a list of pairs.
fn headers(value: &Value) -> anyhow::Result<Vec<(String, String)>> {
    let field = |name: &str, value: &Value| Some((name.to_owned(), value.as_str()?.to_owned()));
    let fields: Option<Vec<_>> = match value {
        Value::Null => Some(Vec::new()),
        Value::Object(fields) => fields.iter().map(|(name, value)| field(name, value)).collect(),
        Value::Array(pairs) => {
            pairs.iter().map(|pair| field(pair[0].as_str()?, &pair[1])).collect()
        }
        _ => None,
    };
    fields.ok_or_else(|| anyhow!("`headers` is an object of texts, or a list of pairs"))
}

/// A running server.
struct Server<'k> {
    url: String,
    key: &'k SecretString,
}

impl Server<'_> {
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        // Whoever runs this command names the server, so any address is meant.
        let anywhere: Vec<IpNet> =
            ["0.0.0.0/0", "::/0"].iter().filter_map(|net| net.parse().ok()).collect();
        let egress = Egress::new(&anywhere, PATIENCE)?;
        let bearer = format!("Bearer {}", self.key.expose_secret());
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: format!("{}{path}", self.url),
            headers: vec![("authorization".to_owned(), bearer.into())],
            body: None,
        };
        let answer = egress.call(request).await;
        let answer = answer.with_context(|| format!("{} does not answer", self.url))?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status == 200 {
            return Ok(body);
        }
        let words = body["detail"].as_str().or(body["title"].as_str()).unwrap_or("no reason given");
        Err(anyhow!("{}{path} answered {}: {words}", self.url, answer.status))
    }
}
