//! Typed, sortable identifiers: a prefix that tells what is meant, and a time-ordered UUID.

use data_encoding::BASE32HEX_NOPAD;
use uuid::Uuid;

/// Projects.
pub const PROJECT: &str = "prj";
/// API keys.
pub const KEY: &str = "key";
/// Linked accounts.
pub const ACCOUNT: &str = "acc";
/// Triggers.
pub const TRIGGER: &str = "trg";
/// Trigger events.
pub const EVENT: &str = "evt";
/// Receipts of inbound requests.
pub const RECEIPT: &str = "rcp";

/// Apps registered at providers.
pub const PROVIDER_APP: &str = "pap";
/// Notices that are still to be expanded.
pub const NOTICE: &str = "ntc";

/// Consumers of events.
pub const CONSUMER: &str = "csm";
/// Events handed out to a consumer.
pub const DELIVERY: &str = "dlv";

/// Characters after the underscore: 128 bits in base 32.
const LENGTH: usize = 26;

/// A new id such as `evt_06f9v2…`. Its text sorts by time of creation, because base32hex keeps
/// the order of the bytes and a version 7 UUID (RFC 9562) starts with its time.
pub fn new(prefix: &str) -> String {
    let mut text = BASE32HEX_NOPAD.encode(Uuid::now_v7().as_bytes());
    text.make_ascii_lowercase();
    format!("{prefix}_{text}")
}

/// Whether `id` has the form of an id with this prefix.
pub fn valid(prefix: &str, id: &str) -> bool {
    id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).is_some_and(|rest| {
        rest.len() == LENGTH && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'v'))
    })
}
