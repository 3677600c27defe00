-- The order within a lane. `urgent` is a rank, the highest first: 0 ratings, 1 complaints, above that complaints near their
-- deadline. Records of one case go one after the other: all but the first are due at the end of time, until it is their turn.
-- What waited before this migration has no case.
ALTER TABLE outbox ADD COLUMN case_key INTEGER; -- keyed digest of what makes the case
ALTER TABLE outbox ADD COLUMN call_by INTEGER;  -- of a complaint: the end of the last day to call back, until that is near
CREATE INDEX outbox_case ON outbox (lane, case_key, seq) WHERE case_key IS NOT NULL;
CREATE INDEX outbox_call_by ON outbox (lane, call_by) WHERE call_by IS NOT NULL;
ALTER TABLE dead_letter ADD COLUMN case_key INTEGER;
