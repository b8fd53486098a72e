//! Settings that are lists: written as lists in the file, and with commas in a variable.

use std::{fmt::Display, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use url::Url;

/// Reads a list, or text with commas between its items.
pub(super) fn items<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        List(Vec<String>),
        Text(String),
    }
    let items = match Either::deserialize(deserializer)? {
        Either::List(items) => items,
        Either::Text(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
    };
    let given = items.iter().filter(|item| !item.is_empty());
    given.map(|item| item.parse().map_err(D::Error::custom)).collect()
}

/// A network, or one address.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let networks: Vec<Network> = items(deserializer)?;
    Ok(networks.into_iter().map(|Network(network)| network).collect())
}

struct Network(IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| format!("`{text}` is not a network such as 10.0.0.0/8"))
    }
}

/// Where a URL leads instead, by how it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Reroute {
    /// How the app writes it, without a slash at the end.
    pub from: String,
    /// What stands there instead.
    pub to: String,
}

impl Reroute {
    /// What begins with `from` begins with `to` instead.
    pub fn new(from: &str, to: &str) -> Self {
        let plain = |url: &str| url.trim_end_matches('/').to_owned();
        Self { from: plain(from), to: plain(to) }
    }

    /// `url` with its beginning replaced, if it begins so: the beginning must end where a part of
    /// the URL does.
    pub fn apply(&self, url: &str) -> Option<String> {
        let rest = url.strip_prefix(&self.from)?;
        let whole = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        whole.then(|| format!("{}{rest}", self.to))
    }
}

impl FromStr for Reroute {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sound = |part: &str| {
            Url::parse(part).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none()
            })
        };
        let parts = text.split_once('=').filter(|(from, to)| sound(from) && sound(to));
        parts.map(|(from, to)| Self::new(from, to)).ok_or_else(|| {
            format!("`{text}` is not of the form https://api.example=http://127.0.0.1:9000")
        })
    }
}

impl From<Reroute> for String {
    fn from(Reroute { from, to }: Reroute) -> Self {
        format!("{from}={to}")
    }
}

/// Where a page comes from: scheme, host and port (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Origin(String);

impl Origin {
    /// That of `url`.
    pub fn of(url: &Url) -> Self {
        Self(url.origin().ascii_serialization())
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.path() == "/"
                && url.query().is_none()
                && url.username().is_empty()
        });
        let refused = || format!("`{text}` is not an origin such as https://app.example.com");
        url.map(|url| Self::of(&url)).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_elsewhere_by_whole_parts() {
        let reroute: Result<Reroute, _> = "https://a.example/v1/=http://127.0.0.1:9/x".parse();
        let apply = |url: &str| reroute.as_ref().ok().and_then(|reroute| reroute.apply(url));
        for (url, to) in [
            ("https://a.example/v1", Some("http://127.0.0.1:9/x")),
            ("https://a.example/v1/y?q=1", Some("http://127.0.0.1:9/x/y?q=1")),
            ("https://a.example/v1?q=1", Some("http://127.0.0.1:9/x?q=1")),
            ("https://a.example/v12", None),
            ("https://a.example", None),
            ("http://a.example/v1", None),
        ] {
            assert_eq!(apply(url).as_deref(), to, "{url}");
        }
        for wrong in ["", "https://a.example", "https://a.example=", "a=b", "ftp://a=http://b"] {
            assert!(wrong.parse::<Reroute>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_origin_is_nothing_more() {
        let origin = |text: &str| text.parse::<Origin>().ok();
        let of = |url: &str| Url::parse(url).ok().map(|url| Origin::of(&url));
        assert_eq!(origin("https://a.example:443/"), of("https://a.example/x?y"));
        assert_ne!(origin("https://a.example"), of("http://a.example/"));
        assert_ne!(origin("https://a.example"), of("https://a.example.evil.example/"));
        for wrong in ["*", "a.example", "https://a.example/x", "https://u@a.example", "null"] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }
}
