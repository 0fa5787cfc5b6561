-- What a list of deliveries is narrowed by where few or none match: without these all deliveries of a webhook were read past
-- to find that out.

-- By event type: one that is rare, such as `appointment.cancelled`.
CREATE INDEX deliveries_by_type ON deliveries (webhook, event_type, begun_at, id);

-- By the very status with which endpoints took them; what was not delivered has an index of its own. As of that one, a
-- delivery that takes more than one request touches it.
CREATE INDEX deliveries_by_status ON deliveries (webhook, status, begun_at, id) WHERE state = 'delivered';
