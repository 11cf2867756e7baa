-- +goose Up
-- Counts of the log's entries by the hour; see the file of the same name for
-- PostgreSQL.
CREATE TABLE tally (
    org      INTEGER NOT NULL,
    hour     INTEGER NOT NULL,
    webhook  INTEGER NOT NULL,
    slot     INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    outcome  INTEGER NOT NULL,
    type     INTEGER NOT NULL,
    entries  INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    d0       INTEGER NOT NULL,
    d1       INTEGER NOT NULL,
    d2       INTEGER NOT NULL,
    d3       INTEGER NOT NULL,
    d4       INTEGER NOT NULL,
    d5       INTEGER NOT NULL,
    d6       INTEGER NOT NULL,
    d7       INTEGER NOT NULL,
    d8       INTEGER NOT NULL,
    d9       INTEGER NOT NULL,
    d10      INTEGER NOT NULL,
    d11      INTEGER NOT NULL,
    d12      INTEGER NOT NULL,
    d13      INTEGER NOT NULL,
    d14      INTEGER NOT NULL,
    d15      INTEGER NOT NULL,
    d16      INTEGER NOT NULL,
    PRIMARY KEY (org, hour, webhook, slot, state, outcome)
) WITHOUT ROWID;
CREATE INDEX tally_hour ON tally (hour);

-- +goose Down
DROP TABLE tally;
