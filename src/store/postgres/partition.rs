//! History by month (UTC): which months there are, and making them before anything falls into them.
//!
//! What no month was made for is stored all the same, in `<table>_rest`, and stays there if it is much.

use super::turn::{News, Turn, roll_back};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};
use std::collections::BTreeSet;
use std::iter::successors;

/// Months that are made: this one and those behind it.
const AHEAD: usize = 3;
/// Rows that a month may take over from the rest, or leave there: what is done while everybody waits.
pub(super) const FEW: usize = 1_000;
/// How long a change of a table may wait for those who read it, since all others wait behind it. The server looks for deadlocks
/// after a second, so that we are always the one who gives way.
const PATIENCE: &str = "SET LOCAL lock_timeout = '100ms'";

/// A table that is kept by month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The column whose time decides about the month.
    pub(super) time: &'static str,
}

const fn table(name: &'static str) -> Table {
    Table { name, time: "received_at" }
}

pub(super) const PAGES: Table = table("callback_page");
pub(super) const NOTES: Table = table("note");
pub(super) const RECORDS: Table = table("record");
pub(super) const ATTEMPTS: Table = table("attempt");
pub(super) const SENDS: Table = Table { name: "send", time: "started_at" };
pub(super) const KEYS: Table = table("dedupe_key");

pub(super) const TABLES: [Table; 6] = [PAGES, NOTES, RECORDS, ATTEMPTS, SENDS, KEYS];

/// A month, by its first day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month(Date);

impl Month {
    /// The month that a time lies in.
    pub(super) fn of(at: Timestamp) -> Month {
        Month(TimeZone::UTC.to_datetime(at).date().first_of_month())
    }

    /// The one behind it, unless it is the last of all.
    fn next(self) -> Option<Month> {
        self.0.checked_add(1.month()).ok().map(Month)
    }

    /// When it begins, in milliseconds.
    pub(super) fn start(self) -> i64 {
        let days = self.0 - Date::constant(1970, 1, 1);
        i64::from(days.get_days()) * 86_400_000
    }

    /// When it is over, in milliseconds.
    pub(super) fn end(self) -> i64 {
        self.start() + i64::from(self.0.days_in_month()) * 86_400_000
    }

    /// The name of its part of a table.
    pub(super) fn part(self, table: Table) -> String {
        format!("{}_{:04}_{:02}", table.name, self.0.year(), self.0.month())
    }

    /// The month of a part of a table by its name.
    pub(super) fn of_part(table: Table, part: &str) -> Option<Month> {
        let (year, month) = part.strip_prefix(table.name)?.strip_prefix('_')?.split_once('_')?;
        let month = Month(Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?);
        (month.part(table) == part).then_some(month)
    }
}

/// The months that there have to be at a time.
fn ahead(now: Timestamp) -> impl Iterator<Item = Month> {
    successors(Some(Month::of(now)), |month| month.next()).take(AHEAD)
}

/// The months that there are, oldest first.
pub(super) async fn months(
    connection: &mut PgConnection,
) -> Result<Vec<(Table, Month)>, sqlx::Error> {
    let parts: Vec<(String, String)> = sqlx::query_as(
        "SELECT parent.relname::text, part.relname::text FROM pg_inherits
         JOIN pg_class AS parent ON parent.oid = inhparent
         JOIN pg_class AS part ON part.oid = inhrelid
         WHERE inhparent = ANY($1::text[]::regclass[]) AND NOT inhdetachpending",
    )
    .bind(TABLES.map(|table| table.name).to_vec())
    .fetch_all(connection)
    .await?;
    let month = |(of, part): &(String, String)| {
        let table = TABLES.into_iter().find(|table| table.name == of)?;
        Some((table, Month::of_part(table, part)?))
    };
    let mut months: Vec<_> = parts.iter().filter_map(month).collect();
    months.sort_by_key(|(_, month)| *month);
    Ok(months)
}

/// Makes this month and the next two where they are missing, each in a turn of its own, so that of several nodes one makes it.
/// Where somebody reads for long, it is left for the next time. Returns whether they are all there.
pub(super) async fn make_ahead(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let there = months(connection).await?;
    let mut complete = true;
    for table in TABLES {
        for month in ahead(now).filter(|month| !there.contains(&(table, *month))) {
            complete &= make(connection, table, month).await?;
        }
    }
    Ok(complete)
}

async fn make(
    connection: &mut PgConnection,
    table: Table,
    month: Month,
) -> Result<bool, sqlx::Error> {
    // Looked at twice, so that nobody waits for a month that is not made.
    if is_crowded(connection, table, month).await? {
        return Ok(false);
    }
    let turn = Turn::begin(connection).await?;
    let made = make_in_turn(connection, table, month).await;
    end(connection, turn, made).await.map(|made| made.unwrap_or(false))
}

/// Whoever adds waits for the turn to end, and finds either no month or a whole one.
async fn make_in_turn(
    connection: &mut PgConnection,
    table: Table,
    month: Month,
) -> Result<bool, sqlx::Error> {
    be_patient(connection).await?;
    if is_there(connection, table, month).await? {
        return Ok(true);
    }
    if is_crowded(connection, table, month).await? {
        return Ok(false);
    }
    attach(connection, table, month).await.map(|()| true)
}

