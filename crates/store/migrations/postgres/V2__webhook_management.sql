-- What people do with endpoints and deliveries: rotate secrets, resend, and look for what failed.

-- Until when the previous secret signs beside the new one.
ALTER TABLE endpoints ADD COLUMN previous_secret_until BIGINT;

-- The number of the try that a person asked for, so that the try can say so.
ALTER TABLE deliveries ADD COLUMN manual_attempt BIGINT;

-- Where a try went: its endpoint may have another address by now.
ALTER TABLE attempts ADD COLUMN url TEXT;

-- The few that somebody looks for among the many. A delivery that succeeds at once never enters it.
CREATE INDEX deliveries_failed ON deliveries (org_id, created_at)
    WHERE state IN ('retrying', 'exhausted', 'held', 'cancelled');
