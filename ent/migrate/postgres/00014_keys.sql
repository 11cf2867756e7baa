-- +goose Up
-- Keys of events are in the order of Portal's ids instead of hashes, so that new
-- ones are written next to one another. They are spelled as in
-- delivery/identity.go. Keys that no longer tell two events apart, which only
-- generated data has, stay as they are, and so do those of ids that are longer than
-- any of Portal's.

-- +goose StatementBegin
CREATE FUNCTION pg_temp.packed(id text) RETURNS bytea LANGUAGE SQL IMMUTABLE AS $$
    SELECT CASE WHEN id ~ '^([0-9a-f]{2})*$'
        THEN decode('78' || lpad(to_hex(length(id) / 2), 2, '0') || id, 'hex')
        ELSE 't'::bytea || convert_to(id, 'UTF8') || '\x00' END
$$;
-- +goose StatementEnd

UPDATE event_key SET key = spelled.key
FROM (
    SELECT DISTINCT ON (e.org, k.key) e.org, e.id, k.key
    FROM event e, LATERAL (SELECT e.variables::jsonb AS v) j, LATERAL (SELECT CASE e.type
        WHEN 6 THEN 'o'::bytea || pg_temp.packed(v ->> 'operation_id')
        WHEN 7 THEN 'w'::bytea || pg_temp.packed(v ->> 'operation_id') || pg_temp.packed(e.workspace_id)
        WHEN 2 THEN 'm'::bytea || pg_temp.packed(v ->> 'operation_id') || pg_temp.packed(v ->> 'microservice_id') ||
            pg_temp.packed(e.workspace_id)
        ELSE 's'::bytea || pg_temp.packed(e.source_id) END AS key) k
    WHERE NOT e.test AND length(k.key) <= 1100
    ORDER BY e.org, k.key, e.id
) spelled
WHERE event_key.org = spelled.org AND event_key.event = spelled.id;
DROP FUNCTION pg_temp.packed(text);

-- +goose Down
-- An older program makes other keys, and knows none of these.
SELECT 1;
