-- The ledger: of each account and hour what came, and what became of it. Housekeeping folds it forward from the other
-- tables, so it lags a little behind them; what is erased there stays here. Hours are counted since 1970 UTC and are
-- those of `received_at`.

CREATE TABLE ledger (
    hour      INTEGER NOT NULL,
    account   TEXT NOT NULL,    -- '?': of a page that cannot be opened
    callbacks INTEGER NOT NULL DEFAULT 0,
    repeats   INTEGER NOT NULL DEFAULT 0, -- notes that name what they repeat
    notes     INTEGER NOT NULL DEFAULT 0, -- the others
    records   INTEGER NOT NULL DEFAULT 0,
    first_seq INTEGER,          -- the records lie between these
    last_seq  INTEGER,
    PRIMARY KEY (hour, account)
) STRICT, WITHOUT ROWID;

-- Callbacks of which nothing is stored. They are counted in memory and written every few seconds.
CREATE TABLE ledger_refused (
    hour      INTEGER NOT NULL,
    account   TEXT NOT NULL,
    reason    TEXT NOT NULL,
    callbacks INTEGER NOT NULL,
    PRIMARY KEY (hour, account, reason)
) STRICT, WITHOUT ROWID;

-- Where the records of an account and hour are in each lane. Places are numbered like the outcomes of attempts: 1 delivered,
-- 2 pending, 3 dead, 4 superseded, 6 not for the lane; and 0 is in none of them, or in two.
CREATE TABLE ledger_lane (
    hour    INTEGER NOT NULL,
    account TEXT NOT NULL,
    lane    INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (hour, account, lane, place)
) STRICT, WITHOUT ROWID;

-- Records that were folded when their place was not their last, and the place that they are counted in. They are looked at
-- again in rotation, and a purge leaves them alone.
CREATE TABLE ledger_open (
    lane  INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;

-- How far the ledger is. A purge does not pass it.
CREATE TABLE ledger_fold (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    steps             INTEGER NOT NULL, -- taken so far: a step that was found before another was taken is void
    pages_to          INTEGER NOT NULL, -- the last page, by its first_seq
    notes_to          INTEGER NOT NULL, -- the last callback whose notes are counted; of these a later change counts at once
    records_to        INTEGER NOT NULL,
    callbacks_erased  INTEGER NOT NULL, -- some of what was received before this time is erased: callbacks and notes
    records_erased    INTEGER NOT NULL  -- records
) STRICT;
INSERT INTO ledger_fold VALUES (1, 0, 0, 0, 0, 0, 0);

ALTER TABLE lane ADD COLUMN ledger_seq INTEGER NOT NULL DEFAULT 0; -- the last record that is folded for this lane
