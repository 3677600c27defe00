//! How differences are shown: answer by answer, and counted.

use crate::cli::shown::time;
use crate::dialogue::{Amendment, Kept, Review};
use crate::model::{Difference, Record, differences};
use crate::store::StoredCallback;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// What was counted of all that was read again.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    /// Callbacks that were looked at.
    pub(super) callbacks: u64,
    /// Records that have a next revision.
    pub(super) revised: u64,
    /// Records that are new.
    pub(super) made: u64,
    /// Records that would not be made now, and stay.
    would_be_withdrawn: u64,
    /// Answers that cannot be read again, by the reason.
    cannot_be_read_again: BTreeMap<&'static str, u64>,
    /// Fields that differ, in records that are revised.
    fields: BTreeMap<&'static str, u64>,
}

/// One record, or an answer that cannot be read again, as a line of JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    callback: i64,
    account: &'a str,
    received_at: String,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    fields: BTreeMap<&'static str, Values>,
}

#[derive(Debug, Serialize)]
struct Values {
    old: Option<String>,
    new: Option<String>,
}

impl Tally {
    /// Counts and shows what an answer comes to.
    pub(super) fn show(
        &mut self,
        callback: &StoredCallback,
        review: &Review,
        json: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if let Some(why) = review.kept {
            *self.cannot_be_read_again.entry(why.reason()).or_default() += 1;
            return Shown { callback, json }.kept(why, out);
        }
        for amendment in &review.amendments {
            let shown = Shown { callback, json };
            match amendment {
                Amendment::Revised { old, new } => {
                    let differences = differences(Some(old), new);
                    self.revised += 1;
                    for Difference { field, .. } in &differences {
                        *self.fields.entry(field).or_default() += 1;
                    }
                    shown.record("revised", new, differences, out)?;
                }
                Amendment::Made(record) => {
                    self.made += 1;
                    shown.record("new", record, differences(None, record), out)?;
                }
                Amendment::Withdrawn(record) => {
                    self.would_be_withdrawn += 1;
                    shown.record("would be withdrawn", record, Vec::new(), out)?;
                }
            }
        }
        Ok(())
    }

    /// What it comes to in all.
    pub(super) fn sum_up(&self, json: bool, out: &mut impl Write) -> io::Result<()> {
        if json {
            return writeln!(out, "{}", serde_json::json!({ "total": self }));
        }
        let Tally { callbacks, revised, made, would_be_withdrawn, .. } = self;
        writeln!(
            out,
            "{callbacks} callbacks read again: {revised} records differ, {made} are new"
        )?;
        for (field, count) in &self.fields {
            writeln!(out, "  {field:<14} {count}")?;
        }
        if *would_be_withdrawn > 0 {
            writeln!(
                out,
                "{would_be_withdrawn} would not be recorded now; they stay, as the platform knows no \
                 withdrawal: tell it which"
            )?;
        }
        for (why, count) in &self.cannot_be_read_again {
            writeln!(out, "{count} cannot be read again: {why}")?;
        }
        Ok(())
    }
}

/// Where a line belongs, and in which form it is shown.
#[derive(Clone, Copy)]
struct Shown<'a> {
    callback: &'a StoredCallback,
    json: bool,
}

impl<'a> Shown<'a> {
    fn line(self, change: &'static str) -> Line<'a> {
        Line {
            callback: self.callback.seq.0,
            account: self.callback.account.as_str(),
            received_at: time(self.callback.received_at),
            change,
            record: None,
            revision: None,
            why: None,
            fields: BTreeMap::new(),
        }
    }

    fn kept(self, why: Kept, out: &mut impl Write) -> io::Result<()> {
        let line = Line { why: Some(why.reason()), ..self.line("kept") };
        match self.json {
            true => writeln!(out, "{}", serde_json::json!(line)),
            false => writeln!(out, "{}  cannot be read again: {}", head(&line), why.reason()),
        }
    }

    fn record(
        self,
        change: &'static str,
        record: &Record,
        differences: Vec<Difference>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let line = self.line(change);
        if self.json {
            let fields = differences
                .into_iter()
                .map(|Difference { field, old, new }| (field, Values { old, new }));
            let (id, revision) = (record.id.to_string(), record.revision.0);
            let record = (change != "new").then_some(id);
            let line = Line { record, revision: Some(revision), fields: fields.collect(), ..line };
            return writeln!(out, "{}", serde_json::json!(line));
        }
        let kind = record.meaning.name();
        let which = match change {
            "new" => String::new(),
            _ => format!("  {} r{}", record.id, record.revision),
        };
        writeln!(out, "{}  {kind}{which}  {change}", head(&line))?;
        for Difference { field, old, new } in differences {
            let side = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            writeln!(out, "    {field:<14} {} → {}", side(old), side(new))?;
        }
        Ok(())
    }
}

fn head(line: &Line<'_>) -> String {
    format!("{}  callback {}  {}", line.received_at, line.callback, line.account)
}
