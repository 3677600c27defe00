//! How dead letters are shown, one by one and counted.

use crate::cli::shown::{Listed, time};
use crate::store::{Bin, DeadLetter, RecordState};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Letters shown of many.
const SAMPLE: usize = 5;

#[derive(Debug, Serialize)]
pub(super) struct ShownLetter {
    number: i64,
    lane: String,
    bin: Bin,
    class: String,
    reason: String,
    first_tried_at: Option<String>,
    died_at: String,
    attempts: u32,
    waited_since: String,
    record: Listed,
}

impl ShownLetter {
    pub(super) fn new(letter: &DeadLetter) -> ShownLetter {
        let state = RecordState::Dead { class: letter.class.clone() };
        ShownLetter {
            number: letter.seq.0,
            lane: letter.lane.clone(),
            bin: Bin::of_class(&letter.class),
            class: letter.class.clone(),
            reason: letter.reason.clone(),
            first_tried_at: letter.first_tried_at.map(time),
            died_at: time(letter.died_at),
            attempts: letter.attempts,
            waited_since: time(letter.queued_at),
            record: Listed::new(&letter.record, state),
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let ShownLetter { number, lane, class, reason, died_at, attempts, .. } = self;
        let first = self.first_tried_at.as_deref().unwrap_or("-");
        writeln!(
            out,
            "{number}  {died_at}  {lane}  {}: {class} after {attempts} attempts since {first}: {reason}",
            self.bin.name()
        )?;
        writeln!(out, "    {}", self.record.line())
    }
}

/// What was counted, and the first few of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    /// All of them.
    pub(super) chosen: u64,
    by: Vec<Kind>,
    sample: Vec<ShownLetter>,
}

/// How many died of the same.
#[derive(Debug, Serialize)]
struct Kind {
    lane: String,
    bin: Bin,
    class: String,
    count: u64,
}

impl Tally {
    pub(super) fn add(&mut self, letter: &DeadLetter) {
        self.chosen += 1;
        if self.sample.len() < SAMPLE {
            self.sample.push(ShownLetter::new(letter));
        }
        let same = |kind: &&mut Kind| kind.lane == letter.lane && kind.class == letter.class;
        match self.by.iter_mut().find(same) {
            Some(kind) => kind.count += 1,
            None => self.by.push(Kind {
                lane: letter.lane.clone(),
                bin: Bin::of_class(&letter.class),
                class: letter.class.clone(),
                count: 1,
            }),
        }
    }

    pub(super) fn write(&self, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        if self.chosen == 0 {
            writeln!(out, "no dead letter fits")?;
            return Ok(());
        }
        let mut bins = BTreeMap::<Bin, u64>::new();
        for kind in &self.by {
            *bins.entry(kind.bin).or_default() += kind.count;
        }
        let bins: Vec<String> =
            bins.iter().map(|(bin, count)| format!("{count} {}", bin.name())).collect();
        writeln!(out, "{} dead letters fit: {}", self.chosen, bins.join(", "))?;
        for Kind { lane, bin, class, count } in &self.by {
            writeln!(out, "  {lane}  {}  {class}  {count}", bin.name())?;
        }
        writeln!(out, "the first to die:")?;
        for letter in &self.sample {
            letter.write(out)?;
        }
        Ok(())
    }
}
