//! Hosts that a URL in a request may be on before it is called.

use serde::Deserialize;
use url::{Host, Url};

/// A host such as `hooks.*.acme.example`, where `*` stands for one label of a name or a part of one.
#[derive(Debug, Clone)]
pub struct HostPattern(String);

impl HostPattern {
    /// Reads a pattern. The last two labels must be there in full, so that it names somebody.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let labels: Vec<&str> = text.split('.').collect();
        let whole = labels.iter().rev().take(2).filter(|label| label.bytes().all(plain)).count();
        let fits = labels.iter().all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| plain(byte) || byte == b'*')
                && label.matches('*').count() <= 1
        });
        if fits && whole == 2 {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is not a host: give lower-case names such as api.acme.example, with at most \
             one `*` in a label and none in the last two"
        ))
    }

    fn matches(&self, host: &str) -> bool {
        let (wanted, given) = (self.0.split('.'), host.split('.'));
        wanted.clone().count() == given.clone().count()
            && wanted.zip(given).all(|(wanted, given)| label_matches(wanted, given))
    }
}

fn label_matches(wanted: &str, given: &str) -> bool {
    let Some((before, after)) = wanted.split_once('*') else { return wanted == given };
    given.len() > before.len() + after.len() && given.starts_with(before) && given.ends_with(after)
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The URL in its normal form if it may be called: HTTPS on its usual port, on one of the hosts.
pub(super) fn admit(url: &str, hosts: &[HostPattern]) -> Result<String, String> {
    let Ok(url) = Url::parse(url) else {
        return Err("what should be a URL to call is none".to_owned());
    };
    let plain = url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let host = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.'),
        _ => "",
    };
    if plain && hosts.iter().any(|pattern| pattern.matches(host)) {
        return Ok(url.to_string());
    }
    Err(format!("a URL that was to be called is not https on a host the app lists: `{host}`"))
}
