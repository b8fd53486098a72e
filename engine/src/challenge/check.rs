//! Mistakes in declared handshakes that a JSON Schema cannot tell, each with its place.

use serde_json::Value;

use super::template::Template;
use crate::{Filter, signature::HostPattern};

/// A mistake: JSON pointer into the challenge, what is wrong, what to do.
pub(crate) type Mistake = (String, String, Option<String>);

/// Everything that is wrong with one challenge as written, whose form fits the schema.
pub(crate) fn mistakes(written: &Value) -> Vec<Mistake> {
    let mut found = Vec::new();
    if let Some(when) = written.get("when")
        && let Err(error) = Filter::compile(when)
    {
        found.push((format!("/when{}", error.pointer), error.message, error.hint));
    }
    let is_digest = written["algorithm"] == "digest";
    match written.get("message").and_then(Value::as_str).map(Template::parse) {
        Some(Err(message)) => found.push(("/message".to_owned(), message, None)),
        Some(Ok(template)) if is_digest && !template.has_secret() => {
            found.push(("/message".to_owned(), NO_SECRET.to_owned(), None));
        }
        None if is_digest => found.push(("/algorithm".to_owned(), NO_SECRET.to_owned(), None)),
        _ => {}
    }
    let hosts = written["hosts"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, host) in hosts.iter().enumerate() {
        if let Err(message) = HostPattern::parse(host.as_str().unwrap_or_default()) {
            found.push((format!("/hosts/{index}"), message, None));
        }
    }
    if written.get("token_fact").is_some() && written.get("token_parameter").is_none() {
        let message = "`token_fact` says what `token_parameter` must equal, which is missing";
        found.push(("/token_fact".to_owned(), message.to_owned(), None));
    }
    found
}

const NO_SECRET: &str = "a digest proves nothing unless {secret} is in its `message`";
