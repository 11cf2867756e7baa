-- A process that holds a lock for as long as it lives is known to be dead as
-- soon as the lock is free: its lease need not end first.
-- +goose Up

ALTER TABLE instance ADD COLUMN locked bigint NOT NULL DEFAULT 0; -- the epoch that holds its lock

-- +goose Down
ALTER TABLE instance DROP COLUMN locked;
