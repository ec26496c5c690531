-- What failed and is sent again: all that an endpoint was owed of a time, worked off a few at a time.
CREATE TABLE recoveries (
    id BLOB PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    endpoint_id BLOB NOT NULL REFERENCES endpoints (id),
    -- The states of what is sent again, separated by spaces.
    states TEXT NOT NULL,
    -- Of what was made after `since`, up to `until`.
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    -- Up to when it is worked off.
    reached INTEGER NOT NULL,
    -- How many there were when it began, and how many are due again.
    total INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) WITHOUT ROWID;
CREATE INDEX recoveries_under_way ON recoveries (created_at) WHERE finished_at IS NULL;

-- The number of the try that a recovery asked for, so that the try can say so.
ALTER TABLE deliveries ADD COLUMN recover_attempt INTEGER;
