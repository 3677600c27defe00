-- Several destinations. A lane is held to account for the records from `first_seq` on: those before it were stored
-- when it was not configured. So were those after `last_seq`, where the lane is configured no more. An attempt with
-- outcome 6 says that a record is not for the lane.
ALTER TABLE lane ADD COLUMN first_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN last_seq INTEGER;
