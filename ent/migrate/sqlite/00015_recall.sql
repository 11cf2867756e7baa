-- +goose Up
-- A change of a webhook decides what becomes of its pending deliveries in one
-- transaction; they are brought in line afterwards, in portions. Cancel_before is
-- the version whose change canceled what was pending, recalling what is left to
-- do. Rows of the previous version have neither: 0. A redelivery is pending since
-- the version that its webhook had then; other deliveries since their own.
ALTER TABLE webhook ADD COLUMN cancel_before integer NOT NULL DEFAULT 0;
ALTER TABLE webhook ADD COLUMN recalling integer NOT NULL DEFAULT 0;
CREATE INDEX webhook_recalling ON webhook (recalling) WHERE recalling <> 0;
ALTER TABLE queue ADD COLUMN since_version integer;

-- What is held is found in its order, and the head of a line without stepping
-- over what is. Of a webhook that was ordered, the deliveries that are not have a
-- range of their own.
CREATE INDEX queue_held ON queue (webhook, id) WHERE held;
DROP INDEX queue_ordered;
CREATE INDEX queue_ordered ON queue (webhook, id) WHERE ordered AND NOT held;
DROP INDEX queue_webhook;
CREATE INDEX queue_webhook ON queue (webhook, held, ordered, due_at, owner_slot) WHERE owner_slot IS NULL;

-- +goose Down
DROP INDEX queue_webhook;
CREATE INDEX queue_webhook ON queue (webhook, held, due_at, owner_slot) WHERE owner_slot IS NULL;
DROP INDEX queue_ordered;
CREATE INDEX queue_ordered ON queue (webhook, id) WHERE ordered;
DROP INDEX queue_held;
ALTER TABLE queue DROP COLUMN since_version;
DROP INDEX webhook_recalling;
ALTER TABLE webhook DROP COLUMN recalling;
ALTER TABLE webhook DROP COLUMN cancel_before;
