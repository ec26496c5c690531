-- Whether any endpoint of the organization asks, or asked, for events beyond the documented four. Beside the record clock,
-- which every write reads: who asks for none pays nothing for them. The twin of this file for SQLite has the same
-- columns.
ALTER TABLE org_clocks ADD COLUMN opt_in BOOLEAN NOT NULL DEFAULT FALSE;
