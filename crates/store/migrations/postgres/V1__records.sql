-- Everything an organization has. The twin of this file for SQLite has the same tables and columns.
-- Times are microseconds since 1970 (BIGINT).

CREATE TABLE organizations (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    time_zone TEXT,
    country TEXT,
    created_at BIGINT NOT NULL
);

-- The record clock: the last stamp given to a record of the organization. Its row is the lock that puts writes of
-- one organization in the order in which they become visible.
CREATE TABLE org_clocks (
    org_id UUID PRIMARY KEY REFERENCES organizations (id),
    last_stamp BIGINT NOT NULL
);

CREATE TABLE users (
    id UUID PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT,
    password_hash TEXT,
    language TEXT,
    created_at BIGINT NOT NULL
);

CREATE TABLE memberships (
    org_id UUID NOT NULL REFERENCES organizations (id),
    user_id UUID NOT NULL REFERENCES users (id),
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, user_id)
);

CREATE TABLE api_keys (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    key_id TEXT NOT NULL UNIQUE,
    hash BYTEA NOT NULL,
    last4 TEXT NOT NULL,
    scopes TEXT NOT NULL,
    rate_limit BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_keys_by_org ON api_keys (org_id, created_at);

CREATE TABLE sources (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    platform TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    -- Until when the previous secret is accepted.
    previous_secret_until BIGINT,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX sources_by_org ON sources (org_id, created_at);

-- Every message as it arrived, so that a better parser can read it again.
CREATE TABLE inbox (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    source_id UUID NOT NULL REFERENCES sources (id),
    received_at BIGINT NOT NULL,
    event TEXT,
    external_id TEXT,
    outcome TEXT NOT NULL,
    reason TEXT,
    call_id UUID,
    fingerprint BYTEA NOT NULL,
    headers TEXT NOT NULL,
    body BYTEA NOT NULL
);
CREATE INDEX inbox_by_source ON inbox (source_id, received_at);
-- The few that somebody looks for among the many.
CREATE INDEX inbox_failed ON inbox (source_id, received_at) WHERE outcome = 'failed';
CREATE INDEX inbox_rejected ON inbox (source_id, received_at) WHERE outcome = 'rejected';
CREATE INDEX inbox_by_call ON inbox (call_id, fingerprint) WHERE call_id IS NOT NULL;

CREATE TABLE assistants (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    name TEXT,
    call_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (org_id, source, external_id)
);
CREATE UNIQUE INDEX assistants_by_created ON assistants (org_id, created_at);

CREATE TABLE contacts (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    name TEXT,
    phone TEXT,
    email TEXT,
    company TEXT,
    notes TEXT,
    tags TEXT NOT NULL,
    blocked BOOLEAN NOT NULL,
    call_count BIGINT NOT NULL,
    last_call_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (org_id, phone)
);
CREATE UNIQUE INDEX contacts_by_created ON contacts (org_id, created_at);

CREATE TABLE calls (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id UUID NOT NULL UNIQUE,
    org_id UUID NOT NULL REFERENCES organizations (id),
    source_id UUID NOT NULL REFERENCES sources (id),
    source TEXT NOT NULL,
    external_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    ended_reason TEXT,
    direction TEXT,
    caller_phone TEXT,
    caller_address TEXT,
    caller_name TEXT,
    caller_email TEXT,
    started_at BIGINT,
    ended_at BIGINT,
    duration_seconds BIGINT,
    summary TEXT,
    transcript TEXT,
    recording_url TEXT,
    transfer_status TEXT,
    transfer_destination TEXT,
    transfer_reason TEXT,
    transferred_at BIGINT,
    intent TEXT,
    urgency TEXT,
    captured TEXT,
    carrier_id TEXT,
    assistant_id UUID,
    assistant_external_id TEXT,
    contact_id UUID,
    lead_id UUID,
    -- What the organization did with the call.
    reviewed_at BIGINT,
    spam BOOLEAN NOT NULL,
    tags TEXT NOT NULL,
    notes TEXT,
    -- What is needed to merge the next message, and which events have fired.
    ranks TEXT NOT NULL,
    completion BIGINT NOT NULL,
    transfer BIGINT NOT NULL,
    completion_due_at BIGINT,
    completed_fired_at BIGINT,
    transferred_fired_at BIGINT,
    UNIQUE (source_id, external_id)
);
CREATE UNIQUE INDEX calls_by_created ON calls (org_id, created_at);
CREATE INDEX calls_by_phone ON calls (org_id, caller_phone, created_at);
CREATE INDEX calls_by_status ON calls (org_id, status, created_at);
CREATE INDEX calls_by_contact ON calls (contact_id, created_at) WHERE contact_id IS NOT NULL;
CREATE INDEX calls_by_completion ON calls (completion_due_at) WHERE completion_due_at IS NOT NULL;

-- The conversation turn by turn: one row a call, because it is read whole and written whole. Beside the call and not
-- in it, because lists never carry it.
CREATE TABLE messages (
    seq BIGINT PRIMARY KEY REFERENCES calls (seq),
    body TEXT NOT NULL
);

-- The words of a call (transcript, summary, name, number), each once, beside a token that names the organization.
CREATE TABLE call_search (
    seq BIGINT PRIMARY KEY,
    words TSVECTOR NOT NULL
);
CREATE INDEX call_search_by_words ON call_search USING gin (words);

CREATE TABLE leads (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    call_id UUID UNIQUE,
    contact_id UUID,
    name TEXT,
    phone TEXT,
    email TEXT,
    intent TEXT,
    urgency TEXT,
    summary TEXT,
    status TEXT NOT NULL,
    notes TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX leads_by_created ON leads (org_id, created_at);
CREATE INDEX leads_by_contact ON leads (contact_id, created_at) WHERE contact_id IS NOT NULL;
CREATE INDEX leads_by_status ON leads (org_id, status, created_at);
CREATE INDEX leads_by_phone ON leads (org_id, phone, created_at);

CREATE TABLE appointments (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    call_id UUID,
    -- The use of the booking tool that made it: a message that comes twice makes one appointment.
    tool_call_id TEXT,
    contact_id UUID,
    lead_id UUID,
    assistant_id UUID,
    title TEXT,
    attendee_name TEXT,
    attendee_phone TEXT,
    attendee_email TEXT,
    starts_at BIGINT,
    ends_at BIGINT,
    time_zone TEXT,
    location TEXT,
    notes TEXT,
    status TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (call_id, tool_call_id)
);
CREATE UNIQUE INDEX appointments_by_created ON appointments (org_id, created_at);
CREATE INDEX appointments_by_start ON appointments (org_id, starts_at);
CREATE INDEX appointments_by_phone ON appointments (org_id, attendee_phone, created_at);
CREATE INDEX appointments_by_status ON appointments (org_id, status, created_at);

-- Everything that was told, oldest first by `created_at`. `data` is frozen: it is what every delivery sends.
CREATE TABLE events (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    created_at BIGINT NOT NULL,
    type TEXT NOT NULL,
    call_id UUID,
    data TEXT NOT NULL
);
CREATE UNIQUE INDEX events_by_created ON events (org_id, created_at);

CREATE TABLE endpoints (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    url TEXT NOT NULL,
    description TEXT,
    -- Names separated by one space; empty for all, those to come included.
    events TEXT NOT NULL,
    secret TEXT,
    previous_secret TEXT,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    paused_until BIGINT,
    deleted_at BIGINT
);
CREATE INDEX endpoints_by_org ON endpoints (org_id, created_at);

-- What is owed: one row per event and endpoint, written with the event.
CREATE TABLE deliveries (
    id UUID PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    endpoint_id UUID NOT NULL REFERENCES endpoints (id),
    event_id UUID NOT NULL REFERENCES events (id),
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT,
    lease_owner UUID,
    lease_until BIGINT,
    last_status BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_due_by_endpoint ON deliveries (endpoint_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE lease_until IS NOT NULL;
CREATE UNIQUE INDEX deliveries_by_created ON deliveries (org_id, created_at);

-- Every try of a delivery, as it was sent and answered. Only ever added to.
CREATE TABLE attempts (
    id UUID PRIMARY KEY,
    delivery_id UUID NOT NULL REFERENCES deliveries (id),
    number BIGINT NOT NULL,
    cause TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    address TEXT,
    request_headers TEXT NOT NULL,
    status BIGINT,
    response_headers TEXT,
    response_body BYTEA,
    error TEXT
);
CREATE INDEX attempts_by_delivery ON attempts (delivery_id, number);

CREATE TABLE idempotency_keys (
    org_id UUID NOT NULL REFERENCES organizations (id),
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status BIGINT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
