//! The store. (stub: owner S1)

pub mod model;

/// The database. (stub)
#[derive(Clone)]
pub struct Store;
