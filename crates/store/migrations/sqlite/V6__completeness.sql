-- What a platform's own list of calls is asked with, how far the asking has come, and what it found missing.

-- The key of the platform's API, sealed: bound to the source, and worth nothing without the server's key.
CREATE TABLE source_keys (
    source_id BLOB PRIMARY KEY REFERENCES sources (id),
    org_id BLOB NOT NULL REFERENCES organizations (id),
    sealed BLOB NOT NULL,
    last4 TEXT,
    -- Where the platform's API is, if not at its usual address.
    api_url TEXT,
    set_at INTEGER NOT NULL
) WITHOUT ROWID;

-- One row for each import, and one for the reconciler of each source with a key. `since` and `until` are the calls'
-- starts; between two runs of a reconciler there is no `until`. While a step is under way `due_at` is the end of its
-- lease, so a step whose process has died becomes due by itself.
CREATE TABLE syncs (
    id BLOB PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    source_id BLOB NOT NULL REFERENCES sources (id),
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    page TEXT,
    -- When the first call began that was seen under way: the next run begins there.
    open_since INTEGER,
    pages INTEGER NOT NULL,
    found INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    healed INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    error TEXT,
    due_at INTEGER,
    lease_owner BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER
);
CREATE INDEX syncs_due ON syncs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX syncs_by_source ON syncs (source_id, created_at);
CREATE UNIQUE INDEX syncs_reconciler ON syncs (source_id) WHERE kind = 'reconcile';

-- What a platform did not tell of and its list did.
CREATE TABLE gaps (
    id BLOB PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    source_id BLOB NOT NULL REFERENCES sources (id),
    sync_id BLOB,
    external_id TEXT NOT NULL,
    call_id BLOB,
    missing TEXT NOT NULL,
    began_at INTEGER,
    found_at INTEGER NOT NULL,
    healed_at INTEGER,
    UNIQUE (source_id, external_id, missing)
);
CREATE INDEX gaps_by_source ON gaps (source_id, found_at);

-- The few calls that are not over, for the sweeper.
CREATE INDEX calls_open ON calls (created_at) WHERE status IN ('in-progress', 'forwarding');
