-- What people write: contacts with several numbers, merged contacts, deleted records, and the numbers whose calls are
-- blocked. The twin of this file for PostgreSQL has the same tables and columns.

-- How many numbers the organization blocks. Beside the record clock, which every write reads: who blocks nobody pays
-- nothing for the block list.
ALTER TABLE org_clocks ADD COLUMN blocked_numbers INTEGER NOT NULL DEFAULT 0;

CREATE TABLE blocked_numbers (
    id BLOB PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    phone TEXT NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (org_id, phone)
) WITHOUT ROWID;
CREATE UNIQUE INDEX blocked_numbers_by_created ON blocked_numbers (org_id, created_at);

-- Whether a call came from a blocked number. It stays so when the number is unblocked.
ALTER TABLE calls ADD COLUMN blocked BOOLEAN NOT NULL DEFAULT FALSE;
-- The uses of booking tools whose appointments were deleted, as JSON: a later message must not bring them back.
ALTER TABLE calls ADD COLUMN deleted_bookings TEXT;

-- A contact's numbers beside `contacts.phone`, as JSON: what is shown.
ALTER TABLE contacts ADD COLUMN other_phones TEXT NOT NULL DEFAULT '[]';

-- The same numbers, by which a caller is found.
CREATE TABLE contact_phones (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    phone TEXT NOT NULL,
    contact_id BLOB NOT NULL REFERENCES contacts (id),
    PRIMARY KEY (org_id, phone)
) WITHOUT ROWID;
CREATE INDEX contact_phones_by_contact ON contact_phones (contact_id);

-- Contacts that were merged into another one, whose id goes on naming that one.
CREATE TABLE merged_contacts (
    id BLOB PRIMARY KEY,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    into_id BLOB NOT NULL REFERENCES contacts (id),
    merged_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX merged_contacts_by_contact ON merged_contacts (into_id);

CREATE INDEX appointments_by_contact ON appointments (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX appointments_by_lead ON appointments (lead_id) WHERE lead_id IS NOT NULL;
