//! The server as its users meet it: the real binary over HTTP, on a real SQLite file and a real
//! PostgreSQL, against a provider simulator that checks every request it is sent.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod any_sender;
mod changes;
mod corpus;
mod crash;
mod edge;
mod egress;
mod gmail;
mod handshakes;
mod hubspot;
mod isolation;
mod keys;
mod oauth;
mod provider_apps;
mod pull;
mod receiving;
mod registration;
mod reload;
mod roles;
mod shopify;
mod slack;
mod stream;
mod support;
mod tenancy;
mod thin;
