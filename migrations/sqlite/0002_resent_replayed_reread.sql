-- What a note was recognised by, who repeated a callback, and callbacks to be read again.
-- `key_bucket` and `key_log` hold, as kind 0, also the digests of business keys and of one-time tokens: each leads to
-- its newest callback (docs/adr/0003-keys-in-runs.md).
-- `key_log` may have rows without a page: a callback that is read again takes a place in the order for its new keys.

ALTER TABLE note ADD COLUMN matched TEXT; -- what it repeats was found by its own 'id', or by 'resend', the business key
ALTER TABLE note ADD COLUMN problem TEXT; -- what a later reading could not read; that of the first lies in the page
UPDATE note SET matched = 'id' WHERE repeats IS NOT NULL;
CREATE INDEX note_repeats ON note (repeats) WHERE repeats IS NOT NULL;
CREATE INDEX note_garbled ON note (callback) WHERE outcome = 'garbled';

-- Quarantined callbacks that an operator wants read again. The row goes with the reading.
CREATE TABLE reread (
    callback     INTEGER PRIMARY KEY,
    requested_at INTEGER NOT NULL
) STRICT;
