//! The Hearken server: registers subscriptions at providers, receives their webhooks, stores
//! events durably and hands them on.
//!
//! Everything about a provider lives in its app folder; this crate names none. Read it in the
//! order a webhook takes: [`server`] accepts, [`ingress`] receives, [`store`] makes durable,
//! [`api`] hands out. [`lifecycle`] talks to providers, through [`egress`] only;
//! [`jobs`] does what nobody asks for but time.

pub mod accounts;
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod egress;
pub mod ids;
pub mod ingress;
pub mod jobs;
pub mod keys;
pub mod lifecycle;
pub mod server;
pub mod store;
pub mod telemetry;
