//! What the pretend provider can play of one app: the deliveries and the calls in its samples.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use anyhow::{Context as _, anyhow};
use hearken_engine::{App, sample};
use serde::Deserialize;
use serde_json::Value;

use super::exchange::Exchange;

/// The playable samples of one app.
pub(super) struct Playbook {
    /// The app, which signs what is delivered.
    pub(super) app: Arc<App>,
    /// Deliveries by the name of their sample.
    pub(super) deliveries: BTreeMap<String, Delivery>,
    /// Recorded answers to calls.
    pub(super) exchanges: Vec<Exchange>,
    /// An account the recorded calls were made with.
    pub(super) account: Option<Account>,
}

/// A delivery as a sample has it, not yet signed anew.
pub(super) struct Delivery {
    /// What it shows.
    pub(super) title: String,
    /// Full name of the trigger it is for.
    pub(super) trigger: String,
    /// A configuration under which it gives an event.
    pub(super) config: Value,
    /// The sample's own secret, for apps whose secret no call carries.
    pub(super) secret: Option<String>,
    /// HTTP method.
    pub(super) method: String,
    /// Query string.
    pub(super) query: Option<String>,
    /// Header fields, with the sample's signature.
    pub(super) headers: BTreeMap<String, String>,
    /// Body.
    pub(super) body: Vec<u8>,
    /// The ids by which its events are told from repetitions.
    pub(super) ids: Vec<String>,
}

/// A linked account as a sample has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    /// `token`, `api_key`, …
    pub(super) kind: String,
    /// Credentials; none in samples of deliveries, which need to know no more than whose they are.
    #[serde(default = "nothing")]
    pub(super) credentials: Value,
    /// Metadata.
    #[serde(default)]
    pub(super) metadata: Option<Value>,
}

/// The parts of a sample file that can be played.
#[derive(Deserialize)]
struct Sample {
    case: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    trigger: String,
    #[serde(default = "nothing")]
    config: Value,
    secret: Option<String>,
    request: Option<SampleRequest>,
    account: Option<Account>,
    #[serde(default)]
    http: Vec<Value>,
    #[serde(default)]
    expect: Value,
}

#[derive(Deserialize)]
struct SampleRequest {
    #[serde(default)]
    method: Option<String>,
    query: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<String>,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

impl Playbook {
    /// Reads an app's samples; nothing where none of them can be delivered.
    pub(super) fn read(root: &Path, app: Arc<App>) -> anyhow::Result<Option<Self>> {
        let mut playbook =
            Self { app, deliveries: BTreeMap::new(), exchanges: Vec::new(), account: None };
        let folder = root.join(playbook.slug()).join("samples");
        let documents = sample::documents(root, playbook.slug()).map_err(|problems| {
            anyhow!("{}", problems.first().map_or_else(String::new, ToString::to_string))
        })?;
        for (file, document) in documents {
            let sample =
                Sample::deserialize(&document).with_context(|| format!("{file} is no sample"))?;
            playbook.add(&file, sample, &folder)?;
        }
        Ok(Some(playbook).filter(|playbook| !playbook.deliveries.is_empty()))
    }

    /// Name of the app's folder.
    pub(super) fn slug(&self) -> &str {
        &self.app.slug
    }

    /// A trigger's full name from that in a sample, which lacks the app's prefix.
    fn full_name(&self, name: &str) -> String {
        format!("{}__{name}", self.slug().to_uppercase().replace('-', "_"))
    }

    fn add(&mut self, file: &str, sample: Sample, folder: &Path) -> anyhow::Result<()> {
        let fails = sample.expect.get("error").is_some();
        match (sample.case.as_str(), sample.request) {
            ("accepted", Some(request)) => {
                let body = match (request.body, request.body_file) {
                    (Some(body), _) => body.into_bytes(),
                    (None, Some(name)) => fs::read(folder.join(&name))
                        .with_context(|| format!("cannot read {name}"))?,
                    (None, None) => Vec::new(),
                };
                let delivery = Delivery {
                    title: sample.title,
                    trigger: self.full_name(&sample.trigger),
                    config: sample.config,
                    secret: sample.secret,
                    method: request.method.unwrap_or_else(|| "POST".to_owned()),
                    query: request.query,
                    headers: request.headers,
                    body,
                    ids: event_ids(&sample.expect),
                };
                let name = Path::new(file).file_stem().unwrap_or_default();
                self.deliveries.insert(name.to_string_lossy().into_owned(), delivery);
            }
            ("call", _) if !fails => {
                let base = self.app.definition.base_url.as_deref().unwrap_or_default();
                let id = sample.expect.pointer("/result/external_id").and_then(Value::as_str);
                let read = |recorded: &Value| Exchange::read(recorded, base, id);
                let recorded = sample.http.iter().filter_map(read);
                // A subscription that is gone would answer like one that never was.
                self.exchanges.extend(recorded.filter(|exchange| exchange.status < 400));
                self.account = self.account.take().or(sample.account);
            }
            _ => {}
        }
        Ok(())
    }
}

fn event_ids(expect: &Value) -> Vec<String> {
    let events = expect.get("events").and_then(Value::as_array);
    let ids = events.into_iter().flatten().filter_map(|event| event.get("id")?.as_str());
    ids.map(str::to_owned).collect()
}
