//! From text to a compiled app: every check of a folder, in the order in which its author would
//! want to hear of what is wrong.

mod forms;
mod linking;

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::{
    App, Folder, TriggerType,
    folder::{DEFINITION, SCRIPT},
};
use crate::{
    Filter, Problem, Scheme, Script,
    challenge::Challenge,
    definition::{Definition, IngressScope, Trigger},
    route::Routes,
    schema::Schema,
    yaml,
};

static FORM: LazyLock<Schema> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../../schemas/app.schema.json"))
        .expect("the schema of app.yaml is JSON");
    Schema::compile(&schema).expect("the schema of app.yaml is a JSON Schema")
});

/// Checks and compiles a folder.
pub(super) fn compile(folder: Folder) -> Result<App, Vec<Problem>> {
    let mut checks = Checks { folder: &folder, problems: Vec::new(), schemas: Vec::new() };
    let definition = checks.definition();
    let script = checks.script();
    let (Some(mut definition), Some(script)) = (definition, script) else {
        return Err(checks.problems);
    };
    let scheme = checks.scheme(&definition, &script);
    checks.hosts(&definition);
    checks.linking(&definition);
    checks.forms(&definition);
    let routes = checks.routes(&definition);
    checks.sharing(&definition, &script);
    let triggers = checks.triggers(&std::mem::take(&mut definition.triggers));
    match scheme {
        Some(scheme) if checks.problems.is_empty() => Ok(App {
            version: folder.version(),
            fingerprint: folder.fingerprint(),
            slug: folder.slug,
            guide: folder.guide,
            definition,
            scheme: Arc::new(scheme),
            own_schemes: super::OwnSchemes::default(),
            routes,
            script,
            triggers,
        }),
        _ => Err(checks.problems),
    }
}

struct Checks<'f> {
    folder: &'f Folder,
    problems: Vec<Problem>,
    /// The good schemas so far, because many triggers share one.
    schemas: Vec<Arc<Value>>,
}

