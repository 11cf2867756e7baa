-- +goose Up
-- When somebody was last told that a webhook fails and will be disabled. The
-- previous version adds rows without it.
ALTER TABLE webhook_health ADD COLUMN noticed_at bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE webhook_health DROP COLUMN noticed_at;
