-- What reading stored callbacks again needs: the records of a callback, and what operators want revised.

CREATE INDEX record_callback ON record (callback);

-- Callbacks whose answers an operator wants read again by today's rules. The row goes with the reading.
CREATE TABLE revise (
    callback     INTEGER PRIMARY KEY,
    requested_at INTEGER NOT NULL,
    agreed       BLOB NOT NULL -- keyed digests, 16 bytes each, of what the operator was shown
) STRICT;
