//! `hearken app record`: makes a sample of a webhook that was received. Whatever signed it stays
//! where it is: the sample is signed anew with a secret of its own.

mod received;
mod redact;
mod sample;

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use clap::Args;
use hearken_engine::{
    App, Headers, KeyRing, Outcome, Problem, Recipient, Request, TriggerContext, nearest,
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
    received.drop_credentials(&app);
    let secret = sign_anew(&app, &mut received)?;
    let (trigger, case) = trigger_of(&app, arguments, &received, secret.as_ref())?;
    let sample = Sample {
        case,
        title: arguments.title.as_deref(),
        trigger: &trigger,
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

/// Signs the request with a new secret, which is returned; nothing where the app verifies nothing.
fn sign_anew(app: &App, received: &mut Received) -> anyhow::Result<Option<SecretString>> {
    if !app.scheme().is_signed() {
        return Ok(None);
    }
    let mut bytes = [0_u8; 24];
    rand::rng().fill_bytes(&mut bytes);
    // Hexadecimal of this length is text, and the form of keys in hex and in base64 as well.
    let secret = SecretString::from(data_encoding::HEXLOWER.encode(&bytes));
    let fields = app
        .scheme()
        .sign(&received.request(), &secret)
        .context("deliveries of this app cannot be signed here; write the sample by hand")?;
    for (name, _) in &fields {
        received.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }
    received.headers.extend(fields);
    Ok(Some(secret))
}

/// The trigger the request is for, without the app's prefix, and the kind of sample it makes.
fn trigger_of(
    app: &App,
    arguments: &Arguments,
    received: &Received,
    secret: Option<&SecretString>,
) -> anyhow::Result<(String, &'static str)> {
    let names = || app.triggers().iter().map(|one| one.name.as_str());
    let full = |name: &str| {
        let wanted = |one: &&str| {
            *one == name || one.split_once("__").is_some_and(|(_, short)| short == name)
        };
        names().find(wanted).map(str::to_owned)
    };
    let wanted = arguments.trigger.as_ref().or(received.trigger.as_ref());
    if let Some(wanted) = wanted {
        let name = full(wanted).ok_or_else(|| {
            let near = nearest(
                wanted,
                names().chain(names().filter_map(|name| Some(name.split_once("__")?.1))),
            );
            let near = near.map(|near| format!("; did you mean {near}?"));
            UsageError(format!("the app has no trigger {wanted}{}", near.unwrap_or_default()))
        })?;
        let case = case(app, received, &name, secret)?;
        return Ok((short(&name), case));
    }
    let mut found = Vec::new();
    for name in names() {
        if case(app, received, name, secret)? != "ignored" {
            found.push(name.to_owned());
        }
    }
    match found.as_slice() {
        [name] => Ok((short(name), case(app, received, name, secret)?)),
        [] => Err(UsageError(
            "no trigger is about this request; say with --trigger for which one it is ignored"
                .to_owned(),
        )
        .into()),
        several => {
            let several = several.join(", ");
            Err(UsageError(format!("say with --trigger for which it is: {several}")).into())
        }
    }
}

fn short(name: &str) -> String {
    name.split_once("__").map_or(name, |(_, short)| short).to_owned()
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
