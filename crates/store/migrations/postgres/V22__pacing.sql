-- How many deliveries a second an endpoint is sent at most, if that is limited; when its bucket of them is full again; and
-- until when what it is owed waits for that.
ALTER TABLE endpoints ADD COLUMN rate BIGINT;
ALTER TABLE endpoints ADD COLUMN rate_full_at BIGINT;
ALTER TABLE endpoints ADD COLUMN rate_waits_until BIGINT;
UPDATE endpoints SET rate = 25 WHERE url LIKE 'https://hooks.zapier.com/%' AND deleted_at IS NULL;
-- Which of its deliveries wait for which: none, per_key or strict.
ALTER TABLE endpoints ADD COLUMN ordering TEXT NOT NULL DEFAULT 'none';
-- Those with the same key are sent one after the other. Empty where none waits for another.
ALTER TABLE deliveries ADD COLUMN order_key UUID;
CREATE INDEX deliveries_in_order ON deliveries (endpoint_id, order_key, created_at)
    WHERE order_key IS NOT NULL AND (state = 'pending' OR state = 'in_flight' OR state = 'retrying');
