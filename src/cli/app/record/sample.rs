//! Writing the sample file, and beside it the body where it is long or no text.

use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path};

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{received::Received, shown};
use crate::clock;

/// Longest body that stands in the sample itself, in bytes.
const INLINE: usize = 1000;

/// A sample about to be written.
pub(super) struct Sample<'a> {
    pub(super) case: &'a str,
    pub(super) title: Option<&'a str>,
    pub(super) trigger: &'a str,
    pub(super) secret: Option<&'a SecretString>,
    pub(super) received: &'a Received,
    pub(super) redacted: &'a [String],
}

impl Sample<'_> {
    /// Writes the files, over none that are there, and returns the sample's name.
    pub(super) fn write(&self, folder: &Path, name: Option<&str>) -> io::Result<String> {
        let base = match name {
            Some(name) => name.trim_end_matches(".yaml").to_owned(),
            None if self.case == "accepted" => self.trigger.to_lowercase(),
            None => format!("{}_{}", self.trigger.to_lowercase(), self.case),
        };
        let taken = |name: &str| folder.join(format!("{name}.yaml")).exists();
        if name.is_some() && taken(&base) {
            let message = format!("samples/{base}.yaml is there already; give another --name");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let mut free = std::iter::once(base.clone()).chain(numbered).filter(|name| !taken(name));
        let name = free.next().unwrap_or(base);
        let body = self.inline_body();
        if body.is_none() {
            fs::write(folder.join(format!("{name}.body")), &self.received.body)?;
        }
        let body = body.unwrap_or_else(|| format!("body_file: {name}.body"));
        fs::write(folder.join(format!("{name}.yaml")), self.text(&body))?;
        Ok(name)
    }

    /// The body as a line of YAML, if it is short and plain enough.
    fn inline_body(&self) -> Option<String> {
        let text = str::from_utf8(&self.received.body).ok()?;
        let plain = text.len() <= INLINE && !text.contains(char::is_control);
        plain.then(|| format!("body: '{}'", text.replace('\'', "''")))
    }

    fn text(&self, body: &str) -> String {
        let received = self.received;
        let time = clock::rfc3339(received.at);
        let mut text =
            "# yaml-language-server: $schema=../../../schemas/sample.schema.json\n".to_owned();
        let _ = writeln!(text, "# Recorded of a webhook received on {}.", &time[..10]);
        if self.secret.is_some() {
            text += "# Signed anew with a secret made for this sample.\n";
        }
        if !self.redacted.is_empty() {
            let _ = writeln!(text, "# Masked: {}", self.redacted.join(", "));
        }
        let title = self.title.map_or_else(
            || format!("{} as received", self.trigger.to_lowercase().replace('_', " ")),
            str::to_owned,
        );
        put(&mut text, "case", &json!(self.case));
        put(&mut text, "title", &json!(title));
        put(&mut text, "trigger", &json!(self.trigger));
        if received.config.as_object().is_some_and(|config| !config.is_empty()) {
            put(&mut text, "config", &received.config);
        }
        if let Some(secret) = self.secret {
            put(&mut text, "secret", &json!(shown(secret)));
        }
        put(&mut text, "now", &json!(time));
        text += "request:\n";
        if received.method != "POST" {
            let _ = writeln!(text, "  method: {}", received.method);
        }
        if let Some(query) = &received.query {
            let _ = writeln!(text, "  query: {}", json!(query));
        }
        text += "  headers:\n";
        // Repeated fields are one, as RFC 9110 allows (section 5.3).
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &received.headers {
            let field = headers.entry(name.to_lowercase());
            let further = |one: &mut String| one.extend([", ", value]);
            field.and_modify(further).or_insert_with(|| value.clone());
        }
        for (name, value) in headers {
            let _ = writeln!(text, "    {}: {}", name, json!(value));
        }
        let _ = writeln!(text, "  {body}\nexpect: {{}}");
        text
    }
}

fn put(text: &mut String, key: &str, value: &Value) {
    *text += &hearken_engine::to_yaml(&json!({ key: value }));
}
