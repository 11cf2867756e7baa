-- +goose Up
-- The claim, too, looks only at what waits: a fresh delivery, which is lent at
-- once, is in the index of the lent ones alone, by the end of its lease.
DROP INDEX queue_webhook;
DROP INDEX queue_alert;
DROP INDEX queue_other;
DROP INDEX queue_lent;
CREATE INDEX queue_webhook ON queue (webhook, held, due_at, owner_slot) WHERE owner_slot IS NULL;
CREATE INDEX queue_alert ON queue (due_at, webhook, ordered, held, type, owner_slot)
    WHERE owner_slot IS NULL AND NOT held AND type = 1;
CREATE INDEX queue_other ON queue (due_at, webhook, ordered, held, type, owner_slot)
    WHERE owner_slot IS NULL AND NOT held AND type <> 1;
CREATE INDEX queue_lent ON queue (due_at, owner_slot) WHERE owner_slot IS NOT NULL;
CREATE INDEX queue_lent_ordered ON queue (webhook) WHERE owner_slot IS NOT NULL AND ordered;

-- +goose Down
DROP INDEX queue_lent_ordered;
DROP INDEX queue_lent;
DROP INDEX queue_other;
DROP INDEX queue_alert;
DROP INDEX queue_webhook;
CREATE INDEX queue_webhook ON queue (webhook, held, due_at);
CREATE INDEX queue_alert ON queue (due_at, webhook, ordered, held, type) WHERE NOT held AND type = 1;
CREATE INDEX queue_other ON queue (due_at, webhook, ordered, held, type) WHERE NOT held AND type <> 1;
CREATE INDEX queue_lent ON queue (owner_slot, id) WHERE owner_slot IS NOT NULL;
