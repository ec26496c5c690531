-- Erasing a person.

-- An erasure that was asked for. It is taken up again until it is done, and says only then that it is.
CREATE TABLE erasures (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    contact_id UUID NOT NULL,
    state TEXT NOT NULL,
    -- By which the person is known where no id leads (JSON). Nothing once it is done.
    subject TEXT,
    -- Which part is under way, and how far it has come (JSON).
    phase TEXT NOT NULL,
    place TEXT,
    -- How many of each kind were erased (JSON).
    counts TEXT NOT NULL,
    note TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX erasures_running ON erasures (created_at) WHERE state = 'running';
CREATE INDEX erasures_by_contact ON erasures (org_id, contact_id, created_at);

-- What was erased, and by which erasure.
ALTER TABLE calls ADD COLUMN erasure_id UUID;
ALTER TABLE inbox ADD COLUMN erasure_id UUID;
ALTER TABLE events ADD COLUMN erasure_id UUID;
CREATE INDEX calls_by_erasure ON calls (erasure_id) WHERE erasure_id IS NOT NULL;
CREATE INDEX events_by_erasure ON events (erasure_id) WHERE erasure_id IS NOT NULL;
