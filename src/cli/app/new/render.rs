//! Filling in templates: `{{name}}` is replaced, and lines between `{{#name}}` and `{{/name}}` stay
//! if the value is not empty, those between `{{^name}}` and `{{/name}}` if it is.

use std::collections::BTreeMap;

/// What templates are filled in with.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(BTreeMap<&'static str, String>);

impl Values {
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.insert(name, value.into());
    }

    /// A value that is only asked whether it is there.
    pub(super) fn flag(&mut self, name: &'static str, on: bool) {
        self.set(name, if on { "yes" } else { "" });
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Fills in a template.
    pub(super) fn fill(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len());
        let mut hidden = Vec::new();
        for line in template.lines() {
            match mark(line) {
                Some(('#', name)) => hidden.push(self.get(name).is_empty()),
                Some(('^', name)) => hidden.push(!self.get(name).is_empty()),
                Some(_) => drop(hidden.pop()),
                None if hidden.contains(&true) => {}
                None => {
                    let filled = self.fill_line(line);
                    if !filled.is_empty() || line.is_empty() {
                        text.push_str(&filled);
                        text.push('\n');
                    }
                }
            }
        }
        text
    }

    fn fill_line(&self, line: &str) -> String {
        let mut filled = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else { break };
            filled.extend([before, self.get(name)]);
            rest = after;
        }
        filled + rest
    }
}

/// `{{#name}}` and its like, alone on a line.
fn mark(line: &str) -> Option<(char, &str)> {
    let inside = line.strip_prefix("{{")?.strip_suffix("}}")?;
    let kind = inside.chars().next().filter(|kind| "#^/".contains(*kind))?;
    Some((kind, &inside[1..]))
}

/// Text as YAML: plain where that is safe, and in double quotes, which YAML reads as JSON does,
/// where it is not.
pub(super) fn yaml(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " -_./".contains(c);
    let url = text.starts_with("https://") && !text.contains([' ', '#', ',', '[', ']', '{', '}']);
    let word = text.starts_with(char::is_alphabetic)
        && text.chars().all(plain)
        && text.trim() == text
        && !["yes", "no", "on", "off", "true", "false", "null", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if url || word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_in() {
        let mut values = Values::default();
        values.set("name", "Acme");
        values.flag("on", true);
        let template =
            "a {{name}}\n{{#on}}\nb\n{{^on}}\nc\n{{/on}}\n{{/on}}\n{{#off}}\nd\n{{/off}}\n\ne\n";
        assert_eq!(values.fill(template), "a Acme\nb\n\ne\n");
    }

    #[test]
    fn texts_become_yaml() {
        for (text, written) in [
            ("Acme", "Acme"),
            ("Acme Mail", "Acme Mail"),
            ("no", "\"no\""),
            ("a: b", "\"a: b\""),
            ("1", "\"1\""),
            ("https://docs.acme.example/a?b=c", "https://docs.acme.example/a?b=c"),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
        ] {
            assert_eq!(yaml(text), written);
        }
    }
}
