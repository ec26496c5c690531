-- What platforms were answered that asked something with a message.
CREATE TABLE answers (
    message_id UUID PRIMARY KEY REFERENCES inbox (id) ON DELETE CASCADE,
    org_id UUID NOT NULL REFERENCES organizations (id),
    -- `url`, or `inboundflow` where there was no better answer.
    answered_by TEXT NOT NULL,
    took_ms BIGINT NOT NULL,
    status BIGINT NOT NULL,
    content_type TEXT,
    -- Its beginning, and the length of the whole.
    body BYTEA NOT NULL,
    size BIGINT NOT NULL,
    -- Why there was no better answer, where there should have been one.
    fault TEXT
);
