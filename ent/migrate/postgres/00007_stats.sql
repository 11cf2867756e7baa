-- +goose Up
-- A tally counts the log's entries of one hour that led to one state with one
-- outcome, so that nobody has to count the log. Each process counts what it
-- settles in rows of its own slot, so that no two wait for one row. They are
-- rewritten all the time, in place: nothing that changes is in an index.
CREATE TABLE tally (
    org      bigint   NOT NULL,
    webhook  bigint   NOT NULL,
    hour     integer  NOT NULL, -- since 1970
    entries  integer  NOT NULL,
    attempts integer  NOT NULL, -- entries that are an attempt
    d0       integer  NOT NULL, -- attempts below 1 ms
    d1       integer  NOT NULL, -- below 2 ms, and twice as much each
    d2       integer  NOT NULL,
    d3       integer  NOT NULL,
    d4       integer  NOT NULL,
    d5       integer  NOT NULL,
    d6       integer  NOT NULL,
    d7       integer  NOT NULL,
    d8       integer  NOT NULL,
    d9       integer  NOT NULL,
    d10      integer  NOT NULL,
    d11      integer  NOT NULL,
    d12      integer  NOT NULL,
    d13      integer  NOT NULL,
    d14      integer  NOT NULL,
    d15      integer  NOT NULL,
    d16      integer  NOT NULL, -- all that took longer
    slot     smallint NOT NULL,
    state    smallint NOT NULL,
    outcome  smallint NOT NULL, -- 0 when no attempt was made yet
    type     smallint NOT NULL, -- the webhook's
    PRIMARY KEY (org, hour, webhook, slot, state, outcome)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX tally_hour ON tally (hour);

-- +goose Down
DROP TABLE tally;
