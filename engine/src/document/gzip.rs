//! Bodies that arrive packed (RFC 1952), unpacked within bounds. The only file that names the
//! library.
//!
//! Sources of the bounds: deflate packs up to 1,032:1, text hardly more than 20:1; and a file may
//! be a chain of members, each of which costs a new window.

use std::{borrow::Cow, io::Read};

use flate2::bufread::GzDecoder;

use super::body::malformed;
use crate::{
    Rejection, Request,
    definition::{Compression, Ingress},
};

/// Bytes that one packed byte may become.
const RATIO: usize = 100;
const MEMBERS: usize = 16;

/// The body as its content type describes it: unpacked if it came packed, and if the app takes
/// that.
pub(super) fn unpacked<'b>(
    request: &Request,
    bytes: &'b [u8],
    ingress: &Ingress,
    limit: usize,
) -> Result<Cow<'b, [u8]>, Rejection> {
    let mut codings = request.headers.all("content-encoding");
    let coding = match (codings.next(), codings.next()) {
        (None, _) => return Ok(Cow::Borrowed(bytes)),
        (Some(coding), None) => coding.trim(),
        (Some(_), Some(_)) => "several at once",
    };
    let is_gzip = coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip");
    if is_gzip && ingress.compression.contains(&Compression::Gzip) {
        return unpack(bytes, limit).map(Cow::Owned);
    }
    Err(Rejection::UnsupportedEncoding(coding.to_owned()))
}

fn unpack(mut packed: &[u8], limit: usize) -> Result<Vec<u8>, Rejection> {
    let most = limit.min(packed.len().saturating_mul(RATIO));
    let mut body = Vec::new();
    for _ in 0..MEMBERS {
        let mut member = GzDecoder::new(packed);
        let room = (most - body.len()).saturating_add(1);
        let read = member.by_ref().take(room as u64).read_to_end(&mut body);
        read.or_else(|error| malformed(format!("not gzip: {error}")))?;
        if body.len() > most {
            return Err(Rejection::BodyTooLarge { limit: most });
        }
        packed = member.into_inner();
        if packed.is_empty() {
            return Ok(body);
        }
    }
    malformed(format!("more than {MEMBERS} gzip members"))
}
