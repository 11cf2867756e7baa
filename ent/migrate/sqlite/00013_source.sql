-- +goose Up
-- Events that are found by their key have no hash of their source: 0.
DROP INDEX event_source;
CREATE INDEX event_source ON event (source_key) WHERE source_key <> 0;

-- +goose Down
DROP INDEX event_source;
CREATE INDEX event_source ON event (source_key);