impl Checks<'_> {
    /// A problem with the node of `app.yaml` at `pointer`.
    fn note(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        let (line, column) = yaml::locate(&self.folder.definition, pointer);
        let mut problem = Problem::new(self.file(DEFINITION), message).at(line, column);
        if !pointer.is_empty() {
            problem = problem.field(dotted(pointer));
        }
        problem.hint = hint;
        self.problems.push(problem);
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder.slug)
    }

    fn definition(&mut self) -> Option<Definition> {
        let text = &self.folder.definition;
        if text.trim().is_empty() {
            self.problems.push(Problem::new(self.file(DEFINITION), "the file is empty"));
            return None;
        }
        let value = match yaml::parse(text) {
            Ok(value) => value,
            Err(error) => {
                let problem = Problem::new(self.file(DEFINITION), error.message);
                self.problems.push(problem.at(error.line, error.column));
                return None;
            }
        };
        let violations = FORM.check(&value);
        for violation in &violations {
            self.note(&violation.pointer, violation.message.clone(), None);
        }
        if !violations.is_empty() || !self.challenges(&value) {
            return None;
        }
        let definition = serde_json::from_value(value);
        // The schema and the types say the same, or this would have no better place.
        definition.map_err(|error| self.note("", error.to_string(), None)).ok()
    }

    fn script(&mut self) -> Option<Script> {
        let source = self.folder.script.as_deref().unwrap_or_default();
        match Script::compile(&self.file(SCRIPT), source) {
            Ok(script) => Some(script),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// The scheme the script describes, or none where the definition says why.
    fn scheme(&mut self, definition: &Definition, script: &Script) -> Option<Scheme> {
        let each = script.has("signature_of");
        if each {
            self.own_schemes(definition, script);
        }
        match (script.has("signature") || each, &definition.unverified) {
            (true, Some(_)) => {
                let message =
                    "the script describes a signature, yet deliveries are said to be unverified";
                self.note("/unverified", message, Some("Remove one of the two.".to_owned()));
                None
            }
            (false, None) => {
                let hint =
                    "Define it, or say under `unverified` why deliveries cannot be verified.";
                self.problems.push(
                    Problem::new(self.file(SCRIPT), "the function `signature` is missing")
                        .hint(hint),
                );
                None
            }
            (false, Some(_)) => Some(Scheme::none()),
            (true, None) if each => Some(Scheme::of_each_trigger()),
            (true, None) => self.described_scheme(definition, script),
        }
    }

    /// What cannot go with triggers that are each signed in a way of their own.
    fn own_schemes(&mut self, definition: &Definition, script: &Script) {
        let why = if script.has("signature") {
            "deliveries are signed as `signature` says or as `signature_of` says, not both"
        } else if definition.ingress.scope == IngressScope::App {
            "a URL shared by all accounts is signed alike for all: define `signature`"
        } else {
            return;
        };
        let (line, column) = self.place_of_function("signature_of");
        self.problems.push(Problem::new(self.file(SCRIPT), why).at(line, column));
    }

    fn described_scheme(&mut self, definition: &Definition, script: &Script) -> Option<Scheme> {
        let described = script.signature().and_then(|description| {
            super::scheme::parse(&description, definition).map_err(|error| {
                let (line, column) = self.place_of_function("signature");
                let mut problem = Problem::new(self.file(SCRIPT), error.message)
                    .at(line, column)
                    .field(format!("signature().{}", error.field));
                problem.hint = error.hint;
                problem
            })
        });
        described.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn place_of_function(&self, name: &str) -> (usize, usize) {
        let source = self.folder.script.as_deref().unwrap_or_default();
        let definition = format!("fn {name}");
        let found = source
            .lines()
            .enumerate()
            .find_map(|(index, line)| line.find(&definition).map(|column| (index + 1, column + 1)));
        found.unwrap_or((1, 1))
    }

    fn hosts(&mut self, definition: &Definition) {
        for (index, host) in definition.hosts.iter().enumerate() {
            let plain = url::Url::parse(&format!("https://{host}/")).is_ok_and(|url| {
                url.path() == "/" && url.username().is_empty() && url.query().is_none()
            });
            if !plain || host.contains(['/', '*', '@', '?', '#']) {
                let hint = "Give a host such as api.acme.example, or host:port.".to_owned();
                self.note(
                    &format!("/hosts/{index}"),
                    format!("`{host}` is not a host"),
                    Some(hint),
                );
            }
        }
    }

    /// A shared URL needs an app at the provider to belong to, and paths to tell accounts apart.
    fn routes(&mut self, definition: &Definition) -> Routes {
        let ingress = &definition.ingress;
        let shared = ingress.scope == IngressScope::App;
        if shared && definition.provider_app.is_none() {
            let hint = "Say under `provider_app` what an operator registers at the provider.";
            let message =
                "a URL shared by all accounts belongs to an app registered at the provider";
            self.note("/ingress/scope", message, Some(hint.to_owned()));
        }
        if shared && ingress.route.is_empty() {
            let hint =
                "Give JSONPaths of the provider's id of the account, such as $.body.team_id.";
            let message = "a URL shared by all accounts needs a `route` to tell them apart";
            self.note("/ingress", message, Some(hint.to_owned()));
        }
        if shared && definition.challenges.iter().any(Challenge::hands_over_secret) {
            let hint = "Let each trigger have its own URL: `scope: trigger`.".to_owned();
            let message = "a secret cannot be handed over at a URL shared by all accounts";
            self.note("/challenges", message, Some(hint));
        }
        if !shared && !ingress.route.is_empty() {
            let hint = "Remove it, or say `scope: app`.".to_owned();
            self.note("/ingress/route", "only a URL shared by all accounts is routed", Some(hint));
        }
        Routes::compile(&ingress.route).unwrap_or_else(|(index, why)| {
            self.note(&format!("/ingress/route/{index}"), why.message, why.hint);
            Routes::default()
        })
    }

    /// Triggers can share a subscription only where they share its URL: the others would wait for
    /// deliveries that never come.
    fn sharing(&mut self, definition: &Definition, script: &Script) {
        if script.has("subscription_key") && definition.ingress.scope == IngressScope::Trigger {
            let (line, column) = self.place_of_function("subscription_key");
            let message = "triggers cannot share a subscription where each has a URL of its own";
            let hint = "Say `scope: app` under `ingress`, or remove the function.";
            let problem = Problem::new(self.file(SCRIPT), message).at(line, column).hint(hint);
            self.problems.push(problem);
        }
    }

    fn triggers(&mut self, triggers: &[Trigger]) -> Vec<TriggerType> {
        for (index, trigger) in triggers.iter().enumerate() {
            if triggers.iter().take(index).any(|earlier| earlier.name == trigger.name) {
                let message = format!("another trigger is named `{}`", trigger.name);
                let hint = Some("Give each a name of its own.".to_owned());
                self.note(&format!("/triggers/{index}/name"), message, hint);
            }
        }
        triggers
            .iter()
            .enumerate()
            .filter_map(|(index, trigger)| self.trigger(index, trigger))
            .collect()
    }

    fn trigger(&mut self, index: usize, trigger: &Trigger) -> Option<TriggerType> {
        let at = |field: &str| format!("/triggers/{index}/{field}");
        let matches = Filter::compile(&trigger.matches)
            .map_err(|error| {
                let pointer = format!("{}{}", at("match"), error.pointer);
                self.note(&pointer, error.message, error.hint);
            })
            .ok();
        let config = self.schema(&at("config"), &trigger.config);
        let payload = self.payload(&at("payload"), &trigger.payload)?;
        let payload = self.schema(&at("payload"), &payload);
        let slug = &self.folder.slug;
        Some(TriggerType {
            name: format!("{}__{}", slug.to_uppercase().replace('-', "_"), trigger.name),
            event_type: format!("{slug}.{}", trigger.event_type),
            title: trigger.title.clone(),
            description: trigger.description.clone(),
            config_schema: config?,
            payload_schema: payload?,
            matches: matches?,
        })
    }

    fn schema(&mut self, pointer: &str, source: &Value) -> Option<Arc<Value>> {
        if let Some(known) = self.schemas.iter().find(|known| known.as_ref() == source) {
            return Some(known.clone());
        }
        if let Err(error) = Schema::compile(source) {
            self.note(&format!("{pointer}{}", error.pointer), error.message, None);
            return None;
        }
        let schema = Arc::new(source.clone());
        self.schemas.push(schema.clone());
        Some(schema)
    }

    /// The payload schema itself, or the one in the file it refers to.
    fn payload(&mut self, pointer: &str, payload: &Value) -> Option<Value> {
        let Some(name) = payload.get("$file").and_then(Value::as_str) else {
            return Some(payload.clone());
        };
        let Some(text) = self.folder.schemas.get(name) else {
            let known = self.folder.schemas.keys().map(String::as_str);
            let hint = crate::nearest::did_you_mean(name, known);
            let message = format!("there is no file `{name}` in this app folder{hint}");
            let file = Some("Put it there, or write the schema itself in its place.".to_owned());
            self.note(&format!("{pointer}/$file"), message, file);
            return None;
        };
        serde_json::from_str(text)
            .map_err(|error| {
                let problem = Problem::new(self.file(name), format!("not JSON: {error}"));
                self.problems.push(problem.at(error.line(), error.column()));
            })
            .ok()
    }
}

/// `/triggers/2/match` as people read it: `triggers[2].match`.
pub(crate) fn dotted(pointer: &str) -> String {
    let mut field = String::new();
    for step in pointer.split('/').skip(1) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            field.extend(["[", step, "]"]);
        } else {
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(&step.replace("~1", "/").replace("~0", "~"));
        }
    }
    field
}
