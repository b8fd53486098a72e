//! Hosts that a URL in a request may be on before it is called.

use serde::{Deserialize, de::Error};
use url::Url;

use crate::signature::HostPattern;

/// Hosts, in which `*` stands for one label of a name or a part of one.
#[derive(Debug, Clone)]
pub struct Hosts(Vec<HostPattern>);

impl Hosts {
    /// The URL in its normal form if it may be called: HTTPS on its usual port, on one of these.
    pub(super) fn admit(&self, url: &str) -> Result<String, String> {
        let parsed = Url::parse(url).map_err(|_| "what should be a URL to call is none")?;
        if self.0.iter().any(|host| host.admits(url)) {
            return Ok(parsed.into());
        }
        let host = parsed.host_str().unwrap_or_default();
        Err(format!("a URL that was to be called is not https on a host the app lists: `{host}`"))
    }
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let hosts = texts.iter().map(|text| HostPattern::parse(text).map_err(D::Error::custom));
        hosts.collect::<Result<_, _>>().map(Self)
    }
}
