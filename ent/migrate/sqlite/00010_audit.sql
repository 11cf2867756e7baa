-- +goose Up
-- Who did what. Entries are added in the transaction of the change that they
-- record; nobody changes one, and nobody removes one of the last 30 days.
CREATE TABLE audit (
    id integer NOT NULL,
    organization_id integer NOT NULL,
    at integer NOT NULL,
    action text NOT NULL,
    actor_kind text NOT NULL,
    actor text NOT NULL,
    key_id integer NOT NULL,
    object_type text NOT NULL,
    object_id text NOT NULL,
    object_name text NOT NULL,
    changes text NOT NULL,
    request_id text NOT NULL,
    address text NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX auditentry_organization_id_at_id ON audit (organization_id, at, id);
CREATE INDEX auditentry_at_id ON audit (at, id);

-- +goose StatementBegin
CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
WHEN OLD.at > unixepoch('subsec') * 1000000 - 2592000000000
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit;
