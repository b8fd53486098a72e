//! `hearken app record`: makes a sample of a webhook that was received. Whatever signed it stays
//! where it is: the sample is signed anew with a secret of its own.

mod received;
mod redact;
mod sample;

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use clap::Args;
use hearken_engine::{
    App, Headers, KeyRing, Outcome, Problem, Recipient, Request, Scheme, TriggerContext, nearest,
    sample::bless,
};
use rand::Rng as _;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use self::{received::Received, sample::Sample};
use super::Target;
use crate::{
    cli::{
        exit::{Exit, UsageError},
        output::{Output, Tone},
        wait,
    },
    config::Config,
};

/// Of what, and what must not get into the sample.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Id of a receipt (rcp_…), or a file with the request as JSON:
    /// { "headers": { … }, "body": "…" }, and if need be "method", "query", `received_at`.
    source: String,
    /// The server that has the receipt; the configured one unless told.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// API key for it.
    #[arg(long, env = "HEARKEN_KEY", hide_env_values = true)]
    key: Option<SecretString>,
    /// The app, where the file does not name it.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The trigger it is for; needed only where the request fits several.
    #[arg(long, value_name = "NAME")]
    trigger: Option<String>,
    /// Mask what this JSONPath selects in the body, such as $.user.email; may be repeated.
    #[arg(long, value_name = "PATH")]
    redact: Vec<String>,
    /// Name of the sample's file, without .yaml.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What the sample shows, in one line.
    #[arg(long)]
    title: Option<String>,
}

pub(super) fn run(arguments: &Arguments, config: Config, output: Output) -> anyhow::Result<Exit> {
    wait(config, async |config| {
        let received = Received::read(arguments, &config).await?;
        record(arguments, received, &config, output)
    })
}

fn record(
    arguments: &Arguments,
    mut received: Received,
    config: &Config,
    output: Output,
) -> anyhow::Result<Exit> {
    let slug = arguments.app.clone().or_else(|| received.app.clone());
    let slug = slug.ok_or_else(|| UsageError("say with --app which app received it".to_owned()))?;
    let target = Target::find(Some(Path::new(&slug)), &config.apps_dir)?;
    let slug = target.slugs.first().cloned().unwrap_or(slug);
    let app = App::load(&target.root, &slug).map_err(|problems| told(&problems))?;
    received.body = redact::body(received.body, &arguments.redact)?;
    let Recording { trigger, received, secret, case } = recording(&app, arguments, &received)?;
    let sample = Sample {
        case,
        title: arguments.title.as_deref(),
        trigger: trigger.split_once("__").map_or(&trigger, |(_, short)| short),
        secret: secret.as_ref(),
        received: &received,
        redacted: &arguments.redact,
    };
    let folder = target.root.join(&slug).join("samples");
    fs::create_dir_all(&folder)?;
    let name = sample.write(&folder, arguments.name.as_deref())?;
    bless(&target.root, &slug, &format!("{name}.yaml"), false)
        .map_err(|problems| told(&problems))?;
    report(&slug, &name, case, secret.is_some(), output);
    Ok(Exit::Ok)
}

