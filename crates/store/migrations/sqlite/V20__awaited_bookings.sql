-- What the use of a tool did to an appointment. Of those from before this was noted: the last one of a cancelled
-- appointment called it off, and the others moved it.
ALTER TABLE appointment_changes ADD COLUMN kind TEXT NOT NULL DEFAULT 'rescheduled';
UPDATE appointment_changes SET kind = 'cancelled'
WHERE EXISTS (SELECT 1 FROM appointments a WHERE a.id = appointment_changes.appointment_id AND a.status = 'cancelled')
    AND changed_at = (SELECT max(other.changed_at) FROM appointment_changes other
                      WHERE other.appointment_id = appointment_changes.appointment_id);

-- The bookings that a call's tools changed and that are not here: when one comes, the call is looked at again.
CREATE TABLE awaited_bookings (
    org_id BLOB NOT NULL REFERENCES organizations (id),
    external_id TEXT NOT NULL,
    call_id BLOB NOT NULL,
    -- The message that told of it.
    message_id BLOB,
    -- Whether the call came with a history, of which nobody is told.
    is_history BOOLEAN NOT NULL,
    PRIMARY KEY (org_id, external_id, call_id)
) WITHOUT ROWID;
CREATE INDEX awaited_bookings_by_call ON awaited_bookings (call_id);
