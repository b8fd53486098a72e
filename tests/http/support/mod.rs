//! What the tests stand on: databases, the server under test, the provider simulator.

pub(crate) mod consent;
pub(crate) mod orchard;
pub(crate) mod server;
pub(crate) mod simulator;

#[path = "../../support/database.rs"]
pub(crate) mod database;

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Runs one test body on both databases.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::support::database::fresh("sqlite").await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::support::database::fresh("postgres").await).await;
            })+
        }
    };
}
pub(crate) use on_both_databases;

/// Asks again until `ready` answers with something, for at most a minute: machines
/// may be slow.
pub(crate) async fn eventually<T>(what: &str, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..2400 {
        if let Some(value) = ready().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: did not happen within a minute");
}

/// The signature header of a GitHub delivery, made by an HMAC implementation that the server
/// does not choose the inputs of.
pub(crate) fn github_signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    format!("sha256={}", data_encoding::HEXLOWER.encode(&digest))
}
