-- The order of events as they became visible, and the consumers that read them in it.

-- PostgreSQL numbers its transactions itself; this counts where it does not.
CREATE TABLE event_log (
    last BIGINT NOT NULL
);
INSERT INTO event_log (last) VALUES (0);

-- An event's place: its transaction, then its row in it. A reader looks only at transactions below
-- the oldest that is still under way, so that nothing can become visible behind it. Events that are
-- there already come first, in the order of their ids.
ALTER TABLE events ADD COLUMN txid BIGINT NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
UPDATE events SET position = earlier.number
FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM events) AS earlier
WHERE earlier.id = events.id;
ALTER TABLE events ALTER COLUMN txid SET DEFAULT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT);
CREATE INDEX events_by_position ON events (project_id, txid, position);

-- A consumer has read up to `txid` and `position`; `filter` is what it wants to see.
CREATE TABLE consumers (
    id         TEXT COLLATE "C" PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id),
    name       TEXT COLLATE "C" NOT NULL,
    filter     TEXT NOT NULL,
    txid       BIGINT NOT NULL,
    position   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (project_id, name)
);

-- What a consumer has read and not yet acknowledged. `delivery` is the token of whoever holds it
-- until `due_at`; a dead letter has neither.
CREATE TABLE consumer_items (
    consumer_id TEXT COLLATE "C" NOT NULL REFERENCES consumers (id) ON DELETE CASCADE,
    event_id    TEXT COLLATE "C" NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    project_id  TEXT COLLATE "C" NOT NULL,
    delivery    TEXT COLLATE "C",
    attempts    BIGINT NOT NULL,
    due_at      BIGINT,
    dead_at     BIGINT,
    PRIMARY KEY (consumer_id, event_id)
);
CREATE INDEX consumer_items_by_event ON consumer_items (event_id);
CREATE INDEX consumer_items_by_delivery ON consumer_items (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX consumer_items_due ON consumer_items (consumer_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX consumer_items_dead ON consumer_items (consumer_id, event_id) WHERE dead_at IS NOT NULL;
