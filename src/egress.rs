//! The only way out: every outgoing HTTP call passes this guard.
//!
//! A URL is judged before anything is sent, and the addresses its host resolves to are judged at
//! connect time, by the resolver the connection itself uses: there is no second look-up that
//! could answer differently. Redirects are never followed and proxies from the environment are
//! ignored, because both would decide the destination after the check.

mod address;
mod rerouted;

use std::{
    error::Error as StdError,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hearken_engine::{Headers, HttpClient, HttpError, HttpRequest, HttpResponse};
use ipnet::IpNet;
use reqwest::{
    Client, Method,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use secrecy::ExposeSecret;
use thiserror::Error;
use tokio::runtime::Handle;
use url::{Host, Url};

pub use self::rerouted::Rerouted;

/// Ports that may be called at public addresses.
const PORTS: [u16; 4] = [443, 80, 8443, 8080];
/// Seconds to establish a connection.
const CONNECT_SECONDS: u64 = 5;
/// Bytes of an answer that are read; no registration call needs more.
const ANSWER_LIMIT: usize = 1 << 20;
/// Name endings that only mean something inside a private network.
const PRIVATE_SUFFIXES: [&str; 6] =
    ["localhost", "local", "internal", "cluster.local", "svc", "home.arpa"];

/// Outgoing calls behind the address guard. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    allow: Arc<[IpNet]>,
    /// For HTTPS to public or listed addresses.
    public: Client,
    /// For plain HTTP or unusual ports: listed addresses only.
    listed: Client,
    timeout: Duration,
    runtime: Handle,
}

/// The HTTP client could not be built.
#[derive(Debug, Error)]
#[error("cannot set up outgoing HTTPS: {0}")]
pub struct EgressError(#[from] reqwest::Error);

impl Egress {
    /// A guard that lets through public addresses and those in `allow`. Answers must be complete
    /// within `timeout`. Must be called within a Tokio runtime.
    pub fn new(allow: &[IpNet], timeout: Duration) -> Result<Self, EgressError> {
        let allow: Arc<[IpNet]> = allow.into();
        Ok(Self {
            public: client(Resolver { allow: allow.clone(), public: true }, timeout)?,
            listed: client(Resolver { allow: allow.clone(), public: false }, timeout)?,
            allow,
            timeout,
            runtime: Handle::current(),
        })
    }

    /// Sends `request` and reads the whole answer, up to 1 MiB.
    pub async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = Url::parse(&request.url)
            .map_err(|error| HttpError::Denied(format!("the URL is not valid: {error}")))?;
        let client = self.admit(&url)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| HttpError::Denied("the method is not valid".to_owned()))?;
        let mut outgoing = client.request(method, url).headers(header_map(&request)?);
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        } else if matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
            // The length of nothing is told, too (RFC 9110, section 8.6); some insist on it.
            outgoing = outgoing.header(CONTENT_LENGTH, 0);
        }
        let answer = outgoing.send().await.map_err(|error| self.explain(&error))?;
        self.confirm_peer(answer.remote_addr())?;
        self.read(answer).await
    }

    /// Judges scheme, user info, port and host; picks the client that enforces the verdict.
    fn admit(&self, url: &Url) -> Result<&Client, HttpError> {
        if !url.username().is_empty() || url.password().is_some() {
            return deny("a URL with a user name or password in it is not called");
        }
        let port = url.port_or_known_default().unwrap_or(0);
        let ordinary = match url.scheme() {
            "https" => PORTS.contains(&port),
            "http" => false,
            _ => return deny("only https URLs are called"),
        };
        match url.host() {
            Some(Host::Ipv4(ip)) => self.admit_address(IpAddr::V4(ip), ordinary)?,
            Some(Host::Ipv6(ip)) => self.admit_address(IpAddr::V6(ip), ordinary)?,
            Some(Host::Domain(name)) if is_private_name(name) && self.allow.is_empty() => {
                return deny("a name of a private network is not called");
            }
            Some(Host::Domain(_)) => {}
            None => return deny("the URL has no host"),
        }
        Ok(if ordinary { &self.public } else { &self.listed })
    }

    fn admit_address(&self, ip: IpAddr, public: bool) -> Result<(), HttpError> {
        if address::admitted(ip, &self.allow, public) { Ok(()) } else { Err(denied_address()) }
    }

    /// Second net below the resolver: the peer really connected to must pass too.
    fn confirm_peer(&self, peer: Option<SocketAddr>) -> Result<(), HttpError> {
        peer.map_or(Ok(()), |peer| self.admit_address(peer.ip(), true))
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<HttpResponse, HttpError> {
        let status = answer.status().as_u16();
        let headers = Headers::new(answer.headers().iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        }));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.explain(&error))? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(HttpError::TooLarge { limit: ANSWER_LIMIT });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, headers, body })
    }

    /// Turns a transport error into words that name no internal address.
    fn explain(&self, error: &reqwest::Error) -> HttpError {
        if caused_by::<Denied>(error) {
            return denied_address();
        }
        if error.is_timeout() {
            return HttpError::Timeout { seconds: self.timeout.as_secs() };
        }
        HttpError::Unreachable(if caused_by::<rustls::Error>(error) {
            "the TLS handshake failed".to_owned()
        } else if error.is_connect() {
            "no connection could be made".to_owned()
        } else {
            "the connection broke before the answer was complete".to_owned()
        })
    }
}

impl HttpClient for Egress {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.runtime.block_on(self.call(request))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that makes a client")]
fn client(resolver: Resolver, timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .https_only(resolver.public)
        .dns_resolver(Arc::new(resolver))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
        .timeout(timeout)
        .build()
}

fn header_map(request: &HttpRequest) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::new();
    for (name, value) in &request.headers {
        let field = HeaderName::from_bytes(name.as_bytes()).ok().zip(
            HeaderValue::from_str(value.expose_secret()).ok().map(|mut value| {
                value.set_sensitive(true);
                value
            }),
        );
        let Some((name, value)) = field else {
            return deny(&format!("the header `{name}` is not valid"));
        };
        map.append(name, value);
    }
    Ok(map)
}

fn deny<T>(why: &str) -> Result<T, HttpError> {
    Err(HttpError::Denied(why.to_owned()))
}

fn denied_address() -> HttpError {
    HttpError::Denied(
        "the address is not public; an operator can allow it with HEARKEN_EGRESS_ALLOW".to_owned(),
    )
}

fn is_private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.')
        || PRIVATE_SUFFIXES.iter().any(|suffix| {
            name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
}

fn caused_by<E: StdError + 'static>(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// No address of a name passed the guard.
#[derive(Debug, Error)]
#[error("no address of this name may be called")]
struct Denied;

/// Resolves names and withholds every address that may not be called, so that a connection is
/// only ever made to a checked one.
struct Resolver {
    allow: Arc<[IpNet]>,
    public: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow, public) = (self.allow.clone(), self.public);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> =
                found.filter(|found| address::admitted(found.ip(), &allow, public)).collect();
            if admitted.is_empty() {
                return Err(Denied.into());
            }
            let addresses: Addrs = Box::new(admitted.into_iter());
            Ok(addresses)
        })
    }
}
