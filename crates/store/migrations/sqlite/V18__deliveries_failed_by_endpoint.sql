-- What one endpoint did not get, however much others did not: to be counted, released and sent again.
CREATE INDEX deliveries_failed_by_endpoint ON deliveries (endpoint_id, state, created_at)
    WHERE state IN ('retrying', 'exhausted', 'held', 'cancelled');
