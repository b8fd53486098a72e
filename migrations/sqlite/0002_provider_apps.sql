-- Apps that operators registered at providers, accounts linked through them, subscriptions that
-- several triggers share, and notices that are still to be expanded.

-- Server-wide: one serves accounts of every project. The former credentials go on verifying for a
-- while after a rotation.
CREATE TABLE provider_apps (
    id                   TEXT PRIMARY KEY,
    app                  TEXT NOT NULL,
    name                 TEXT NOT NULL,
    credentials          TEXT NOT NULL,
    previous_credentials TEXT,
    previous_until       BIGINT,
    metadata             TEXT NOT NULL,
    last_proof_at        BIGINT,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
CREATE INDEX provider_apps_by_app ON provider_apps (app, id);

-- `external_id` is the provider's id of the account, by which shared URLs are routed.
ALTER TABLE linked_accounts ADD COLUMN provider_app_id TEXT REFERENCES provider_apps (id);
ALTER TABLE linked_accounts ADD COLUMN external_id TEXT;
ALTER TABLE linked_accounts ADD COLUMN status_reason TEXT;
ALTER TABLE linked_accounts ADD COLUMN expires_at BIGINT;
-- When the access token should be renewed: well before it expires.
ALTER TABLE linked_accounts ADD COLUMN renew_at BIGINT;
CREATE INDEX linked_accounts_by_route ON linked_accounts (provider_app_id, external_id);

-- Triggers with one `subscription_key` under one `subscription_owner` (a provider app or a linked
-- account) share a subscription.
ALTER TABLE triggers ADD COLUMN subscription_owner TEXT;
ALTER TABLE triggers ADD COLUMN subscription_key TEXT;
-- How far a thin app's history was read, as JSON.
ALTER TABLE triggers ADD COLUMN cursor TEXT;
ALTER TABLE triggers ADD COLUMN renew_at BIGINT;
ALTER TABLE triggers ADD COLUMN renew_failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE triggers ADD COLUMN renew_error TEXT;
-- When a thin app's trigger is looked at although no notice came.
ALTER TABLE triggers ADD COLUMN look_at BIGINT;
CREATE INDEX triggers_by_subscription ON triggers (subscription_owner, subscription_key)
    WHERE subscription_key IS NOT NULL;
CREATE INDEX triggers_renewing ON triggers (renew_at) WHERE renew_at IS NOT NULL;
CREATE INDEX triggers_looking ON triggers (look_at) WHERE look_at IS NOT NULL;

-- Requests at a shared URL leave a receipt of their own, which belongs to no project.
ALTER TABLE receipts ADD COLUMN provider_app_id TEXT;
CREATE INDEX receipts_by_provider_app ON receipts (provider_app_id, id)
    WHERE provider_app_id IS NOT NULL;

-- Who may do what only one may do at a time. A holder that was too slow finds another fence.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fence  BIGINT NOT NULL,
    until  BIGINT NOT NULL
);

-- Authorisation flows that were begun; `state` is stored as its hash and used once.
CREATE TABLE oauth_flows (
    state_hash      TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL REFERENCES projects (id),
    app             TEXT NOT NULL,
    provider_app_id TEXT NOT NULL REFERENCES provider_apps (id),
    account_id      TEXT,
    name            TEXT NOT NULL,
    metadata        TEXT NOT NULL,
    verifier        TEXT NOT NULL,
    return_url      TEXT,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX oauth_flows_expiring ON oauth_flows (expires_at);

-- Notices that say "look" and are still to be expanded by asking the provider: verified requests,
-- their documents sealed, and looks that were due without one.
CREATE TABLE notices (
    id         TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    receipt_id TEXT,
    document   TEXT,
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    error      TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX notices_due ON notices (next_at);
CREATE INDEX notices_by_trigger ON notices (trigger_id, next_at);

-- When the server's own jobs ran last and what came of it; who runs one now holds its lease.
CREATE TABLE jobs (
    name        TEXT PRIMARY KEY,
    holder      TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    ok          BOOLEAN NOT NULL,
    result      TEXT NOT NULL,
    next_at     BIGINT NOT NULL
);
