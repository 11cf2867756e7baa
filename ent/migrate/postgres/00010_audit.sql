-- +goose Up
-- Who did what. Entries are added in the transaction of the change that they
-- record; nobody changes one, and nobody removes one of the last 30 days.
CREATE TABLE audit (
    id bigint NOT NULL,
    organization_id bigint NOT NULL,
    at bigint NOT NULL,
    action text NOT NULL,
    actor_kind text NOT NULL,
    actor text NOT NULL,
    key_id bigint NOT NULL,
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
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    FOR EACH ROW WHEN (OLD.at > (extract(epoch FROM now()) * 1000000)::bigint - 2592000000000)
    EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- +goose Down
DROP TABLE audit;
DROP FUNCTION refuse_audit_change();
