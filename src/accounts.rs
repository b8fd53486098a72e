//! Linked accounts and the provider apps they are linked through: credentials, and the vault that
//! seals them.

pub mod credentials;
pub mod vault;

pub use vault::Vault;
