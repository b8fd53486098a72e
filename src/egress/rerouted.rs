//! Calls of one app, sent where an operator wants them: an installation of its own, or a simulator.

use std::sync::Arc;

use hearken_engine::{HttpClient, HttpError, HttpRequest, HttpResponse};

use super::Egress;
use crate::config::Reroute;

/// The way out for calls whose URLs may be somewhere else. Cheap to clone.
#[derive(Clone)]
pub struct Rerouted {
    egress: Egress,
    urls: Arc<[Reroute]>,
}

impl Rerouted {
    /// Sends through `egress` what begins as one of `urls` says to where it says, and everything
    /// else to where it wants; the longest beginning counts.
    pub fn new<'a>(egress: Egress, urls: impl IntoIterator<Item = &'a Reroute>) -> Self {
        let mut urls: Vec<Reroute> = urls.into_iter().cloned().collect();
        urls.sort_by_key(|reroute| std::cmp::Reverse(reroute.from.len()));
        Self { egress, urls: urls.into() }
    }

    /// Where a call of `url` goes.
    pub fn destination(&self, url: &str) -> String {
        let found = self.urls.iter().find_map(|reroute| reroute.apply(url));
        found.unwrap_or_else(|| url.to_owned())
    }

    /// Sends `request` and reads the whole answer.
    pub async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.egress.call(self.redirect(request)).await
    }

    fn redirect(&self, request: HttpRequest) -> HttpRequest {
        HttpRequest { url: self.destination(&request.url), ..request }
    }
}

impl HttpClient for Rerouted {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.egress.send(self.redirect(request))
    }
}
