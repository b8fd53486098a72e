//! The only place that makes an outgoing HTTP client. (stub: lead)

use hearken_engine::{HttpClient, HttpError, HttpRequest, HttpResponse};

/// Outgoing calls behind the address guard. Cheap to clone. (stub)
#[derive(Clone)]
pub struct Egress;

impl HttpClient for Egress {
    fn send(&self, _request: HttpRequest) -> Result<HttpResponse, HttpError> {
        unimplemented!()
    }
}
