//! `hearken app new`: writes a complete app folder that works at once, for an author to replace
//! the examples in it one by one.

mod answers;
mod render;
mod samples;
mod scheme;
mod signer;

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use hearken_engine::App;
use serde_json::json;

use self::{
    answers::{Answers, Dialogue, Trigger},
    render::{Values, yaml},
    scheme::{Encoding, Form, Owner, Scheme},
};
use crate::{
    cli::{
        exit::{Exit, UsageError},
        output::{Output, Tone},
    },
    clock,
};

/// What is known of the new app. At a terminal the rest is asked for, otherwise it is guessed.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Name of the folder, such as acme-mail.
    slug: Option<String>,
    /// The provider's name as people write it.
    #[arg(long)]
    title: Option<String>,
    /// URL of the documentation of its webhooks.
    #[arg(long, value_name = "URL")]
    docs: Option<String>,
    /// How deliveries are signed.
    #[arg(long, value_enum)]
    scheme: Option<Scheme>,
    /// Header with the signature.
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// Text before the signature, such as sha256=.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,
    /// How the signature is written.
    #[arg(long, value_enum, default_value_t)]
    encoding: Encoding,
    /// The API that makes webhooks.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A trigger, such as `TICKET_CLOSED:ticket.closed:"Ticket closed"`; may be repeated.
    #[arg(long = "trigger", value_name = "NAME:TYPE:TITLE", value_parser = Trigger::parse)]
    triggers: Vec<Trigger>,
    /// Users set the webhook up by hand: no API makes it.
    #[arg(long, conflicts_with = "base_url")]
    manual: bool,
    /// The folder of app folders to write it into; the configured one unless told.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub(super) fn run(given: &Arguments, apps_dir: &Path, output: Output) -> anyhow::Result<Exit> {
    let somebody = io::stdin().is_terminal() && !output.is_json();
    let mut dialogue = Dialogue::new(io::stdin().lock(), io::stderr());
    let answers = Answers::collect(given, somebody.then_some(&mut dialogue))?;
    let root = given.into.as_deref().unwrap_or(apps_dir);
    let folder = root.join(&answers.slug);
    if folder.exists() {
        let there = folder.display();
        return Err(UsageError(format!(
            "{there} is there already; give another name, or another folder with --into"
        ))
        .into());
    }
    // A hidden folder first, so that no server ever sees half an app.
    let draft = root.join(format!(".new-{}", answers.slug));
    let written = write(&draft, given, &answers)
        .and_then(|files| Ok(fs::rename(draft.join(&answers.slug), &folder).map(|()| files)?))
        .with_context(|| format!("cannot write {}", folder.display()));
    // What is left of the draft says nothing that was not said.
    let _ = fs::remove_dir_all(&draft);
    report(&folder, &answers, &written?, output);
    Ok(Exit::Ok)
}

/// Writes the folder below `root`, and returns its files.
fn write(root: &Path, given: &Arguments, answers: &Answers) -> anyhow::Result<Vec<String>> {
    let values = values(given, answers);
    let folder = root.join(&answers.slug);
    fs::create_dir_all(folder.join("samples"))?;
    let mut files = Vec::new();
    let mut put = |name: &str, text: &str| {
        files.push(name.to_owned());
        fs::write(folder.join(name), text)
    };
    let triggers: Vec<String> =
        answers.triggers.iter().map(|one| for_trigger(&values, one).fill(TRIGGER)).collect();
    put("app.yaml", &(values.fill(include_str!("new/templates/app.yaml")) + &triggers.join("\n")))?;
    put("connector.rhai", &values.fill(include_str!("new/templates/connector.rhai")))?;
    put("README.md", &values.fill(include_str!("new/templates/README.md")))?;
    put("icon.svg", include_str!("new/templates/icon.svg"))?;
    let app = App::load(root, &answers.slug).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("these answers do not make an app: {}", told.join("\n"))
    })?;
    for (name, text) in samples::all(&app, answers, (&given.prefix, given.encoding), &values)? {
        put(&format!("samples/{name}.yaml"), &text)?;
    }
    Ok(files)
}

const TRIGGER: &str = include_str!("new/templates/trigger.yaml");

/// What all templates are filled in with.
fn values(given: &Arguments, answers: &Answers) -> Values {
    let scheme = answers.scheme;
    let mut values = Values::default();
    values.set("slug", &answers.slug);
    values.set("title", yaml(&answers.title));
    values.set("plain_title", &answers.title);
    values.set("description", yaml(&format!("Events of {}.", answers.title)));
    values.set("docs", yaml(&answers.docs));
    values.set("today", &clock::rfc3339(clock::now())[..10]);
    values.set("base_url", &answers.base_url);
    let host = url::Url::parse(&answers.base_url).ok();
    let host = host.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    values.set("host", host);
    let owner = scheme.owner();
    values.flag("trigger_secret", owner == Owner::Trigger);
    if let Owner::Account(field, title) = owner {
        values.flag("account_secret", true);
        values.set("secret_field", field);
        values.set("secret_title", yaml(title));
    }
    values.flag("register", answers.registers);
    values.flag("signed", scheme != Scheme::None);
    values.flag("unsigned", scheme == Scheme::None);
    values.set("secret_encoding", scheme.secret_encoding());
    let form = Form { header: &answers.header, prefix: &given.prefix, encoding: given.encoding };
    values.set("signature", scheme.description(&form));
    let slug = answers.slug.to_uppercase().replace('-', "_");
    let full = |trigger: &Trigger| format!("{slug}__{}", trigger.name);
    values.set("trigger_full", answers.triggers.first().map(full).unwrap_or_default());
    let arm = |one: &Trigger| format!("        \"{}\" => \"{}\",", full(one), one.event_type);
    values.set("events", answers.triggers.iter().map(arm).collect::<Vec<_>>().join("\n"));
    let row =
        |one: &Trigger| format!("| `{}` | REPLACE: {} |", full(one), one.title.to_lowercase());
    values.set("table", answers.triggers.iter().map(row).collect::<Vec<_>>().join("\n"));
    values
}

/// The same for what is about one trigger.
fn for_trigger(values: &Values, trigger: &Trigger) -> Values {
    let mut values = values.clone();
    values.set("name", &trigger.name);
    values.set("trigger", &trigger.name);
    values.set("type", &trigger.event_type);
    values.set("title", yaml(&trigger.title));
    values.set("description", yaml(&format!("{}.", trigger.title)));
    values
}

fn report(folder: &Path, answers: &Answers, files: &[String], output: Output) {
    if output.is_json() {
        output.json(&json!({ "app": answers.slug, "folder": folder, "files": files }));
        return;
    }
    let shown = folder.display();
    output.line(format!("{} {shown}", output.mark(true)));
    for file in files {
        output.line(format!("    {}", output.paint(Tone::Faint, file)));
    }
    output.line(format!(
        "\nIt works, but like no provider: replace what is marked REPLACE, and look on with\n\n\
         \x20   hearken app check {shown}\n\
         \x20   hearken app test --watch {shown}\n"
    ));
}
