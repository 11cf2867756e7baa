-- +goose Up
-- The person whose role a key ends with, and whether it works in development mode
-- only. The previous version adds rows without them; the keys that development
-- mode has made so far are known by their names.
ALTER TABLE api_key ADD COLUMN maker text NOT NULL DEFAULT ('');
ALTER TABLE api_key ADD COLUMN local bool NOT NULL DEFAULT (false);
CREATE INDEX apikey_maker ON api_key (maker);
UPDATE api_key SET local = true
WHERE organization_id = 0 AND created_by = 'development mode' AND name IN ('local portal', 'local operator');

-- +goose Down
DROP INDEX apikey_maker;
ALTER TABLE api_key DROP COLUMN local;
ALTER TABLE api_key DROP COLUMN maker;
