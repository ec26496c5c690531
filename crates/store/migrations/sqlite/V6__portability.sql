-- Erasing a person, and bringing records in from another server.

-- An erasure that was asked for. It is taken up again until it is done, and says only then that it is.
CREATE TABLE erasures (
    id BLOB PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    contact_id BLOB NOT NULL,
    state TEXT NOT NULL,
    -- By which the person is known where no id leads (JSON). Nothing once it is done.
    subject TEXT,
    -- Which part is under way, and how far it has come (JSON).
    phase TEXT NOT NULL,
    place TEXT,
    -- How many of each kind were erased (JSON).
    counts TEXT NOT NULL,
    note TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER
);
CREATE INDEX erasures_running ON erasures (created_at) WHERE state = 'running';
CREATE INDEX erasures_by_contact ON erasures (org_id, contact_id, created_at);

-- What was erased, and by which erasure.
ALTER TABLE calls ADD COLUMN erasure_id BLOB;
ALTER TABLE inbox ADD COLUMN erasure_id BLOB;
ALTER TABLE events ADD COLUMN erasure_id BLOB;
CREATE INDEX calls_by_erasure ON calls (erasure_id) WHERE erasure_id IS NOT NULL;
CREATE INDEX events_by_erasure ON events (erasure_id) WHERE erasure_id IS NOT NULL;

-- How far an import has come.
CREATE TABLE imports (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    origin TEXT NOT NULL,
    kind TEXT NOT NULL,
    place TEXT,
    is_done BOOLEAN NOT NULL,
    imported INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, origin, kind)
);

-- Pages of the other server that wait to be imported: its lists begin with the newest record, and ours must end with it.
CREATE TABLE import_pages (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    origin TEXT NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (org_id, origin, kind, number)
);

-- Under which id a record of another server is here, so that it comes in once.
CREATE TABLE imported_records (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    kind TEXT NOT NULL,
    their_id TEXT NOT NULL,
    our_id BLOB NOT NULL,
    PRIMARY KEY (org_id, kind, their_id)
);
