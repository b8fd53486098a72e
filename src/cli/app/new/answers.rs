//! What `hearken app new` must know: taken from flags, asked for at a terminal, or guessed.

use std::{
    fmt::{Display, Write as _},
    io::{self, BufRead, Write},
};

use clap::ValueEnum;
use hearken_engine::app::is_slug;

use super::{Arguments, scheme::Scheme};
use crate::cli::exit::UsageError;

/// Everything that is known of the new app.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) slug: String,
    pub(super) title: String,
    pub(super) docs: String,
    pub(super) scheme: Scheme,
    pub(super) header: String,
    pub(super) triggers: Vec<Trigger>,
    pub(super) registers: bool,
    pub(super) base_url: String,
}

/// A trigger of the new app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trigger {
    pub(super) name: String,
    pub(super) event_type: String,
    pub(super) title: String,
}

impl Trigger {
    /// Reads `TICKET_CLOSED:ticket.closed:Ticket closed`; what is left out is made of the name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':').map(str::trim);
        let name = parts.next().unwrap_or_default().to_owned();
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) || !name.bytes().all(plain) {
            return Err(format!(
                "`{name}` cannot name a trigger; write it like TICKET_CLOSED:ticket.closed:Ticket closed"
            ));
        }
        let given = parts.next().filter(|part| !part.is_empty());
        let event_type = given.map_or_else(|| name.to_lowercase().replace('_', "."), str::to_owned);
        let word = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        if !event_type.split('.').all(word) {
            return Err(format!(
                "`{event_type}` cannot be an event type; write it like ticket.closed"
            ));
        }
        let title = parts.next().filter(|part| !part.is_empty());
        let title = title.map_or_else(|| sentence(&name), str::to_owned);
        Ok(Self { name, event_type, title })
    }
}

/// `TICKET_CLOSED` as `Ticket closed`.
fn sentence(name: &str) -> String {
    let words = name.to_lowercase().replace('_', " ");
    words[..1].to_uppercase() + &words[1..]
}

/// `Acme Mail` as `Acme-Mail`.
fn header_word(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// `acme-mail` as `Acme Mail`.
fn title_of(slug: &str) -> String {
    let words = slug.split(['-', '_']).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect::<Vec<_>>().join(" ")
}

impl Answers {
    /// Takes what the flags say; asks for the rest where there is somebody to ask.
    pub(super) fn collect(
        given: &Arguments,
        mut somebody: Option<&mut Dialogue<impl BufRead, impl Write>>,
    ) -> anyhow::Result<Self> {
        let mut ask =
            |given: Option<&String>, question: &str, guess: &str| match (given, &mut somebody) {
                (Some(given), _) => Ok(given.clone()),
                (None, Some(dialogue)) => dialogue.ask(question, guess),
                (None, None) => Ok(guess.to_owned()),
            };
        let slug = ask(given.slug.as_ref(), "Name of the folder, such as acme-mail", "")?;
        if !is_slug(&slug) {
            return Err(UsageError(format!(
                "`{slug}` cannot name an app; use lower-case letters, digits, `-` and `_`: hearken app new acme-mail"
            ))
            .into());
        }
        let title = ask(given.title.as_ref(), "Name of the provider", &title_of(&slug))?;
        if title.contains(char::is_control) {
            return Err(UsageError("a title is one line of text".to_owned()).into());
        }
        let docs = format!("https://{slug}.example/docs/webhooks");
        let docs = https(ask(given.docs.as_ref(), "Documentation of its webhooks", &docs)?)?;
        let scheme = given.scheme.map(name_of);
        let scheme = ask(scheme.as_ref(), &schemes(), "hmac")?;
        let scheme = <Scheme as ValueEnum>::from_str(&scheme, true).map_err(UsageError)?;
        let header = format!("X-{}-Signature", header_word(&title));
        let header = if scheme.has_header() {
            ask(given.header.as_ref(), "Header with the signature", &header)?
        } else {
            header
        };
        let known = given.base_url.as_ref().map(|_| "y".to_owned());
        let registers = !given.manual
            && !["n", "no"]
                .contains(&ask(known.as_ref(), "Does an API make webhooks (y/n)", "y")?.as_str());
        let base_url = format!("https://api.{slug}.example");
        let base_url = if registers {
            https(ask(given.base_url.as_ref(), "Address of that API", &base_url)?)?
        } else {
            base_url
        };
        let mut triggers = given.triggers.clone();
        if triggers.is_empty() {
            let question = "A trigger, as NAME:type:title";
            let guess = "ITEM_CREATED:item.created:Item created";
            triggers.push(Trigger::parse(&ask(None, question, guess)?).map_err(UsageError)?);
        }
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { slug, title, docs, scheme, header, triggers, registers, base_url })
    }
}

fn https(url: String) -> Result<String, UsageError> {
    let good = url::Url::parse(&url).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    if good { Ok(url) } else { Err(UsageError(format!("`{url}` is not a URL with https"))) }
}

fn name_of(scheme: Scheme) -> String {
    let value = scheme.to_possible_value();
    value.map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn schemes() -> String {
    let mut question = "How are deliveries signed?\n".to_owned();
    for scheme in Scheme::value_variants() {
        let value = scheme.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help().map(ToString::to_string));
        let help = help.unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(question, "  {:<18} {help}", name_of(*scheme));
    }
    question + "Scheme"
}

/// Somebody at a terminal.
pub(super) struct Dialogue<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Dialogue<R, W> {
    pub(super) fn new(input: R, output: W) -> Self {
        Self { input, output }
    }

    /// Asks; an empty answer accepts the guess.
    fn ask(&mut self, question: impl Display, guess: &str) -> io::Result<String> {
        let shown = if guess.is_empty() { String::new() } else { format!(" [{guess}]") };
        write!(self.output, "{question}{shown}: ")?;
        self.output.flush()?;
        let mut line = String::new();
        self.input.read_line(&mut line)?;
        Ok(Some(line.trim()).filter(|line| !line.is_empty()).unwrap_or(guess).to_owned())
    }
}
