-- +goose Up
-- People who are signed in to the console, for every server of this database.
CREATE TABLE session (
    id text NOT NULL,
    person text NOT NULL,
    name text NOT NULL,
    claims text NOT NULL,
    created_at bigint NOT NULL,
    ends_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX session_person_created_at ON session (person, created_at);
CREATE INDEX session_seen_at ON session (seen_at);

-- +goose Down
DROP TABLE session;
