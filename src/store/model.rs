//! The rows the store hands out and takes in. Times are microseconds since the epoch, UTC.

use hearken_engine::Micros;
use serde_json::Value;
use sqlx::FromRow;

use super::statement::JsonText;

/// A tenant: owns keys, accounts, triggers and events, and sees nobody else's.
#[derive(Debug, Clone, FromRow)]
pub struct Project {
    /// `prj_…`
    pub id: String,
    /// Human name.
    pub name: String,
    /// Days an event is kept.
    pub retention_days: i64,
    /// Creation time.
    pub created_at: Micros,
}

/// An API key; the key itself is never stored.
#[derive(Debug, Clone, FromRow)]
pub struct ApiKey {
    /// `key_…`
    pub id: String,
    /// The project it acts for.
    pub project_id: String,
    /// Human name.
    pub name: String,
    /// Public part of the key's text, by which it is looked up.
    pub public_id: String,
    /// SHA-256 of the whole key, hex.
    pub hash: String,
    /// Whether it may also manage projects and keys of every project.
    pub admin: bool,
    /// Creation time.
    pub created_at: Micros,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
    /// When it was revoked.
    pub revoked_at: Option<Micros>,
}

/// A linked account: credentials for one app, sealed.
#[derive(Debug, Clone, FromRow)]
pub struct LinkedAccount {
    /// `acc_…`
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// App slug.
    pub app: String,
    /// Human name.
    pub name: String,
    /// `token`, `api_key`, `basic`, `oauth2`.
    pub kind: String,
    /// Sealed JSON object of credentials.
    pub credentials: String,
    /// Public facts such as a shop domain.
    #[sqlx(try_from = "JsonText")]
    pub metadata: Value,
    /// `active` or `needs_reconnect`.
    pub status: String,
    /// Why it is in that status.
    pub status_reason: Option<String>,
    /// The provider app it is linked through.
    pub provider_app_id: Option<String>,
    /// The provider's id of it.
    pub external_id: Option<String>,
    /// When its access token expires.
    pub expires_at: Option<Micros>,
    /// When its access token should be renewed.
    pub renew_at: Option<Micros>,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
}

/// A provider app: what an operator registered at a provider, for all projects.
#[derive(Debug, Clone, FromRow)]
pub struct ProviderApp {
    /// `pap_…`
    pub id: String,
    /// App slug.
    pub app: String,
    /// Human name.
    pub name: String,
    /// Sealed JSON object of credentials.
    pub credentials: String,
    /// What was sealed there before the last change of credentials.
    pub previous_credentials: Option<String>,
    /// Until when the former credentials go on verifying deliveries.
    pub previous_until: Option<Micros>,
    /// Public facts such as a tenant's domain.
    #[sqlx(try_from = "JsonText")]
    pub metadata: Value,
    /// When the provider last proved it can reach us for it.
    pub last_proof_at: Option<Micros>,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
}

/// An authorisation flow that was begun and not yet ended.
#[derive(Debug, Clone, FromRow)]
pub struct OAuthFlow {
    /// SHA-256 of the state that the provider hands back, hex.
    pub state_hash: String,
    /// Project the account is linked in.
    pub project_id: String,
    /// App slug.
    pub app: String,
    /// Provider app whose client asks.
    pub provider_app_id: String,
    /// The account to reconnect; a new one where none.
    pub account_id: Option<String>,
    /// Name of the new account.
    pub name: String,
    /// Public facts of the new account.
    #[sqlx(try_from = "JsonText")]
    pub metadata: Value,
    /// Sealed PKCE verifier.
    pub verifier: String,
    /// Where to send the user afterwards.
    pub return_url: Option<String>,
    /// When it is too late.
    pub expires_at: Micros,
}

/// A trigger.
#[derive(Debug, Clone, FromRow)]
pub struct Trigger {
    /// `trg_…`
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// App slug.
    pub app: String,
    /// The account it was registered with.
    pub linked_account_id: Option<String>,
    /// Trigger type, full name.
    pub name: String,
    /// Event type (`app.thing.happened`).
    pub event_type: String,
    /// The user's own words.
    pub description: String,
    /// Where the provider delivers.
    pub webhook_url: String,
    /// The subscription's id at the provider.
    pub external_id: Option<String>,
    /// Sealed verification secret.
    pub secret: Option<String>,
    /// Configuration.
    #[sqlx(try_from = "JsonText")]
    pub config: Value,
    /// Filter; an empty object lets everything through.
    #[sqlx(try_from = "JsonText")]
    pub filter: Value,
    /// What the script asked to keep.
    #[sqlx(try_from = "JsonText")]
    pub state: Value,
    /// `registering`, `active`, `paused`, `needs_reconnect`, `error`, `expired`.
    pub status: String,
    /// Why it is in that status.
    pub status_reason: Option<String>,
    /// Content hash of the definition it was registered with.
    pub definition_version: String,
    /// Days its events are kept; the project's where absent.
    pub retention_days: Option<i64>,
    /// When the provider last proved it can reach us (any verified request).
    pub last_proof_at: Option<Micros>,
    /// When it last produced an event.
    pub last_triggered_at: Option<Micros>,
    /// When the subscription expires.
    pub expires_at: Option<Micros>,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
    /// The provider app or linked account whose triggers may share the subscription.
    pub subscription_owner: Option<String>,
    /// Triggers with the same key under one owner share one subscription at the provider.
    pub subscription_key: Option<String>,
    /// How it is looked after.
    #[sqlx(flatten)]
    pub upkeep: Upkeep,
}

