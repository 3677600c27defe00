-- Lanes that hold: what operators ordered of them, and what their breakers say.

-- Append-only, and never erased: the newest pause or resume of a lane stands.
CREATE TABLE lane_order (
    id     INTEGER PRIMARY KEY,
    lane   INTEGER NOT NULL,
    kind   INTEGER NOT NULL, -- 1 pause, 2 resume, 3 probe
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,
    reason TEXT NOT NULL,    -- of a pause; else empty
    until  INTEGER           -- of a pause: when it ends by itself
) STRICT;
CREATE INDEX lane_order_kind ON lane_order (lane, kind);

-- Lanes whose breaker is not closed, as a serving gateway last said.
CREATE TABLE lane_trouble (
    lane     INTEGER PRIMARY KEY,
    cause    TEXT NOT NULL,
    since    INTEGER NOT NULL,
    probe_at INTEGER -- NULL while one request is trying
) STRICT;
