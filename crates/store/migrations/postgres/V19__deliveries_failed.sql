-- The same indexes as before, with the same rows. Of a list of more than two words (`state IN (…)`) SQLite makes a table, at
-- every write of a delivery and for each index, to look one word up in it. The twin of this file for the other database has
-- the same indexes.
DROP INDEX deliveries_failed;
CREATE INDEX deliveries_failed ON deliveries (org_id, created_at)
    WHERE state = 'retrying' OR state = 'exhausted' OR state = 'held' OR state = 'cancelled';
DROP INDEX deliveries_failed_by_endpoint;
CREATE INDEX deliveries_failed_by_endpoint ON deliveries (endpoint_id, state, created_at)
    WHERE state = 'retrying' OR state = 'exhausted' OR state = 'held' OR state = 'cancelled';
