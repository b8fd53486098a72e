//! Hosts that certificates may come from, or that are called: the sender names the URL, the app the
//! hosts.

use std::fmt;

use url::{Host, Url};

/// Longest URL, in bytes.
const URL: usize = 2048;

/// A host name in which `*` stands for one label or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct HostPattern(String);

impl HostPattern {
    /// Reads a pattern, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let pattern = text.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'*');
        let labels: Vec<&str> = pattern.split('.').collect();
        if labels.iter().any(|label| label.is_empty() || !label.bytes().all(plain)) {
            return Err(format!("`{text}` is not a host"));
        }
        // Otherwise anybody could have a host that fits.
        let open = labels.iter().rev().take(2).any(|label| label.contains('*'));
        if open || labels.len() < 2 {
            return Err(format!("the last two labels of `{text}` must be given in full"));
        }
        Ok(Self(pattern))
    }

    /// Whether `url` may be called: by HTTPS at the usual port only.
    pub(crate) fn admits(&self, url: &str) -> bool {
        let Some(url) =
            Some(url).filter(|url| url.len() <= URL).and_then(|url| Url::parse(url).ok())
        else {
            return false;
        };
        let plain = url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        match url.host() {
            Some(Host::Domain(host)) if plain => self.fits(host),
            _ => false,
        }
    }

    fn fits(&self, host: &str) -> bool {
        let (mut labels, mut patterns) = (host.split('.'), self.0.split('.'));
        loop {
            match (labels.next(), patterns.next()) {
                (None, None) => return true,
                (Some(label), Some(pattern)) if label_fits(label, pattern) => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `label` is `pattern`, where each `*` is one character or more.
fn label_fits(label: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => label == pattern,
        Some((before, after)) => label.strip_prefix(before).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
            ends.any(|at| label_fits(&rest[at..], after))
        }),
    }
}
