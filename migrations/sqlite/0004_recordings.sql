-- Recordings of calls that are to be fetched from carriers, each in one state. What was fetched is in a file of its own
-- beside the database, sealed, named by the id.

CREATE TABLE recording (
    id        BLOB PRIMARY KEY,  -- UUID of version 7
    account   TEXT NOT NULL,     -- whose carrier has it
    state     INTEGER NOT NULL,  -- 0 waiting, 1 kept, 2 lost
    due_at    INTEGER NOT NULL,
    leased    INTEGER NOT NULL,  -- 1: somebody fetches it until due_at
    attempts  INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    ended_at  INTEGER,           -- when it was kept or lost
    reason    TEXT,              -- the last failure
    sealed    BLOB NOT NULL,     -- what is to be fetched
    became    BLOB,              -- what became of it; sealed
    told      INTEGER NOT NULL   -- 1: a conclusion has taken that in
) STRICT, WITHOUT ROWID;
CREATE INDEX recording_due ON recording (account, due_at) WHERE state = 0;
CREATE INDEX recording_ended ON recording (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX recording_untold ON recording (ended_at) WHERE became IS NOT NULL AND told = 0;
