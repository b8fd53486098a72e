//! Linked accounts: third-party credentials and the vault that seals them. (stub: owner S1)

/// Seals secrets. (stub)
pub struct Vault;
