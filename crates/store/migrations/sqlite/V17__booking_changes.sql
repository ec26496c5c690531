-- The uses of tools that moved an appointment or called it off, so that none does so twice.
CREATE TABLE appointment_changes (
    call_id BLOB NOT NULL,
    tool_call_id TEXT NOT NULL,
    org_id BLOB NOT NULL REFERENCES organizations (id),
    appointment_id BLOB NOT NULL,
    -- The message that told of it.
    message_id BLOB,
    -- When that call began, where it says so: an earlier call that comes late changes nothing.
    began_at INTEGER,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, tool_call_id)
) WITHOUT ROWID;
CREATE INDEX appointment_changes_by_appointment ON appointment_changes (appointment_id);
CREATE INDEX appointments_by_external_id ON appointments (org_id, external_id) WHERE external_id IS NOT NULL;
