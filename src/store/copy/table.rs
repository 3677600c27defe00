//! The tables that both kinds of store have, and where a column of one comes from in the other.

/// A table, by its name in both.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
}

/// A column of the database that nodes share.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it is of a row `t` of the directory's database.
    from: &'static str,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Bytes,
    /// A digest or an id, of 16 bytes.
    Id,
    /// The digest of a record's caller, which is kept elsewhere in a directory.
    Caller,
    /// The node, of which a directory has one without a name.
    Node,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, from: name }
}

const fn number(name: &'static str) -> Column {
    column(name, Kind::Number)
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn bytes(name: &'static str) -> Column {
    column(name, Kind::Bytes)
}

const fn id(name: &'static str) -> Column {
    column(name, Kind::Id)
}

/// When the record of a row was received, by which it lies in its month.
const RECEIVED: Column = Column {
    name: "received_at",
    kind: Kind::Number,
    from: "coalesce((SELECT r.received_at FROM record AS r WHERE r.seq = t.seq), 0)",
};
const CALLER: Column = Column { name: "caller", kind: Kind::Caller, from: "NULL" };
const NODE: Column = Column { name: "node", kind: Kind::Node, from: "NULL" };

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table { name, columns }
}

/// All of them; keys and recordings lie otherwise in a directory.
pub(super) static TABLES: [Table; 21] = [
    table(
        "lane",
        &[
            number("id"),
            text("name"),
            number("first_seq"),
            number("last_seq"),
            number("ledger_seq"),
        ],
    ),
    table(
        "callback_page",
        &[number("first_seq"), number("count"), number("received_at"), bytes("sealed")],
    ),
    table(
        "note",
        &[
            number("callback"),
            number("item"),
            text("account"),
            number("received_at"),
            text("outcome"),
            number("repeats"),
            text("matched"),
            text("problem"),
        ],
    ),
    table(
        "record",
        &[
            number("seq"),
            id("id"),
            number("revision"),
            number("callback"),
            number("received_at"),
            number("urgent"),
            number("level"),
            text("account"),
            CALLER,
            bytes("sealed"),
        ],
    ),
    table(
        "outbox",
        &[
            number("lane"),
            number("seq"),
            RECEIVED,
            number("due_at"),
            number("token"),
            number("urgent"),
            number("queued_at"),
            number("case_key"),
            number("call_by"),
            number("attempts"),
        ],
    ),
    table(
        "send",
        &[
            number("id"),
            number("lane"),
            number("started_at"),
            number("took_ms"),
            number("status"),
            text("answer"),
        ],
    ),
    table(
        "attempt",
        &[
            number("lane"),
            number("seq"),
            number("send"),
            RECEIVED,
            number("attempt"),
            number("outcome"),
        ],
    ),
    table(
        "dead_letter",
        &[
            number("lane"),
            number("seq"),
            RECEIVED,
            text("class"),
            text("reason"),
            number("died_at"),
            number("attempts"),
            number("queued_at"),
            number("case_key"),
        ],
    ),
    table(
        "dead_replay",
        &[
            number("id"),
            text("operator"),
            text("filter"),
            number("started_at"),
            number("last_at"),
            number("replayed"),
            number("superseded"),
        ],
    ),
    table("reread", &[number("callback"), number("requested_at")]),
    table("revise", &[number("callback"), number("requested_at"), bytes("agreed")]),
    table(
        "inbox",
        &[
            number("callback"),
            number("item"),
            text("account"),
            number("received_at"),
            bytes("sealed"),
        ],
    ),
    table("memory", &[id("digest"), number("wake_at"), bytes("sealed")]),
    table(
        "message",
        &[
            number("seq"),
            id("id"),
            text("lane"),
            number("state"),
            number("due_at"),
            number("token"),
            number("attempts"),
            number("in_doubt"),
            number("queued_at"),
            number("expires"),
            number("ended_at"),
            text("class"),
            text("reason"),
            bytes("sealed"),
            bytes("news"),
        ],
    ),
    table(
        "recording",
        &[
            id("id"),
            text("account"),
            number("state"),
            number("due_at"),
            number("leased"),
            number("attempts"),
            number("queued_at"),
            number("ended_at"),
            text("reason"),
            bytes("sealed"),
            bytes("became"),
            number("told"),
        ],
    ),
    table(
        "lane_order",
        &[
            number("id"),
            number("lane"),
            number("kind"),
            number("at"),
            text("who"),
            text("reason"),
            number("until"),
        ],
    ),
    table(
        "lane_trouble",
        &[number("lane"), NODE, text("cause"), number("since"), number("probe_at")],
    ),
    table(
        "ledger",
        &[
            number("hour"),
            text("account"),
            number("callbacks"),
            number("repeats"),
            number("notes"),
            number("records"),
            number("first_seq"),
            number("last_seq"),
        ],
    ),
    table(
        "ledger_refused",
        &[number("hour"), text("account"), text("reason"), number("callbacks")],
    ),
    table(
        "ledger_lane",
        &[number("hour"), text("account"), number("lane"), number("place"), number("records")],
    ),
    table("ledger_open", &[number("lane"), number("seq"), RECEIVED, number("place")]),
];

/// How far the ledger is: one row, which is there from the beginning.
pub(super) static FOLDED: Table = table(
    "ledger_fold",
    &[
        number("id"),
        number("steps"),
        number("pages_to"),
        number("notes_to"),
        number("records_to"),
        number("callbacks_erased"),
        number("records_erased"),
    ],
);

impl Table {
    /// What reads it from the directory.
    pub(super) fn select(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|it| format!("{} AS {}", it.from, it.name)).collect();
        format!("SELECT {} FROM {} AS t", columns.join(", "), self.name)
    }

    /// What adds a batch to the database, an array for each column.
    pub(super) fn insert(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|it| it.name).collect();
        let arrays: Vec<String> = self
            .columns
            .iter()
            .zip(1..)
            .map(|(column, place)| format!("${place}::{}[]", column.kind.sql()))
            .collect();
        format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM UNNEST({})",
            self.name,
            names.join(", "),
            arrays.join(", ")
        )
    }
}

impl Kind {
    fn sql(self) -> &'static str {
        match self {
            Kind::Number => "bigint",
            Kind::Text | Kind::Node => "text",
            Kind::Bytes => "bytea",
            Kind::Id | Kind::Caller => "uuid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_goes_column_by_column_from_one_to_the_other() {
        let open = TABLES.iter().find(|table| table.name == "ledger_open").expect("it is one");
        assert_eq!(
            open.select(),
            "SELECT lane AS lane, seq AS seq, coalesce((SELECT r.received_at FROM record AS r \
             WHERE r.seq = t.seq), 0) AS received_at, place AS place FROM ledger_open AS t"
        );
        assert_eq!(
            open.insert(),
            "INSERT INTO ledger_open (lane, seq, received_at, place) OVERRIDING SYSTEM VALUE \
             SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])"
        );
    }
}
