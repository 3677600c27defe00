-- Dead letters are gone through in the order in which they died, a page at a time.
CREATE INDEX dead_letter_died ON dead_letter (died_at, lane, seq);
CREATE INDEX dead_letter_class ON dead_letter (lane, class); -- they are counted all the time

-- Runs of operators that put dead letters back: the row changes with each step, in its transaction.
CREATE TABLE dead_replay (
    id         INTEGER PRIMARY KEY,
    operator   TEXT NOT NULL,
    filter     TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    last_at    INTEGER NOT NULL, -- of the last step
    replayed   INTEGER NOT NULL,
    superseded INTEGER NOT NULL -- left out, as a later revision of the record goes out or has gone
) STRICT;
