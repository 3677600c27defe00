-- The spine: callbacks as they came, records made of them, the queue to the platform, and the index of keys.
-- Every key on the accept path is given in order of arrival, so that a commit appends and touches no old page
-- (docs/adr/0003-keys-in-runs.md).
-- Times are milliseconds since 1970 UTC. `sealed` is AES-256-GCM: key id, nonce, ciphertext, tag.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lane (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- The callbacks of one commit group, compressed and sealed together. Callback `seq` lies in the page with the
-- largest first_seq not above it.
CREATE TABLE callback_page (
    first_seq   INTEGER PRIMARY KEY,
    count       INTEGER NOT NULL,
    received_at INTEGER NOT NULL, -- of the newest callback in the page
    sealed      BLOB NOT NULL
) STRICT;

-- Events that made no record, and repeats: one row each, `item` counting within the callback.
CREATE TABLE note (
    callback    INTEGER NOT NULL,
    item        INTEGER NOT NULL,
    account     TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    repeats     INTEGER, -- the callback whose event this one repeats
    PRIMARY KEY (callback, item)
) STRICT, WITHOUT ROWID;

-- Append-only: a record's revisions.
CREATE TABLE record (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL,    -- UUID of version 7
    revision    INTEGER NOT NULL,
    callback    INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    urgent      INTEGER NOT NULL, -- 1 complaint, 0 rating
    level       INTEGER,
    account     TEXT NOT NULL,
    sealed      BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_id ON record (id, revision);

-- What is still to be sent: narrow, and short whatever the history. A lease is a `token` and a `due_at` in the
-- future; an expired lease is simply due again.
CREATE TABLE outbox (
    lane      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    urgent    INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    token     INTEGER NOT NULL, -- 0: not leased
    attempts  INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (lane, urgent, due_at);

-- One thing that happened to records of a lane: a request to the platform, a replay, a newer revision.
CREATE TABLE send (
    id         INTEGER PRIMARY KEY,
    lane       INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    took_ms    INTEGER NOT NULL,
    status     INTEGER,
    answer     TEXT NOT NULL
) STRICT;

-- Append-only: what each such thing did to each record. A record that is neither in the outbox nor a dead letter
-- has ended as its last line says.
CREATE TABLE attempt (
    lane    INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    send    INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    outcome INTEGER NOT NULL, -- 1 delivered, 2 to be retried, 3 dead, 4 superseded, 5 replayed
    PRIMARY KEY (lane, seq, send)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
    lane      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    class     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    died_at   INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;

-- Keyed digests not yet filed: those of one commit group a row.
CREATE TABLE key_log (
    first_seq INTEGER PRIMARY KEY,
    entries   BLOB NOT NULL
) STRICT;

-- Keyed digests filed in runs of arrival order; within a run, by the digest's leading bits.
-- id = (run * 2 + kind) << 12 | leading 12 bits; kind 0 dedupe key -> callback, 1 caller -> record.
CREATE TABLE key_bucket (
    id      INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
) STRICT;

CREATE TABLE key_run (
    run         INTEGER PRIMARY KEY,
    last_log    INTEGER NOT NULL, -- the newest key_log row it holds
    received_at INTEGER NOT NULL, -- of the newest callback it holds
    deduping    INTEGER NOT NULL  -- 0 once its dedupe keys have left the window
) STRICT;

-- A filter over the dedupe keys of some successive runs: what it does not know is new.
CREATE TABLE key_filter (
    first_run INTEGER PRIMARY KEY,
    bits      BLOB NOT NULL
) STRICT;
