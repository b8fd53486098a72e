-- Everything the server keeps. Times are microseconds since 1970, UTC; JSON is TEXT,
-- because a JSON type would reorder keys and refuse the NUL character.

CREATE TABLE projects (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    retention_days BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL REFERENCES projects (id),
    name         TEXT NOT NULL,
    public_id    TEXT NOT NULL UNIQUE,
    hash         TEXT NOT NULL,
    admin        BOOLEAN NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_keys_by_project ON api_keys (project_id, id);

CREATE TABLE linked_accounts (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL REFERENCES projects (id),
    app         TEXT NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    credentials TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    status      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (project_id, id)
);

-- `description_folded` is the description in lower case, folded by the server because the two
-- databases fold differently; searching reads it.
CREATE TABLE triggers (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL REFERENCES projects (id),
    app                TEXT NOT NULL,
    linked_account_id  TEXT,
    name               TEXT NOT NULL,
    event_type         TEXT NOT NULL,
    description        TEXT NOT NULL,
    description_folded TEXT NOT NULL,
    webhook_url        TEXT NOT NULL,
    external_id        TEXT,
    secret             TEXT,
    config             TEXT NOT NULL,
    filter             TEXT NOT NULL,
    state              TEXT NOT NULL,
    status             TEXT NOT NULL,
    status_reason      TEXT,
    definition_version TEXT NOT NULL,
    retention_days     BIGINT,
    last_proof_at      BIGINT,
    last_triggered_at  BIGINT,
    expires_at         BIGINT,
    created_at         BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL,
    -- Both columns, so that no trigger can use another project's account.
    FOREIGN KEY (project_id, linked_account_id) REFERENCES linked_accounts (project_id, id)
);
CREATE INDEX triggers_by_status ON triggers (project_id, status, app);
CREATE INDEX triggers_by_project ON triggers (project_id, id);
CREATE INDEX triggers_by_account ON triggers (project_id, linked_account_id);
CREATE INDEX triggers_expiring ON triggers (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX triggers_registering ON triggers (created_at) WHERE status = 'registering';

-- No foreign key to `triggers`: a deleted trigger leaves its history until retention takes it.
CREATE TABLE events (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL,
    trigger_id         TEXT NOT NULL,
    app                TEXT NOT NULL,
    event_type         TEXT NOT NULL,
    external_event_id  TEXT NOT NULL,
    data               TEXT NOT NULL,
    status             TEXT NOT NULL,
    error              TEXT,
    receipt_id         TEXT NOT NULL,
    definition_version TEXT NOT NULL,
    occurred_at        BIGINT,
    received_at        BIGINT NOT NULL,
    processed_at       BIGINT,
    delivered_at       BIGINT,
    expires_at         BIGINT NOT NULL,
    UNIQUE (trigger_id, external_event_id)
);
CREATE INDEX events_by_trigger_status ON events (trigger_id, status, received_at);
CREATE INDEX events_by_trigger ON events (trigger_id, id);
CREATE INDEX events_by_project ON events (project_id, id);
CREATE INDEX events_by_project_status ON events (project_id, status, id);
CREATE INDEX events_by_time ON events (project_id, received_at, status);
CREATE INDEX events_expiring ON events (expires_at);

CREATE TABLE receipts (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT,
    trigger_id         TEXT,
    app                TEXT NOT NULL,
    method             TEXT NOT NULL,
    headers            TEXT NOT NULL,
    body               BLOB,
    body_size          BIGINT NOT NULL,
    outcome            TEXT NOT NULL,
    reason             TEXT,
    detail             TEXT NOT NULL,
    answered           BIGINT NOT NULL,
    definition_version TEXT,
    received_at        BIGINT NOT NULL
);
CREATE INDEX receipts_by_project ON receipts (project_id, id);
CREATE INDEX receipts_by_trigger ON receipts (trigger_id, id);
CREATE INDEX receipts_by_time ON receipts (project_id, received_at, outcome);
CREATE INDEX receipts_expiring ON receipts (received_at);

-- `status` and `body` are the answer to give again; both are absent while the first is worked on.
CREATE TABLE idempotency_keys (
    project_id   TEXT NOT NULL REFERENCES projects (id),
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status       BIGINT,
    body         TEXT,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (project_id, key)
);
CREATE INDEX idempotency_keys_expiring ON idempotency_keys (created_at);
