//! The engine: turns app folders into an immutable [`Catalogue`], and a request into events.
//!
//! Pure and synchronous. It knows no database, no HTTP server and no provider: everything about
//! a provider is data in its app folder. Read it in this order:
//!
//! - [`definition`]: what `app.yaml` says; [`app`]: the same compiled, with script and schemas.
//! - [`catalogue`]: the snapshot of all apps; [`reload`]: keeping it current while serving.
//! - [`receive`]: one request in, verified, answered or mapped to events; built of
//!   [`signature`], [`challenge`], [`document`] and [`script`].
//! - [`expand`]: a notice that says "look" turned into events by asking the provider.
//! - [`filter`]: which events a trigger wants, and why not.
//! - [`sample`]: running an app folder's samples; [`lint`]: what else its author should know.

pub mod app;
pub mod catalogue;
pub mod challenge;
pub mod definition;
pub mod document;
pub mod expand;
pub mod filter;
pub mod lint;
mod nearest;
mod problem;
pub mod receive;
mod rejection;
pub mod reload;
mod request;
mod route;
pub mod sample;
pub mod schema;
pub mod script;
pub mod signature;
mod yaml;

pub use app::{App, TriggerType};
pub use catalogue::Catalogue;
pub use challenge::{Answer, Duty};
pub use expand::Expanded;
pub use filter::{Filter, Verdict};
pub use nearest::nearest;
pub use problem::Problem;
pub use receive::{Opened, Outcome, Received};
pub use rejection::Rejection;
pub use reload::LiveCatalogue;
pub use request::{Event, Headers, Micros, Recipient, Reply, Request, TriggerContext, Verified};
pub use script::{
    AccountContext, Expansion, HttpClient, HttpError, HttpRequest, HttpResponse, Identity,
    IdentityContext, LifecycleContext, LifecycleError, ListedSubscription, ProviderAppContext,
    Registration, Script, ScriptError, SubscriptionStatus,
};
pub use signature::{KeyRing, Scheme};
pub use yaml::write as to_yaml;
