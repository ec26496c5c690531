-- An endpoint that takes nothing for days is disabled by the first failure after this.
ALTER TABLE endpoints ADD COLUMN disable_at BIGINT;
-- Whether others were told that it fails, so that they are told when it is well again.
ALTER TABLE endpoints ADD COLUMN is_failing_told BOOLEAN NOT NULL DEFAULT FALSE;
