//! `ledger`: of each account and hour what came, and what became of it.

use super::archive::Archive;
use super::period;
use crate::store::{Hour, Ledger, LedgerEntry, Places};
use jiff::civil::Date;
use jiff::tz::offset;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

/// Shows the ledger (对账) of a day: of each account and hour what came, and what became of it.
///
/// Received is stored and refused. Of what is stored: events that repeated an earlier one, events that made no record,
/// and record revisions; and of these where they are in each lane. What is in no place of its lane, or in two, is the
/// difference, which must be 0. What is erased by now still counts.
///
/// Exit code 0: nothing differs. 1: something does; `reconcile` shows what.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 ledger --config gateway.toml
  bridge8890 ledger --day 2026-11-24 --account yunpian --lane platform
  bridge8890 ledger --day 2026-11-24 --csv > 2026-11-24.csv")]
pub(super) struct Args {
    #[command(flatten)]
    archive: Archive,
    /// The day at +08:00; today if none is given.
    #[arg(long, value_name = "DATE")]
    day: Option<Date>,
    /// Of this account only.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// In this lane only.
    #[arg(long, value_name = "NAME")]
    lane: Option<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Comma-separated values instead of text.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// A row of the grid.
#[derive(Debug, Serialize)]
struct Row<'a> {
    hour: Hour,
    account: &'a str,
    received: i64,
    stored: i64,
    refused: &'a BTreeMap<String, i64>,
    repeats: i64,
    other_events: i64,
    records: i64,
    lanes: Vec<Lane<'a>>,
}

#[derive(Debug, Serialize)]
struct Lane<'a> {
    lane: &'a str,
    records: i64,
    #[serde(flatten)]
    places: Places,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    day: Date,
    rows: Vec<Row<'a>>,
    /// Record revisions of any day that are not in it yet.
    unfolded: i64,
    balances: bool,
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let day = args.day.map_or_else(period::today, period::day);
    let operator = args.archive.open().await?;
    let ledger = operator.ledger(day.hours(), args.account.as_deref()).await?;
    let report = Report::new(&ledger, period::date_of(day), args.lane.as_deref());
    match (args.json, args.csv) {
        (true, _) => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        (_, true) => report.write_csv(out)?,
        _ => report.write(out)?,
    }
    Ok(if report.balances { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl<'a> Report<'a> {
    fn new(ledger: &'a Ledger, day: Date, lane: Option<&str>) -> Report<'a> {
        let row = |((hour, account), entry): (&'a (Hour, String), &'a LedgerEntry)| {
            let lanes = entry.lanes.iter().filter(|(name, _)| lane.is_none_or(|it| it == *name));
            Row {
                hour: *hour,
                account,
                received: entry.received(),
                stored: entry.callbacks,
                refused: &entry.refused,
                repeats: entry.repeats,
                other_events: entry.notes,
                records: entry.records,
                lanes: lanes
                    .map(|(lane, places)| Lane { lane, records: places.records(), places: *places })
                    .collect(),
            }
        };
        let rows: Vec<Row<'_>> = ledger.book.iter().map(row).collect();
        let mut lanes = rows.iter().flat_map(|row| &row.lanes);
        let balances = lanes.all(|lane| lane.places.difference == 0);
        Report { day, rows, unfolded: ledger.unfolded, balances }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}, hours at +08:00", self.day)?;
        writeln!(
            out,
            "{:5}  {:16} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}  {:16} {:>9} {:>8} {:>6} {:>6} {:>7} {:>6}",
            "hour",
            "account",
            "received",
            "= stored",
            "+ ref'd",
            "repeats",
            "others",
            "records",
            "lane",
            "= deliv.",
            "+ pend.",
            "+ dead",
            "+ sup.",
            "+ other",
            "diff."
        )?;
        for row in &self.rows {
            row.write(out)?;
        }
        if self.rows.is_empty() {
            writeln!(out, "nothing came")?;
        }
        if self.unfolded > 0 {
            writeln!(
                out,
                "{} record revisions are still to be taken in: those of the last 10 s, or more after an upgrade",
                self.unfolded
            )?;
        }
        let said = if self.balances { "nothing differs" } else { "IT DIFFERS: see `reconcile`" };
        writeln!(out, "{said}")
    }

    fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "hour,account,received,stored,refused,refused_by_reason,repeats,other_events,records,\
             lane,delivered,pending,dead,superseded,not_for_it,difference"
        )?;
        for row in &self.rows {
            // None of these is quoted: accounts, lanes and reasons are plain names.
            let reasons: Vec<String> =
                row.refused.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
            let head = format!(
                "{},{},{},{},{},{},{},{},{}",
                row.hour.start().display_with_offset(offset(8)),
                row.account,
                row.received,
                row.stored,
                row.received - row.stored,
                reasons.join(";"),
                row.repeats,
                row.other_events,
                row.records
            );
            for Lane { lane, places: it, .. } in &row.lanes {
                writeln!(
                    out,
                    "{head},{lane},{},{},{},{},{},{}",
                    it.delivered, it.pending, it.dead, it.superseded, it.not_for_it, it.difference
                )?;
            }
            if row.lanes.is_empty() {
                writeln!(out, "{head},,,,,,,")?;
            }
        }
        Ok(())
    }
}

impl Row<'_> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let hour = offset(8).to_datetime(self.hour.start()).strftime("%H:%M");
        write!(
            out,
            "{hour:5}  {:16} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8}",
            self.account,
            self.received,
            self.stored,
            self.received - self.stored,
            self.repeats,
            self.other_events,
            self.records
        )?;
        for (place, Lane { lane, places: it, .. }) in self.lanes.iter().enumerate() {
            if place > 0 {
                write!(out, "\n{:78}", "")?;
            }
            write!(
                out,
                "  {lane:16} {:>9} {:>8} {:>6} {:>6} {:>7} {:>6}",
                it.delivered, it.pending, it.dead, it.superseded, it.not_for_it, it.difference
            )?;
        }
        writeln!(out)?;
        if !self.refused.is_empty() {
            let reasons: Vec<String> =
                self.refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            writeln!(out, "{:7}refused: {}", "", reasons.join(", "))?;
        }
        Ok(())
    }
}
