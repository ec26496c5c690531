-- An endpoint with a source is sent that source's messages as they came, and no events.
ALTER TABLE endpoints ADD COLUMN source_id BLOB REFERENCES sources (id);
-- Whether it has such endpoints, so that the messages of other sources need not ask for them.
ALTER TABLE sources ADD COLUMN forwards BOOLEAN NOT NULL DEFAULT FALSE;
-- The message in the inbox that an event of the type source.message stands for. It may be gone meanwhile.
ALTER TABLE events ADD COLUMN message_id BLOB;
