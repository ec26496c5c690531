-- What webhooks sent is kept for a time only, and what an endpoint is owed changes a few at a time. The twin of this file for
-- SQLite has the same tables and columns.

-- When it was too old to be kept: its data is gone then, the row stays in the log.
ALTER TABLE events ADD COLUMN forgotten_at BIGINT;
-- Whether it was too old and still owed to somebody. It is looked at again.
ALTER TABLE events ADD COLUMN is_spared BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX events_spared ON events (org_id, created_at) WHERE is_spared;

-- After how many days an organization's webhooks are forgotten, where that is not the instance's number; 0 for never.
ALTER TABLE organizations ADD COLUMN keep_days BIGINT;

-- Up to which stamp an organization's events were looked at, of which those are forgotten that are owed to nobody.
CREATE TABLE retention (
    org_id UUID PRIMARY KEY REFERENCES organizations (id),
    reached BIGINT NOT NULL
);

-- How many of a recovery could not be sent again, because what they told is no longer kept.
ALTER TABLE recoveries ADD COLUMN not_kept BIGINT NOT NULL DEFAULT 0;
CREATE INDEX recoveries_finished ON recoveries (finished_at) WHERE finished_at IS NOT NULL;

-- What is to become of all that an endpoint is owed, while it is worked off: one of a kind for each endpoint.
CREATE TABLE backlog_changes (
    endpoint_id UUID NOT NULL REFERENCES endpoints (id),
    kind TEXT NOT NULL,
    org_id UUID NOT NULL REFERENCES organizations (id),
    -- Of what was made after `since`, up to `until`.
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    -- How many were changed.
    done BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (endpoint_id, kind)
);

-- While what was made up to here is called off: whoever comes upon such a delivery does not send it.
ALTER TABLE endpoints ADD COLUMN discard_until BIGINT;
