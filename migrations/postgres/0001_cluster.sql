-- The store of several nodes: what migrations/sqlite has come to, in tables that many may write to.
-- Times are milliseconds since 1970 UTC. `sealed` is AES-256-GCM: key id, nonce, ciphertext, tag. Digests are keyed, and 16 bytes
-- long, as a uuid is.
-- History is partitioned by month of the time at which it was received, `<table>_<year>_<month>`; what no month was made for
-- falls into `<table>_rest`.

CREATE TABLE meta (
    key   text PRIMARY KEY,
    value bytea NOT NULL
);

-- The next places in the order of arrival. Whoever adds to the store, or moves what is in the queue, holds this row from the
-- beginning of the transaction to its end, so that places are given in the order of commits (docs/adr/0011-one-place-lock.md).
CREATE TABLE place (
    id        integer PRIMARY KEY CHECK (id = 1),
    callback  bigint NOT NULL,
    record    bigint NOT NULL,
    keys_from bigint NOT NULL, -- dedupe keys that were seen before this time are forgotten
    purged_to bigint NOT NULL  -- the record up to which this round of purging has looked
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
INSERT INTO place VALUES (1, 1, 1, 0, 0);

-- Who lives, and who does what only one may do.
CREATE TABLE node (
    name       text PRIMARY KEY,
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    version    text NOT NULL,
    lanes      bigint[] NOT NULL DEFAULT '{}' -- those that it is configured for
) WITH (fillfactor = 50);
CREATE TABLE ownership (
    work  text PRIMARY KEY,
    node  text NOT NULL,
    token bigint NOT NULL, -- changes with the owner
    until bigint NOT NULL
) WITH (fillfactor = 50);
CREATE SEQUENCE owner_token;
CREATE SEQUENCE lease_token;

CREATE TABLE lane (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    first_seq  bigint NOT NULL DEFAULT 0, -- it is held to account for the records from here on
    last_seq   bigint,                    -- and up to here, where it is configured no more
    ledger_seq bigint NOT NULL DEFAULT 0  -- the last record that is folded for it
);

-- The callbacks of one commit group, compressed and sealed together. Callback `seq` lies in the page with the
-- largest first_seq not above it.
CREATE TABLE callback_page (
    first_seq   bigint NOT NULL,
    count       bigint NOT NULL,
    received_at bigint NOT NULL, -- of the newest callback in the page
    sealed      bytea NOT NULL,
    PRIMARY KEY (first_seq, received_at)
) PARTITION BY RANGE (received_at);

-- Events that made no record, and repeats: one row each, `item` counting within the callback, and from 2^32 on for conclusions.
CREATE TABLE note (
    callback    bigint NOT NULL,
    item        bigint NOT NULL,
    account     text NOT NULL,
    received_at bigint NOT NULL,
    outcome     text NOT NULL,
    repeats     bigint, -- the callback whose event this one repeats
    matched     text,   -- what it repeats was found by its own 'id', or by 'resend', the business key
    problem     text,   -- what a later reading could not read; that of the first lies in the page
    PRIMARY KEY (callback, item, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX note_repeats ON note (repeats) WHERE repeats IS NOT NULL;
CREATE INDEX note_garbled ON note (callback) WHERE outcome = 'garbled';

-- Append-only: a record's revisions.
CREATE TABLE record (
    seq         bigint NOT NULL,
    id          uuid NOT NULL, -- of version 7
    revision    integer NOT NULL,
    callback    bigint NOT NULL,
    received_at bigint NOT NULL,
    urgent      smallint NOT NULL, -- 1 complaint, 0 rating
    level       smallint,
    account     text NOT NULL,
    caller      uuid, -- keyed digest of the number
    sealed      bytea NOT NULL,
    PRIMARY KEY (seq, received_at)
) PARTITION BY RANGE (received_at);
CREATE INDEX record_id ON record (id, revision);
CREATE INDEX record_callback ON record (callback);
CREATE INDEX record_caller ON record (caller, seq) WHERE caller IS NOT NULL;

-- What is still to be sent: narrow, and short whatever the history. A lease is a `token` and a `due_at` in the
-- future; an expired lease is simply due again. `urgent` is a rank, the highest first: 0 ratings, 1 complaints, above that
-- complaints near their deadline. Records of one case go one after the other: all but the first are due at the end of time,
-- until it is their turn.
CREATE TABLE outbox (
    lane        bigint NOT NULL,
    seq         bigint NOT NULL,
    received_at bigint NOT NULL, -- of the record: where it lies
    due_at      bigint NOT NULL,
    token       bigint NOT NULL, -- 0: not leased
    urgent      bigint NOT NULL,
    queued_at   bigint NOT NULL,
    case_key    bigint, -- keyed digest of what makes the case
    call_by     bigint, -- of a complaint: the end of the last day to call back, until that is near
    attempts    integer NOT NULL,
    PRIMARY KEY (lane, seq)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX outbox_due ON outbox (lane, urgent, due_at, seq) WITH (fillfactor = 80);
CREATE INDEX outbox_case ON outbox (lane, case_key, seq) WHERE case_key IS NOT NULL;
CREATE INDEX outbox_call_by ON outbox (lane, call_by, seq) WHERE call_by IS NOT NULL;

-- One thing that happened to records of a lane: a request to the platform, a replay, a newer revision.
CREATE SEQUENCE send_id;
CREATE TABLE send (
    id         bigint NOT NULL,
    lane       bigint NOT NULL,
    started_at bigint NOT NULL,
    took_ms    bigint NOT NULL,
    status     integer,
    answer     text NOT NULL,
    PRIMARY KEY (id, started_at)
) PARTITION BY RANGE (started_at);

-- Append-only: what each such thing did to each record. A record that is neither in the outbox nor a dead letter
-- has ended as its last line says. It lies in the month of its record.
CREATE TABLE attempt (
    lane        bigint NOT NULL,
    seq         bigint NOT NULL,
    send        bigint NOT NULL, -- 0: none
    received_at bigint NOT NULL, -- of the record
    attempt     integer NOT NULL,
    outcome     smallint NOT NULL, -- 1 delivered, 2 to be retried, 3 dead, 4 superseded, 5 replayed, 6 not for the lane
    PRIMARY KEY (lane, seq, send, received_at)
) PARTITION BY RANGE (received_at);

CREATE TABLE dead_letter (
    lane        bigint NOT NULL,
    seq         bigint NOT NULL,
    received_at bigint NOT NULL, -- of the record
    class       text NOT NULL,
    reason      text NOT NULL,
    died_at     bigint NOT NULL,
    attempts    integer NOT NULL,
    queued_at   bigint NOT NULL,
    case_key    bigint,
    PRIMARY KEY (lane, seq)
);
CREATE INDEX dead_letter_died ON dead_letter (died_at, lane, seq);
CREATE INDEX dead_letter_class ON dead_letter (lane, class);

-- Runs of operators that put dead letters back: the row changes with each step, in its transaction.
CREATE TABLE dead_replay (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operator   text NOT NULL,
    filter     text NOT NULL,
    started_at bigint NOT NULL,
    last_at    bigint NOT NULL, -- of the last step
    replayed   bigint NOT NULL,
    superseded bigint NOT NULL -- left out, as a later revision of the record goes out or has gone
);

-- Keyed digests of dedupe keys, business keys and one-time tokens: each leads to its newest callback.
CREATE TABLE dedupe_key (
    print       uuid NOT NULL,
    callback    bigint NOT NULL,
    received_at bigint NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX dedupe_key_print ON dedupe_key (print);

-- Quarantined callbacks that an operator wants read again. The row goes with the reading.
CREATE TABLE reread (
    callback     bigint PRIMARY KEY,
    requested_at bigint NOT NULL
);

-- Callbacks whose answers an operator wants read again by today's rules. The row goes with the reading.
CREATE TABLE revise (
    callback     bigint PRIMARY KEY,
    requested_at bigint NOT NULL,
    agreed       bytea NOT NULL -- keyed digests, 16 bytes each, of what the operator was shown
);

-- Events that are held until a conclusion is drawn from them. A concluded one is gone from here.
CREATE TABLE inbox (
    callback    bigint NOT NULL,
    item        bigint NOT NULL, -- as in `note`
    account     text NOT NULL,
    received_at bigint NOT NULL,
    sealed      bytea NOT NULL,
    PRIMARY KEY (callback, item)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

-- What is remembered of callers, calls and messages. The key's text is sealed with the value.
CREATE TABLE memory (
    digest  uuid PRIMARY KEY, -- keyed
    wake_at bigint,           -- when it wants to be looked at
    sealed  bytea NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX memory_wake ON memory (wake_at, digest) WHERE wake_at IS NOT NULL;

-- Messages to citizens, each in one state. A lease is a `token` and a `due_at` in the future, as in `outbox`.
CREATE TABLE message (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id        uuid NOT NULL UNIQUE, -- of version 7
    lane      text COLLATE "C" NOT NULL, -- the account that sends it; lanes of calls are found by how they begin
    state     smallint NOT NULL,    -- 0 waiting, 1 sent, 2 dropped, 3 dead
    due_at    bigint NOT NULL,
    token     bigint NOT NULL,      -- 0: not leased
    attempts  integer NOT NULL,
    in_doubt  smallint NOT NULL,    -- 1: an earlier lease was never settled
    queued_at bigint NOT NULL,
    expires   bigint NOT NULL,
    ended_at  bigint,               -- when it was sent, dropped or given up
    class     text,                 -- of a dead one
    reason    text,                 -- the last failure
    sealed    bytea NOT NULL,
    news      bytea                 -- what became of it, until a conclusion has taken it in; sealed
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX message_due ON message (lane, due_at, seq) WHERE state = 0;
CREATE INDEX message_ended ON message (state, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX message_untold ON message (seq) WHERE news IS NOT NULL;

-- Recordings of calls that are to be fetched from carriers, each in one state; what was fetched is in `audio`.
CREATE TABLE recording (
    id        uuid PRIMARY KEY,  -- of version 7
    account   text NOT NULL,     -- whose carrier has it
    state     smallint NOT NULL, -- 0 waiting, 1 kept, 2 lost
    due_at    bigint NOT NULL,
    leased    smallint NOT NULL, -- 1: somebody fetches it until due_at
    attempts  integer NOT NULL,
    queued_at bigint NOT NULL,
    ended_at  bigint,            -- when it was kept or lost
    reason    text,              -- the last failure
    sealed    bytea NOT NULL,    -- what is to be fetched
    became    bytea,             -- what became of it; sealed
    told      smallint NOT NULL  -- 1: a conclusion has taken that in
);
CREATE INDEX recording_due ON recording (account, due_at) WHERE state = 0;
CREATE INDEX recording_ended ON recording (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX recording_untold ON recording (ended_at, id) WHERE became IS NOT NULL AND told = 0;
CREATE TABLE audio (
    id     uuid PRIMARY KEY,
    sealed bytea NOT NULL
);
ALTER TABLE audio ALTER COLUMN sealed SET STORAGE EXTERNAL; -- it does not shrink

-- Lanes that hold: what operators ordered of them. Append-only, and never erased: the newest pause or resume of a lane stands.
CREATE TABLE lane_order (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane   bigint NOT NULL,
    kind   smallint NOT NULL, -- 1 pause, 2 resume, 3 probe
    at     bigint NOT NULL,
    who    text NOT NULL,
    reason text NOT NULL,     -- of a pause; else empty
    until  bigint             -- of a pause: when it ends by itself
);
CREATE INDEX lane_order_kind ON lane_order (lane, kind, id);

-- Lanes whose breaker is not closed, as each node last said of its own.
CREATE TABLE lane_trouble (
    lane     bigint NOT NULL,
    node     text NOT NULL,
    cause    text NOT NULL,
    since    bigint NOT NULL,
    probe_at bigint, -- NULL while one request is trying
    PRIMARY KEY (lane, node)
);

-- The ledger: of each account and hour what came, and what became of it. Its owner folds it forward from the other tables, so
-- it lags a little behind them; what is erased there stays here. Hours are counted since 1970 UTC and are those of `received_at`.
CREATE TABLE ledger (
    hour      bigint NOT NULL,
    account   text NOT NULL,    -- '?': of a page that cannot be opened
    callbacks bigint NOT NULL DEFAULT 0,
    repeats   bigint NOT NULL DEFAULT 0, -- notes that name what they repeat
    notes     bigint NOT NULL DEFAULT 0, -- the others
    records   bigint NOT NULL DEFAULT 0,
    first_seq bigint,           -- the records lie between these
    last_seq  bigint,
    PRIMARY KEY (hour, account)
) WITH (fillfactor = 70);

-- Callbacks of which nothing is stored. Each node counts them in memory and adds them every few seconds.
CREATE TABLE ledger_refused (
    hour      bigint NOT NULL,
    account   text NOT NULL,
    reason    text NOT NULL,
    callbacks bigint NOT NULL,
    PRIMARY KEY (hour, account, reason)
) WITH (fillfactor = 70);

-- Where the records of an account and hour are in each lane. Places are numbered like the outcomes of attempts: 1 delivered,
-- 2 pending, 3 dead, 4 superseded, 6 not for the lane; and 0 is in none of them, or in two.
CREATE TABLE ledger_lane (
    hour    bigint NOT NULL,
    account text NOT NULL,
    lane    bigint NOT NULL,
    place   bigint NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (hour, account, lane, place)
) WITH (fillfactor = 70);

-- Records that were folded when their place was not their last, and the place that they are counted in. They are looked at
-- again in rotation, and a purge leaves them alone.
CREATE TABLE ledger_open (
    lane        bigint NOT NULL,
    seq         bigint NOT NULL,
    received_at bigint NOT NULL, -- of the record
    place       bigint NOT NULL,
    PRIMARY KEY (lane, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- How far the ledger is. A purge does not pass it.
CREATE TABLE ledger_fold (
    id                integer PRIMARY KEY CHECK (id = 1),
    steps             bigint NOT NULL, -- taken so far: a step that was found before another was taken is void
    pages_to          bigint NOT NULL, -- the last page, by its first_seq
    notes_to          bigint NOT NULL, -- the last callback whose notes are counted; of these a later change counts at once
    records_to        bigint NOT NULL,
    callbacks_erased  bigint NOT NULL, -- some of what was received before this time is erased: callbacks and notes
    records_erased    bigint NOT NULL  -- records
) WITH (fillfactor = 50);
INSERT INTO ledger_fold VALUES (1, 0, 0, 0, 0, 0, 0);

-- What no month was made for.
CREATE TABLE callback_page_rest PARTITION OF callback_page DEFAULT;
CREATE TABLE note_rest PARTITION OF note DEFAULT;
CREATE TABLE record_rest PARTITION OF record DEFAULT;
CREATE TABLE send_rest PARTITION OF send DEFAULT;
CREATE TABLE attempt_rest PARTITION OF attempt DEFAULT;
CREATE TABLE dedupe_key_rest PARTITION OF dedupe_key DEFAULT;

-- The oldest schema whose programs may use this database (docs/operating/cluster.md).
INSERT INTO meta (key, value) VALUES ('works_with', '1');
