-- Bringing in what another server has.

-- How far the import of a kind of records has come: from which time on (in the other server's own words) it asks, and
-- whether it has walked to the oldest page.
CREATE TABLE imports (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    origin TEXT NOT NULL,
    kind TEXT NOT NULL,
    since TEXT,
    is_walked BOOLEAN NOT NULL,
    PRIMARY KEY (org_id, origin, kind)
);

-- Pages of the other server that the walk has seen and that are not brought in yet: its lists begin with the newest
-- record, and ours must end with it. Of each only the cursor, so nothing personal waits here.
CREATE TABLE import_pages (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    origin TEXT NOT NULL,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    cursor TEXT NOT NULL,
    PRIMARY KEY (org_id, origin, kind, number)
);

-- Under which id a record of another server is here, so that it comes in once.
CREATE TABLE imported_records (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    kind TEXT NOT NULL,
    their_id BLOB NOT NULL,
    our_id BLOB NOT NULL,
    PRIMARY KEY (org_id, kind, their_id)
);
