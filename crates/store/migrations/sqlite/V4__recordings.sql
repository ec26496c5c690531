-- What we have of a call's recordings, as the number of a `CallRecording`; null where we fetch none.
ALTER TABLE calls ADD COLUMN recording_state INTEGER;

-- Recordings that are fetched from the platforms and kept: at most one of each variant of a call.
CREATE TABLE recordings (
    call_id BLOB NOT NULL REFERENCES calls (id),
    variant TEXT NOT NULL,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    source_id BLOB NOT NULL REFERENCES sources (id),
    url TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER,
    lease_owner BLOB,
    lease_until INTEGER,
    error TEXT,
    object_key TEXT,
    content_type TEXT,
    size_bytes INTEGER,
    sha256 BLOB,
    duration_seconds INTEGER,
    stored_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, variant)
);
CREATE INDEX recordings_due ON recordings (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX recordings_leased ON recordings (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX recordings_by_age ON recordings (source_id, stored_at) WHERE stored_at IS NOT NULL;
CREATE INDEX recordings_by_org ON recordings (org_id, created_at);

-- Objects that nothing refers to, or nothing yet: deleted when they are due. One that is being written stands here
-- until the row that refers to it is, so that a crash in between leaves nothing behind.
CREATE TABLE doomed_objects (
    object_key TEXT NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL
);
CREATE INDEX doomed_objects_due ON doomed_objects (due_at);

-- Secrets of this installation itself, such as the one that signs links.
CREATE TABLE instance_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
);
