//! The command line as its users meet it: the real binary, its output and its exit codes.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod app;
mod cookbook;
mod demo;
mod kit;
mod setup;
mod support;
