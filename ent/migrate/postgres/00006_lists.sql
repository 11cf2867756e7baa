-- +goose Up
-- Lists of deliveries, newest first, must not depend on how many others there
-- are. What waits is found by organization, webhook or event. A fresh delivery that is
-- lent at once, as most are, is in none of these indexes but in that of the
-- lent ones, which are never many, and are released by their slot.
CREATE INDEX queue_waiting_org ON queue (org, id) WHERE owner_slot IS NULL;
CREATE INDEX queue_waiting_webhook ON queue (webhook, id) WHERE owner_slot IS NULL;
CREATE INDEX queue_waiting_event ON queue (event) WHERE owner_slot IS NULL;
CREATE INDEX queue_lent ON queue (owner_slot, id) WHERE owner_slot IS NOT NULL;

-- Deliveries that failed (6) or were canceled (7) are few among the delivered.
CREATE INDEX log_undelivered_org ON log (org, delivery) WHERE state >= 6;
CREATE INDEX log_undelivered_webhook ON log (webhook, delivery) WHERE state >= 6;

-- +goose Down
DROP INDEX log_undelivered_webhook;
DROP INDEX log_undelivered_org;
DROP INDEX queue_lent;
DROP INDEX queue_waiting_event;
DROP INDEX queue_waiting_webhook;
DROP INDEX queue_waiting_org;