fn told(problems: &[Problem]) -> anyhow::Error {
    anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The request as it goes into a sample of one trigger.
struct Recording {
    /// Full name of the trigger.
    trigger: String,
    received: Received,
    /// What signs it now; nothing where nothing is verified.
    secret: Option<SecretString>,
    /// The kind of sample it makes.
    case: &'static str,
}

/// The request for the trigger that is named, or else for the only one that takes it.
fn recording(app: &App, arguments: &Arguments, received: &Received) -> anyhow::Result<Recording> {
    let names = || app.triggers().iter().map(|one| one.name.as_str());
    if let Some(wanted) = arguments.trigger.as_ref().or(received.trigger.as_ref()) {
        let short = |name: &'_ str| name.split_once("__").map(|(_, short)| short.to_owned());
        let is_meant = |name: &&str| name == wanted || short(name).as_ref() == Some(wanted);
        let name = names().find(is_meant).ok_or_else(|| {
            let known: Vec<String> =
                names().map(str::to_owned).chain(names().filter_map(short)).collect();
            let near = nearest(wanted, known.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            UsageError(format!("the app has no trigger {wanted}{near}"))
        })?;
        return for_trigger(app, received, name);
    }
    let mut taken = Vec::new();
    for name in names() {
        taken.push(for_trigger(app, received, name)?);
    }
    taken.retain(|one| one.case != "ignored");
    let several: Vec<&str> = taken.iter().map(|one| one.trigger.as_str()).collect();
    if several.len() > 1 {
        let several = several.join(", ");
        return Err(UsageError(format!("say with --trigger for which it is: {several}")).into());
    }
    taken.pop().ok_or_else(|| {
        let why =
            "no trigger is about this request; say with --trigger for which one it is ignored";
        UsageError(why.to_owned()).into()
    })
}

/// Takes out what is nobody's business, and signs the request as this trigger's are signed.
fn for_trigger(app: &App, received: &Received, name: &str) -> anyhow::Result<Recording> {
    let mut received = received.clone();
    let scheme = app
        .scheme_of(name, &received.config)
        .with_context(|| format!("{name} does not say how it is signed"))?;
    received.drop_credentials(&scheme);
    let secret = if scheme.is_signed() { Some(sign_anew(&scheme, &mut received)?) } else { None };
    let case = case(app, &received, name, secret.as_ref())?;
    Ok(Recording { trigger: name.to_owned(), received, secret, case })
}

/// Signs the request with a new secret, which is returned.
fn sign_anew(scheme: &Scheme, received: &mut Received) -> anyhow::Result<SecretString> {
    let mut bytes = [0_u8; 24];
    rand::rng().fill_bytes(&mut bytes);
    // Hexadecimal of this length is text, and the form of keys in hex and in base64 as well.
    let secret = SecretString::from(data_encoding::HEXLOWER.encode(&bytes));
    let fields = scheme
        .sign(&received.request(), &secret)
        .context("deliveries of this app cannot be signed here; write the sample by hand")?;
    for (name, _) in &fields {
        received.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }
    received.headers.extend(fields);
    Ok(secret)
}

/// What kind of sample the request makes for a trigger.
fn case(
    app: &App,
    received: &Received,
    trigger: &str,
    secret: Option<&SecretString>,
) -> anyhow::Result<&'static str> {
    let request = received.request();
    let context = TriggerContext {
        id: "trg_sample".to_owned(),
        name: trigger.to_owned(),
        config: received.config.clone(),
        account_id: None,
        account_metadata: Value::Null,
        recipient: Recipient {
            url: received.url.clone(),
            secrets: secret.cloned().into_iter().collect(),
            facts: Value::Null,
        },
    };
    if app.answer_unsigned(&request, &context.recipient).is_some() {
        return Ok("challenge");
    }
    if request.method != "POST" {
        return Ok("ignored");
    }
    match app.receive(&request, &context, &KeyRing::offline()) {
        Ok(received) => match received.outcome {
            Outcome::Events(_) | Outcome::Noticed(_) => Ok("accepted"),
            Outcome::Challenge { .. } => Ok("challenge"),
            Outcome::Ignored { .. } => Ok("ignored"),
            Outcome::Failed { reason, .. } => Err(anyhow!("the script fails on it: {reason}")),
        },
        Err(rejection) => Err(anyhow!("signed anew, it is still refused: {rejection}")),
    }
}

fn report(slug: &str, name: &str, case: &str, signed: bool, output: Output) {
    let file = format!("{slug}/samples/{name}.yaml");
    if output.is_json() {
        output.json(&json!({ "file": file, "case": case, "signed_anew": signed }));
        return;
    }
    output.line(format!("{} {file}", output.mark(true)));
    if signed {
        output.line("  signed anew with a secret of its own; the real one is not in it");
    }
    let advice = "  read it before you commit it: what the body says of people is still there";
    output.line(output.paint(Tone::Doubtful, advice));
}

impl Received {
    /// The request as the engine takes it.
    fn request(&self) -> Request {
        let query = self.query.as_deref();
        let pairs = url_pairs(query.unwrap_or_default());
        Request {
            method: self.method.clone(),
            url: query.map_or_else(|| self.url.clone(), |query| format!("{}?{query}", self.url)),
            query: pairs,
            headers: Headers::new(self.headers.iter().cloned()),
            body: self.body.clone(),
            received_at: self.at,
        }
    }
}

fn url_pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The secret's text, for the sample it was made for.
fn shown(secret: &SecretString) -> &str {
    secret.expose_secret()
}
