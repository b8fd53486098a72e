//! Linked accounts: third-party credentials, and the vault that seals them.

pub mod vault;

pub use vault::Vault;
