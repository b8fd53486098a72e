//! What an answer proves knowledge of the secret over: text with a few parts of the handshake.

use serde::Deserialize;

/// A template such as `{value}{secret}{url}`, compiled.
#[derive(Debug, Clone)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value,
    Secret,
    Url,
}

/// What the parts stand for.
pub(super) struct Parts<'p> {
    /// What the provider sent.
    pub(super) value: &'p str,
    /// The newest secret.
    pub(super) secret: &'p str,
    /// The webhook URL as registered at the provider.
    pub(super) url: &'p str,
}

impl Default for Template {
    fn default() -> Self {
        Self(vec![Part::Value])
    }
}

impl Template {
    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, tail)) = rest.split_once('{') {
            parts.push(Part::Literal(literal.to_owned()));
            let (name, tail) = tail.split_once('}').ok_or("a `{` is never closed")?;
            parts.push(match name {
                "value" => Part::Value,
                "secret" => Part::Secret,
                "url" => Part::Url,
                _ => {
                    let known = "give {value}, {secret} or {url}";
                    return Err(format!("`{{{name}}}` is not a part; {known}"));
                }
            });
            rest = tail;
        }
        parts.push(Part::Literal(rest.to_owned()));
        if parts.contains(&Part::Value) {
            return Ok(Self(parts));
        }
        Err("the message must have {value} in it, or one answer would fit every request".to_owned())
    }

    pub(super) fn has_secret(&self) -> bool {
        self.0.contains(&Part::Secret)
    }

    pub(super) fn render(&self, given: &Parts<'_>) -> String {
        let texts = self.0.iter().map(|part| match part {
            Part::Literal(text) => text.as_str(),
            Part::Value => given.value,
            Part::Secret => given.secret,
            Part::Url => given.url,
        });
        texts.collect()
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
