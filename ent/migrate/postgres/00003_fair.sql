-- +goose Up
-- Ordered deliveries wait for the older ones of their webhook. Alerts (type 1)
-- and all others are found by due time each on their own, so that a backlog of
-- one kind does not hide the other; a row is in one of the two indexes, which
-- costs no more than the one that they replace.
ALTER TABLE queue ADD COLUMN ordered boolean NOT NULL DEFAULT false;
DROP INDEX queue_due;
CREATE INDEX queue_alert ON queue (due_at) WHERE NOT held AND type = 1;
CREATE INDEX queue_other ON queue (due_at) WHERE NOT held AND type <> 1;
CREATE INDEX queue_ordered ON queue (webhook, id) WHERE ordered;

-- +goose Down
DROP INDEX queue_ordered;
DROP INDEX queue_other;
DROP INDEX queue_alert;
CREATE INDEX queue_due ON queue (due_at) WHERE NOT held;
ALTER TABLE queue DROP COLUMN ordered;
