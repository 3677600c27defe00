-- What a dialogue needs: events that wait to be understood, what is remembered, and messages to citizens.

-- Events that are held until a conclusion is drawn from them: those that need the gateway's memory. A concluded one is
-- gone from here, and what came of it is in `record`, or in `note` with an `item` from 2^32 on.
CREATE TABLE inbox (
    callback    INTEGER NOT NULL,
    item        INTEGER NOT NULL, -- as in `note`
    account     TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    PRIMARY KEY (callback, item)
) STRICT, WITHOUT ROWID;

-- What is remembered of callers, calls and messages. The key's text is sealed with the value.
CREATE TABLE memory (
    digest  BLOB PRIMARY KEY, -- keyed
    wake_at INTEGER,          -- when it wants to be looked at
    sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_wake ON memory (wake_at) WHERE wake_at IS NOT NULL;

-- Messages to citizens, each in one state. A lease is a `token` and a `due_at` in the future, as in `outbox`.
CREATE TABLE message (
    seq       INTEGER PRIMARY KEY,
    id        BLOB NOT NULL,    -- UUID of version 7
    lane      TEXT NOT NULL,    -- the account that sends it
    state     INTEGER NOT NULL, -- 0 waiting, 1 sent, 2 dropped, 3 dead
    due_at    INTEGER NOT NULL,
    token     INTEGER NOT NULL, -- 0: not leased
    attempts  INTEGER NOT NULL,
    in_doubt  INTEGER NOT NULL, -- 1: an earlier lease was never settled
    queued_at INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    ended_at  INTEGER,          -- when it was sent, dropped or given up
    class     TEXT,             -- of a dead one
    reason    TEXT,             -- the last failure
    sealed    BLOB NOT NULL,
    news      BLOB              -- what became of it, until a conclusion has taken it in; sealed
) STRICT;
CREATE UNIQUE INDEX message_id ON message (id);
CREATE INDEX message_due ON message (lane, due_at) WHERE state = 0;
CREATE INDEX message_ended ON message (state, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX message_untold ON message (seq) WHERE news IS NOT NULL;
