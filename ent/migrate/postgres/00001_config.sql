-- The configuration: organizations, their items and webhooks, and API keys.
-- +goose Up

CREATE TABLE organization (
    id bigint NOT NULL,
    external_id text NOT NULL,
    name text NOT NULL,
    name_key bytea NOT NULL,
    search text NOT NULL,
    config_version bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX organization_external_id_key ON organization (external_id);
CREATE INDEX organization_name_key_id ON organization (name_key, id);

CREATE TABLE item (
    id bigint NOT NULL,
    kind text NOT NULL,
    external_id text NOT NULL,
    name text NOT NULL,
    name_key bytea NOT NULL,
    search text NOT NULL,
    enabled boolean NOT NULL,
    missing boolean NOT NULL DEFAULT false,
    view_url text NOT NULL,
    attributes text NOT NULL,
    updated_at bigint NOT NULL,
    organization_id bigint NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT item_organization_items FOREIGN KEY (organization_id) REFERENCES organization (id) ON DELETE NO ACTION
);
CREATE UNIQUE INDEX item_organization_id_kind_external_id ON item (organization_id, kind, external_id);
CREATE INDEX item_organization_id_kind_name_key_id ON item (organization_id, kind, name_key, id);

CREATE TABLE webhook (
    id bigint NOT NULL,
    name text NOT NULL,
    name_key bytea NOT NULL,
    search text NOT NULL,
    status text NOT NULL,
    disabled_reason text NOT NULL,
    disabled_at bigint NOT NULL,
    holding boolean NOT NULL,
    secrets text NOT NULL,
    version_id bigint NOT NULL,
    version_number bigint NOT NULL,
    event_type text NOT NULL,
    selection text NOT NULL,
    fingerprint text NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    updated_at bigint NOT NULL,
    updated_by text NOT NULL,
    deleted_at bigint NOT NULL DEFAULT 0,
    organization_id bigint NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT webhook_organization_webhooks FOREIGN KEY (organization_id) REFERENCES organization (id) ON DELETE NO ACTION
);
CREATE UNIQUE INDEX webhook_organization_id_fingerprint ON webhook (organization_id, fingerprint) WHERE deleted_at = 0;
CREATE INDEX webhook_organization_id_name_key_id ON webhook (organization_id, name_key, id);

CREATE TABLE webhook_version (
    id bigint NOT NULL,
    organization_id bigint NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL,
    event_type text NOT NULL,
    target text NOT NULL,
    selection text NOT NULL,
    template text NOT NULL,
    headers text NOT NULL,
    policy text NOT NULL,
    listening boolean NOT NULL,
    fingerprint text NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    ended_at bigint NOT NULL DEFAULT 0,
    deleted boolean NOT NULL DEFAULT false,
    webhook_id bigint NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT webhook_version_webhook_versions FOREIGN KEY (webhook_id) REFERENCES webhook (id) ON DELETE NO ACTION
);
CREATE UNIQUE INDEX webhookversion_webhook_id_number ON webhook_version (webhook_id, number);
CREATE INDEX webhookversion_organization_id ON webhook_version (organization_id);

CREATE TABLE webhook_health (
    webhook_id bigint NOT NULL,
    last_success_at bigint NOT NULL,
    last_failure_at bigint NOT NULL,
    failing_since bigint NOT NULL,
    PRIMARY KEY (webhook_id)
);

CREATE TABLE api_key (
    id bigint NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    organization_id bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    expires_at bigint NOT NULL,
    revoked_at bigint NOT NULL DEFAULT 0,
    last_used_at bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX api_key_prefix_key ON api_key (prefix);
CREATE INDEX apikey_organization_id_id ON api_key (organization_id, id);
