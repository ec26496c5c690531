-- How an endpoint fares that fails: how often in a row, since when, and the circuit that opens then. All empty while it is
-- well.
ALTER TABLE endpoints ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN failing_since BIGINT;
ALTER TABLE endpoints ADD COLUMN last_error TEXT;
-- The delivery that failed first, and whether others did too.
ALTER TABLE endpoints ADD COLUMN first_failed UUID;
ALTER TABLE endpoints ADD COLUMN others_failed BOOLEAN NOT NULL DEFAULT FALSE;
-- While the circuit is open: since when, when the next probe is sent, and how many failed.
ALTER TABLE endpoints ADD COLUMN opened_at BIGINT;
ALTER TABLE endpoints ADD COLUMN probe_at BIGINT;
ALTER TABLE endpoints ADD COLUMN probes BIGINT NOT NULL DEFAULT 0;
-- Tries of a delivery that use up no step of its schedule: probes.
ALTER TABLE deliveries ADD COLUMN off_schedule BIGINT NOT NULL DEFAULT 0;
-- What a person asked to have sent goes out also while the circuit is open.
CREATE INDEX deliveries_asked_for ON deliveries (endpoint_id, manual_attempt)
    WHERE manual_attempt IS NOT NULL AND due_at IS NOT NULL;
