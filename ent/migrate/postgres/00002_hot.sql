-- +goose Up
-- The tables of the hot path. They carry no foreign keys: rows of the queue
-- and of the log come and go by thousands, and partitions are dropped whole.
-- Times are microseconds since 1970. Small numbers stand for the closed lists
-- in ent/codes.go.

-- An event is a fact that Portal reported. Partitions are days of id.
CREATE TABLE event (
    id            bigint   NOT NULL,
    org           bigint   NOT NULL,
    item          bigint   NOT NULL,
    occurred_at   bigint   NOT NULL,
    group_key     bigint   NOT NULL, -- hash of org and group_id
    source_key    bigint   NOT NULL, -- hash of org and source_event_id
    type          smallint NOT NULL,
    test          boolean  NOT NULL,
    item_name     text     NOT NULL,
    group_id      text     NOT NULL,
    source_id     text     NOT NULL,
    workspace_id  text,
    workspace     text,
    variables     text     NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX event_org ON event (org, id);
CREATE INDEX event_group ON event (group_key, id);
CREATE INDEX event_source ON event (source_key, id);

-- An event is stored once for each key, however often it is reported.
CREATE TABLE event_key (
    org         bigint  NOT NULL,
    event       bigint  NOT NULL,
    fingerprint bigint  NOT NULL,
    deliveries  integer NOT NULL,
    key         bytea   NOT NULL, -- hash of the key
    PRIMARY KEY (org, key)
);
CREATE INDEX event_key_event ON event_key (event);

-- The queue holds what is not finished: small, hot, rewritten all the time.
CREATE TABLE queue (
    id            bigint   NOT NULL,
    org           bigint   NOT NULL,
    webhook       bigint   NOT NULL,
    version       bigint   NOT NULL,
    event         bigint   NOT NULL,
    item          bigint   NOT NULL,
    due_at        bigint   NOT NULL, -- of a lent row: the end of its lease
    redelivery_of bigint,
    owner_epoch   bigint,            -- null, like owner_slot, unless lent
    owner_slot    smallint,
    type          smallint NOT NULL,
    trigger       smallint NOT NULL,
    attempts      smallint NOT NULL DEFAULT 0,
    outcome       smallint,          -- of the latest attempt
    status        smallint,
    held          boolean  NOT NULL DEFAULT false,
    cancel        boolean  NOT NULL DEFAULT false,
    PRIMARY KEY (id)
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_threshold = 2000,
    autovacuum_analyze_scale_factor = 0.1,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX queue_webhook ON queue (webhook, held, due_at);
CREATE INDEX queue_due ON queue (due_at) WHERE NOT held;

-- The log has one row for each step of a delivery. The row with a final state
-- (5, 6, 7) is the finished delivery. Partitions are days of id.
CREATE TABLE log (
    id             bigint   NOT NULL,
    delivery       bigint   NOT NULL,
    org            bigint   NOT NULL,
    webhook        bigint   NOT NULL,
    version        bigint   NOT NULL,
    event          bigint   NOT NULL,
    item           bigint   NOT NULL,
    at             bigint   NOT NULL,
    started_at     bigint,
    due_at         bigint,
    redelivery_of  bigint,
    response_bytes bigint,
    duration       integer,          -- microseconds, as all that follow
    dns            integer,
    connect        integer,
    tls            integer,
    first_byte     integer,
    body           integer,
    type           smallint NOT NULL,
    trigger        smallint NOT NULL,
    state          smallint NOT NULL,
    attempts       smallint NOT NULL,
    number         smallint,         -- null when no call was made
    outcome        smallint,         -- of the latest attempt
    status         smallint,
    reused         boolean,
    truncated      boolean,
    remote         text,
    error          text,
    headers        text,
    response       text
) PARTITION BY RANGE (id);
CREATE UNIQUE INDEX log_slot ON log (((id >> 12) & 1023), id);
CREATE INDEX log_delivery ON log (delivery);
CREATE INDEX log_org ON log (org, delivery) WHERE state >= 5;
CREATE INDEX log_webhook ON log (webhook, delivery) WHERE state >= 5;
CREATE INDEX log_event ON log (event) WHERE state >= 5;

-- A process that shares the database leases a slot.
CREATE TABLE instance (
    slot       smallint NOT NULL,
    epoch      bigint   NOT NULL,
    buried     bigint   NOT NULL, -- nothing of this epoch or older is lent
    name       text     NOT NULL,
    started_at bigint   NOT NULL,
    seen_at    bigint   NOT NULL,
    until      bigint   NOT NULL, -- the end of the lease
    PRIMARY KEY (slot)
);

-- The log may lack what is older.
CREATE TABLE horizon (
    id smallint NOT NULL PRIMARY KEY,
    at bigint   NOT NULL
);

-- +goose Down
DROP TABLE horizon, instance, log, queue, event_key, event;
