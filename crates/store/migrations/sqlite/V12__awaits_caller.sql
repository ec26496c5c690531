-- Whether a call could not be told as started, because numbers are blocked and no message had said who calls. The twin of
-- this file for the other database has the same column.
ALTER TABLE calls ADD COLUMN awaits_caller BOOLEAN NOT NULL DEFAULT FALSE;
