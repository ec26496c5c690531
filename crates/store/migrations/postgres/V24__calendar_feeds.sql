-- Addresses at which calendars read an organization's appointments. Of what is secret in an address only the SHA-256 is
-- kept. One that is revoked is not here any more.
CREATE TABLE calendar_feeds (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    last4 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_read_at BIGINT
);
CREATE UNIQUE INDEX calendar_feeds_by_created ON calendar_feeds (org_id, created_at);
