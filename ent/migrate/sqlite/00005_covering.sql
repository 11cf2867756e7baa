-- +goose Up
-- What a claim looks for among the oldest rows is in their indexes, so that it
-- reads only the rows that it takes. Held and type are there because SQLite
-- looks at them again.
DROP INDEX queue_alert;
DROP INDEX queue_other;
CREATE INDEX queue_alert ON queue (due_at, webhook, ordered, held, type) WHERE NOT held AND type = 1;
CREATE INDEX queue_other ON queue (due_at, webhook, ordered, held, type) WHERE NOT held AND type <> 1;

-- +goose Down
DROP INDEX queue_alert;
DROP INDEX queue_other;
CREATE INDEX queue_alert ON queue (due_at) WHERE NOT held AND type = 1;
CREATE INDEX queue_other ON queue (due_at) WHERE NOT held AND type <> 1;
