-- Why a lead or an appointment was made: by which rule, and from which message of the inbox, where one brought it about.
-- Both null where a person wrote it or an import brought it in. The twin of this file for PostgreSQL has the same columns.
ALTER TABLE leads ADD COLUMN rule TEXT;
ALTER TABLE leads ADD COLUMN message_id BLOB;
ALTER TABLE appointments ADD COLUMN rule TEXT;
ALTER TABLE appointments ADD COLUMN message_id BLOB;