/// How a trigger's subscription is looked after.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Upkeep {
    /// How far a thin app's history was read, as JSON text.
    pub cursor: Option<String>,
    /// When the subscription is to be renewed, or what failed to be tried again.
    pub renew_at: Option<Micros>,
    /// How often in a row renewing failed.
    pub renew_failures: i64,
    /// Why it failed last.
    pub renew_error: Option<String>,
    /// When a thin app's trigger is looked at although no notice came.
    pub look_at: Option<Micros>,
}

/// A notice about to be stored with the request that brought it.
#[derive(Debug, Clone)]
pub struct NewNotice {
    /// `ntc_…`
    pub id: String,
    /// The request document, sealed.
    pub document: Option<String>,
}

/// A notice that is still to be expanded.
#[derive(Debug, Clone, FromRow)]
pub struct Notice {
    /// `ntc_…`
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// Trigger to look for.
    pub trigger_id: String,
    /// Receipt of the request that brought it; none where the look was due without one.
    pub receipt_id: Option<String>,
    /// The request document, sealed.
    pub document: Option<String>,
    /// How often expanding it failed.
    pub attempts: i64,
}

/// A stored event.
#[derive(Debug, Clone, FromRow)]
pub struct TriggerEvent {
    /// `evt_…`
    pub id: String,
    /// Owner.
    pub project_id: String,
    /// Trigger that produced it.
    pub trigger_id: String,
    /// App slug.
    pub app: String,
    /// Event type.
    pub event_type: String,
    /// The provider's id; unique within the trigger.
    pub external_event_id: String,
    /// Payload.
    #[sqlx(try_from = "JsonText")]
    pub data: Value,
    /// `pending`, `processed`, `delivered`, `failed`, `expired`.
    pub status: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Receipt of the request that carried it.
    pub receipt_id: String,
    /// Content hash of the definition that mapped it.
    pub definition_version: String,
    /// When it happened at the provider.
    pub occurred_at: Option<Micros>,
    /// When we received it.
    pub received_at: Micros,
    /// When a consumer marked it processed.
    pub processed_at: Option<Micros>,
    /// When it was delivered.
    pub delivered_at: Option<Micros>,
    /// When it may be deleted.
    pub expires_at: Micros,
}

/// An event about to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// `evt_…`
    pub id: String,
    /// Event type.
    pub event_type: String,
    /// Deduplication key within the trigger.
    pub external_event_id: String,
    /// Payload.
    pub data: Value,
    /// When it happened.
    pub occurred_at: Option<Micros>,
    /// When it may be deleted.
    pub expires_at: Micros,
}

/// What became of one inbound request, and why.
#[derive(Debug, Clone, FromRow)]
pub struct Receipt {
    /// `rcp_…`
    pub id: String,
    /// Owner of the trigger; none when no trigger was found.
    pub project_id: Option<String>,
    /// Trigger addressed.
    pub trigger_id: Option<String>,
    /// The app registered at the provider whose URL was called, where it has one.
    pub provider_app_id: Option<String>,
    /// App slug.
    pub app: String,
    /// HTTP method.
    pub method: String,
    /// Header fields as a JSON array of pairs, secret ones redacted.
    #[sqlx(try_from = "JsonText")]
    pub headers: Value,
    /// The raw body, kept only of verified requests.
    pub body: Option<Vec<u8>>,
    /// Size of the body in bytes.
    pub body_size: i64,
    /// `stored`, `duplicate`, `filtered`, `noticed`, `ignored`, `challenge`, `rejected`, `failed`.
    pub outcome: String,
    /// One sentence, or the code of the check that failed.
    pub reason: Option<String>,
    /// Details: `verified_by`, filter verdicts, event ids, problem.
    #[sqlx(try_from = "JsonText")]
    pub detail: Value,
    /// HTTP status answered.
    pub answered: i64,
    /// Content hash of the definition used.
    pub definition_version: Option<String>,
    /// When it arrived.
    pub received_at: Micros,
}
