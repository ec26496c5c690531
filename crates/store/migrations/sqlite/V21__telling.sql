-- What an endpoint is told beyond which events, and how (JSON): of which calls, without which fields, in which form, with
-- which headers of its own. Empty for the usual.
ALTER TABLE endpoints ADD COLUMN telling TEXT;

-- How a try's body was made of its event (JSON). Empty where it was the event, whole and in the contract's form.
ALTER TABLE attempts ADD COLUMN shape TEXT;

-- The Ed25519 keys that organizations sign webhooks with: the 32 bytes of the secret key, and those before the last
-- rotation, which sign too until `previous_until`.
CREATE TABLE signing_keys (
    org_id BLOB PRIMARY KEY REFERENCES organizations (id),
    seed BLOB NOT NULL,
    previous_seed BLOB,
    previous_until INTEGER,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
