-- +goose Up
-- The target URLs of webhooks are secrets too. What is here already is sealed by
-- "portalhooks rekey", and by the next change of each webhook.
ALTER TABLE webhook_version ADD COLUMN sealed_target BLOB NULL;

-- +goose Down
ALTER TABLE webhook_version DROP COLUMN sealed_target;
