-- +goose Up
-- When ended leases of deliveries count again: not while a server that may live has
-- had no say since the database was away, or since its clock was set.
ALTER TABLE instance ADD COLUMN expiry_from bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE instance DROP COLUMN expiry_from;
