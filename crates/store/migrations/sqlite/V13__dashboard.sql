-- People who sign in: their sessions, and the link by which the first of them comes in. Of a cookie's and a link's
-- token only the SHA-256 is kept.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id),
    org_id BLOB NOT NULL REFERENCES organizations (id),
    user_agent TEXT,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE setup_links (
    hash BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX memberships_by_user ON memberships (user_id);
CREATE INDEX memberships_owners ON memberships (user_id) WHERE role = 'owner';

-- Calls that nobody needs to look at any more. A new call is in neither index, so they cost nothing until then; how many
-- are left to look at is what `calls_by_status` has beside them.
CREATE INDEX calls_looked_at ON calls (org_id, status, created_at, reviewed_at, spam) WHERE reviewed_at IS NOT NULL OR spam;
CREATE INDEX calls_spam ON calls (org_id, created_at, status, spam) WHERE spam;
