-- +goose Up
-- Keys of events are in the order of Portal's ids instead of hashes, so that new
-- ones are written next to one another. They are spelled as in delivery/identity.go,
-- behind the organization. Keys that no longer tell two events apart, which only
-- generated data has, stay as they are, and so do those of ids that are longer than
-- any of Portal's.
DROP INDEX event_key;
CREATE TABLE spelled AS
    WITH named AS (
        SELECT id, org, CASE type WHEN 6 THEN 'o' WHEN 7 THEN 'w' WHEN 2 THEN 'm' ELSE 's' END AS kind,
            CASE WHEN type IN (2, 6, 7) THEN variables ->> '$.operation_id' ELSE source_id END AS first,
            variables ->> '$.microservice_id' AS second, workspace_id AS third
        FROM event WHERE key IS NOT NULL
    ), packed AS (
        SELECT id, org, kind,
            CASE WHEN first NOT GLOB '*[^0-9a-f]*' AND length(first) % 2 = 0
                THEN '78' || printf('%02x', length(first) / 2) || first ELSE '74' || hex(first) || '00' END AS first,
            CASE WHEN kind <> 'm' THEN '' WHEN second NOT GLOB '*[^0-9a-f]*' AND length(second) % 2 = 0
                THEN '78' || printf('%02x', length(second) / 2) || second ELSE '74' || hex(second) || '00' END AS second,
            CASE WHEN kind NOT IN ('w', 'm') THEN '' WHEN third NOT GLOB '*[^0-9a-f]*' AND length(third) % 2 = 0
                THEN '78' || printf('%02x', length(third) / 2) || third ELSE '74' || hex(third) || '00' END AS third
        FROM named
    )
    SELECT min(id) AS id, unhex(printf('%016x', org) || hex(kind) || first || second || third) AS key
    FROM packed GROUP BY 2 HAVING length(key) <= 1100 + 8;
UPDATE event SET key = spelled.key FROM spelled WHERE spelled.id = event.id;
DROP TABLE spelled;
CREATE UNIQUE INDEX event_key ON event (key);

-- +goose Down
-- An older program makes other keys, and knows none of these.
SELECT 1;
