-- +goose Up
-- The tables of the hot path; see the file of the same name for PostgreSQL.
-- Indexes end in the row's id without naming it.

CREATE TABLE event (
    id            INTEGER NOT NULL PRIMARY KEY,
    org           INTEGER NOT NULL,
    item          INTEGER NOT NULL,
    occurred_at   INTEGER NOT NULL,
    group_key     INTEGER NOT NULL,
    source_key    INTEGER NOT NULL,
    type          INTEGER NOT NULL,
    test          INTEGER NOT NULL,
    item_name     TEXT    NOT NULL,
    group_id      TEXT    NOT NULL,
    source_id     TEXT    NOT NULL,
    workspace_id  TEXT,
    workspace     TEXT,
    variables     TEXT    NOT NULL
);
CREATE INDEX event_org ON event (org);
CREATE INDEX event_group ON event (group_key);
CREATE INDEX event_source ON event (source_key);

CREATE TABLE event_key (
    org         INTEGER NOT NULL,
    key         BLOB    NOT NULL,
    event       INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    deliveries  INTEGER NOT NULL,
    PRIMARY KEY (org, key)
) WITHOUT ROWID;
CREATE INDEX event_key_event ON event_key (event);

CREATE TABLE queue (
    id            INTEGER NOT NULL PRIMARY KEY,
    org           INTEGER NOT NULL,
    webhook       INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    event         INTEGER NOT NULL,
    item          INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    redelivery_of INTEGER,
    owner_epoch   INTEGER,
    owner_slot    INTEGER,
    type          INTEGER NOT NULL,
    trigger       INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    outcome       INTEGER,
    status        INTEGER,
    held          INTEGER NOT NULL DEFAULT 0,
    cancel        INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX queue_webhook ON queue (webhook, held, due_at);
CREATE INDEX queue_due ON queue (due_at) WHERE NOT held;

CREATE TABLE log (
    id             INTEGER NOT NULL PRIMARY KEY,
    delivery       INTEGER NOT NULL,
    org            INTEGER NOT NULL,
    webhook        INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    event          INTEGER NOT NULL,
    item           INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    started_at     INTEGER,
    due_at         INTEGER,
    redelivery_of  INTEGER,
    response_bytes INTEGER,
    duration       INTEGER,
    dns            INTEGER,
    connect        INTEGER,
    tls            INTEGER,
    first_byte     INTEGER,
    body           INTEGER,
    type           INTEGER NOT NULL,
    trigger        INTEGER NOT NULL,
    state          INTEGER NOT NULL,
    attempts       INTEGER NOT NULL,
    number         INTEGER,
    outcome        INTEGER,
    status         INTEGER,
    reused         INTEGER,
    truncated      INTEGER,
    remote         TEXT,
    error          TEXT,
    headers        TEXT,
    response       TEXT
);
CREATE INDEX log_slot ON log (((id >> 12) & 1023));
CREATE INDEX log_delivery ON log (delivery);
CREATE INDEX log_org ON log (org, delivery) WHERE state >= 5;
CREATE INDEX log_webhook ON log (webhook, delivery) WHERE state >= 5;
CREATE INDEX log_event ON log (event) WHERE state >= 5;

CREATE TABLE instance (
    slot       INTEGER NOT NULL PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    buried     INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    until      INTEGER NOT NULL
);

CREATE TABLE horizon (
    id INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
);

-- +goose Down
DROP TABLE horizon;
DROP TABLE instance;
DROP TABLE log;
DROP TABLE queue;
DROP TABLE event_key;
DROP TABLE event;