/// Makes the months of a table that these times lie in, within a transaction of somebody who has the database for himself;
/// nothing of a table that is not kept by month. `times` is asked for those of a column.
pub(in crate::store) async fn make_months(
    connection: &mut PgConnection,
    table: &str,
    times: impl FnOnce(&str) -> Vec<i64>,
) -> Result<(), sqlx::Error> {
    let Some(table) = TABLES.into_iter().find(|it| it.name == table) else { return Ok(()) };
    let times = times(table.time).into_iter().filter_map(|at| Timestamp::from_millisecond(at).ok());
    let months: BTreeSet<Month> = times.map(Month::of).collect();
    for month in months {
        if !is_there(connection, table, month).await? {
            attach(connection, table, month).await?;
        }
    }
    Ok(())
}

async fn is_there(
    connection: &mut PgConnection,
    table: Table,
    month: Month,
) -> Result<bool, sqlx::Error> {
    let there = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL");
    there.bind(month.part(table)).fetch_one(connection).await
}

/// Makes a month, with what lies of it in the rest.
async fn attach(
    connection: &mut PgConnection,
    table: Table,
    month: Month,
) -> Result<(), sqlx::Error> {
    let (part, Table { name, time }) = (month.part(table), table);
    let (start, end) = (month.start(), month.end());
    // Attaching locks less than making a part in its place. What is erased row by row is soon to be used again.
    let sql = format!(
        "CREATE TABLE {part} (LIKE {name} INCLUDING ALL EXCLUDING INDEXES)
            WITH (autovacuum_vacuum_scale_factor = 0.03);
         WITH moved AS (DELETE FROM {name}_rest WHERE {time} >= {start} AND {time} < {end} RETURNING *)
         INSERT INTO {part} SELECT * FROM moved;
         ALTER TABLE {name} ATTACH PARTITION {part} FOR VALUES FROM ({start}) TO ({end})"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

/// Whether much of a month lies in the rest.
async fn is_crowded(
    connection: &mut PgConnection,
    Table { name, time }: Table,
    month: Month,
) -> Result<bool, sqlx::Error> {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM {name}_rest WHERE {time} >= $1 AND {time} < $2 OFFSET {FEW})"
    );
    let crowded = sqlx::query_scalar(AssertSqlSafe(sql)).bind(month.start()).bind(month.end());
    crowded.fetch_one(connection).await
}

/// Lets a change of a table wait only as long as that holds up nobody.
pub(super) async fn be_patient(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(PATIENCE)).await.map(drop)
}

/// Ends a turn of whose change this is the result; nothing if it gave way to somebody.
pub(super) async fn end<T>(
    connection: &mut PgConnection,
    turn: Turn,
    done: Result<T, sqlx::Error>,
) -> Result<Option<T>, sqlx::Error> {
    match done {
        Ok(done) => turn.end(connection, News::default()).await.map(|()| Some(done)),
        Err(error) => {
            roll_back(connection).await?;
            if gave_way(&error) { Ok(None) } else { Err(error) }
        }
    }
}

/// Whether a lock was not to be had in time.
fn gave_way(error: &sqlx::Error) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    const DEADLOCK_DETECTED: &str = "40P01";
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED].contains(&code.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From 1970 to 9999.
    fn times() -> impl Strategy<Value = Timestamp> {
        (0..253_402_207_200_000_i64)
            .prop_map(|millis| Timestamp::from_millisecond(millis).expect("a time"))
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_month_and_months_leave_no_gap(at in times()) {
            let month = Month::of(at);
            prop_assert!(month.start() <= at.as_millisecond() && at.as_millisecond() < month.end());
            let start = Timestamp::from_millisecond(month.start()).expect("a time");
            prop_assert!(start.to_string().ends_with("-01T00:00:00Z"));
            if let Some(next) = month.next() {
                prop_assert_eq!(next.start(), month.end());
                prop_assert!(next > month);
            }
        }

        #[test]
        fn a_month_is_known_by_the_name_of_its_part(at in times()) {
            let month = Month::of(at);
            for table in TABLES {
                prop_assert_eq!(Month::of_part(table, &month.part(table)), Some(month));
            }
        }

        #[test]
        fn this_month_and_the_next_two_have_to_be_there(at in times()) {
            let months: Vec<Month> = ahead(at).collect();
            prop_assert_eq!(months[0], Month::of(at));
            let later = |days: i64| at.checked_add((days * 24).hours()).ok().map(Month::of);
            prop_assert!(later(59).is_none_or(|month| months.contains(&month)));
        }
    }

    #[test]
    fn what_is_no_month_is_none() {
        for part in
            ["record_rest", "record_2026_13", "record_2026_1", "record_2026_01_gone", "recording"]
        {
            assert_eq!(Month::of_part(RECORDS, part), None, "{part}");
        }
        let month = Month::of("2026-02-28T23:59:59.999Z".parse().expect("a time"));
        assert_eq!(month.part(RECORDS), "record_2026_02");
        assert_eq!(month.end(), 1_772_323_200_000);
    }
}
