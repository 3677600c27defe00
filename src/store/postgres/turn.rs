//! A turn at the place lock: the one transaction, over all nodes, that may add to the store or move what is in the queue.
//!
//! It begins by locking the row of the next places and ends by writing them back, so that places are given in the order of
//! commits and every statement of a turn sees all turns before it (docs/adr/0011-one-place-lock.md).

use crate::store::plan::Places;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Row};

/// Where nodes hear of what others committed.
pub(super) const CHANNEL: &str = "bridge8890";

/// What a turn brings that others wait for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct News {
    /// Records were queued, or their turn has come.
    pub(super) records: bool,
    /// Events are held, or something became of a message or recording.
    pub(super) arrived: bool,
    /// Messages were queued.
    pub(super) messages: bool,
}

/// The lanes that records are queued for.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    /// Those that this node is configured for, in the order of its options.
    pub(super) ours: Vec<i64>,
    /// Those that only other nodes are configured for, as while a destination is added node by node: they get everything.
    pub(super) others: Vec<i64>,
}

impl Lanes {
    /// All of them, ours first.
    pub(super) fn all(&self) -> impl Iterator<Item = i64> {
        self.ours.iter().chain(&self.others).copied()
    }
}

/// What a turn begins with.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// The next places; whoever gives some advances them.
    pub(super) places: Places,
    /// Dedupe keys that were seen before this time are forgotten.
    pub(super) keys_from: i64,
    /// The record up to which this round of purging has looked.
    pub(super) purged_to: i64,
    /// The lanes that some node is configured for.
    active: Vec<i64>,
}

impl News {
    /// As it is told to other nodes.
    pub(super) fn payload(self) -> String {
        let kinds = [(self.records, 'r'), (self.arrived, 'a'), (self.messages, 'm')];
        kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect()
    }

    /// As it was told.
    pub(super) fn of_payload(payload: &str) -> News {
        News {
            records: payload.contains('r'),
            arrived: payload.contains('a'),
            messages: payload.contains('m'),
        }
    }
}

impl Turn {
    /// Begins a transaction and waits for its turn; whoever gives up rolls back.
    pub(super) async fn begin(connection: &mut PgConnection) -> Result<Turn, sqlx::Error> {
        // One trip for both.
        let row = connection
            .fetch_one(sqlx::raw_sql(
                "BEGIN; SELECT callback, record, keys_from, purged_to,
                    ARRAY(SELECT id FROM lane WHERE last_seq IS NULL ORDER BY id)
                 FROM place FOR UPDATE",
            ))
            .await?;
        Ok(Turn {
            places: Places { callback: row.try_get(0)?, record: row.try_get(1)? },
            keys_from: row.try_get(2)?,
            purged_to: row.try_get(3)?,
            active: row.try_get(4)?,
        })
    }

    /// The lanes to queue records for, of which these are ours.
    pub(super) fn lanes(&self, ours: &[i64]) -> Lanes {
        let others = self.active.iter().filter(|lane| !ours.contains(lane));
        Lanes { ours: ours.to_vec(), others: others.copied().collect() }
    }

    /// Writes the places back, tells the other nodes, and commits.
    pub(super) async fn end(
        self,
        connection: &mut PgConnection,
        news: News,
    ) -> Result<(), sqlx::Error> {
        let Turn { places, keys_from, purged_to, .. } = self;
        let mut sql = format!(
            "UPDATE place SET callback = {}, record = {}, keys_from = {keys_from},
                purged_to = {purged_to};",
            places.callback, places.record
        );
        if news != News::default() {
            sql.push_str(&format!("NOTIFY {CHANNEL}, '{}';", news.payload()));
        }
        sql.push_str("COMMIT");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
    }
}

/// Leaves a transaction that failed, wherever it stands.
pub(super) async fn roll_back(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql("ROLLBACK")).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_arrive_as_they_were_told() {
        for bits in 0..8 {
            let news =
                News { records: bits & 1 > 0, arrived: bits & 2 > 0, messages: bits & 4 > 0 };
            assert_eq!(News::of_payload(&news.payload()), news);
        }
    }
}
