//! `bridge8890 reply`: shows how answers are read, and checks a file of answers with expectations.

use crate::model::{Channel, Direction, Level, Scheme, Tag};
use crate::normalize::{self, Reading, ReadingKind};
use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code for input that cannot be used, the same as for wrong arguments.
const UNUSABLE: u8 = 2;

/// Read answers as the gateway would, without a gateway.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 reply '不满意，等了三个月'
  bridge8890 reply --scheme desc 5 '5，没人管' --json
  bridge8890 reply --scheme desc --levels 10 10 '8满意'
  bridge8890 reply --channel ivr '1*2#'
  bridge8890 reply --csv replies.csv

A text that begins with a hyphen goes behind `--`. A CSV file has a header and the columns channel,
scheme, text, expected_kind, expected_level and expected_comment in any order, and may have levels
(3, 4, 5 or 10; 5 if empty) and zero (decline, or empty); further columns are ignored. Exit code: 0 read (all rows as expected), 1 some row is not, 2 unusable input.")]
pub(super) struct Args {
    /// What the digits mean: in `asc` 1 is the best, in `desc` the highest is
    #[arg(long, value_enum, default_value = "asc")]
    scheme: SchemeArg,
    /// How many digits there are
    #[arg(long, value_name = "3|4|5|10", default_value = "5", value_parser = parse_levels)]
    levels: u8,
    /// A 0 declines to rate
    #[arg(long)]
    zero_declines: bool,
    /// Whether the answers are text messages or keys pressed in a call
    #[arg(long, value_enum, default_value = "sms")]
    channel: ChannelArg,
    /// Print one JSON object per answer: kind, level, score, comment, rule, tags
    #[arg(long)]
    json: bool,
    /// Read the answers from this file and report every one that is not read as expected
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scheme", "levels", "zero_declines", "channel", "json", "texts"])]
    csv: Option<PathBuf>,
    /// The answers; an empty one is allowed (no keys pressed)
    #[arg(value_name = "TEXT", required_unless_present = "csv")]
    texts: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SchemeArg {
    Asc,
    Desc,
}

fn parse_levels(text: &str) -> Result<u8, String> {
    let known = |number: &u8| Scheme::USUAL.contains(number);
    text.parse().ok().filter(known).ok_or_else(|| "write 3, 4, 5 or 10".to_owned())
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ChannelArg {
    Sms,
    Ivr,
}

/// Runs the command; answers go to `out`, a complaint about unusable input to standard error.
///
/// # Errors
/// When `out` cannot be written.
pub(super) fn run(args: Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let Some(path) = args.csv else {
        let direction = match args.scheme {
            SchemeArg::Asc => Direction::Asc,
            SchemeArg::Desc => Direction::Desc,
        };
        let scheme = Scheme::usual(direction, args.levels).context("no usual number of levels")?;
        let scheme = scheme.with_zero_declining(args.zero_declines);
        let channel = match args.channel {
            ChannelArg::Sms => Channel::Sms,
            ChannelArg::Ivr => Channel::Ivr,
        };
        for text in &args.texts {
            print(&normalize::read(channel, scheme, text), text, args.json, out)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let checked = File::open(&path).map_err(Unusable::File).and_then(|file| check(file, out));
    match checked {
        Ok(0) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(Unusable::Out(error)) => Err(error.into()),
        Err(unusable) => {
            writeln!(io::stderr(), "bridge8890 reply: {}: {unusable}", path.display())?;
            Ok(ExitCode::from(UNUSABLE))
        }
    }
}

/// One answer, as `--json` prints it.
#[derive(Serialize)]
struct Answer<'a> {
    kind: &'static str,
    level: Option<u8>,
    score: Option<u8>,
    comment: &'a str,
    rule: &'a str,
    tags: &'a [Tag],
}

fn print(reading: &Reading, text: &str, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let tags = reading.tags();
    if json {
        let answer = Answer {
            kind: reading.kind.name(),
            level: reading.level.map(Level::number),
            score: reading.level.map(Level::score),
            comment: &reading.comment,
            rule: &reading.rule.0,
            tags: &tags,
        };
        serde_json::to_writer(&mut *out, &answer)?;
    } else {
        let level = reading.level.map(|level| format!(" {} {level}", level.number()));
        write!(out, "{text:?}: {}{}", reading.kind.name(), level.unwrap_or_default())?;
        if !reading.comment.is_empty() {
            write!(out, ", comment {:?}", reading.comment)?;
        }
        write!(out, " ({})", reading.rule)?;
        for tag in &tags {
            write!(out, " [{tag}]")?;
        }
    }
    writeln!(out)?;
    Ok(())
}

/// Why a file of answers cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0}")]
    File(io::Error),
    #[error("cannot write the result: {0}")]
    Out(#[from] io::Error),
    #[error("{0}; expected CSV in UTF-8 with a header")]
    Csv(#[from] csv::Error),
    #[error("the header has no column `{0}`; needed are {columns}", columns = COLUMNS.join(", "))]
    NoColumn(&'static str),
    #[error("the header has the column `{0}` twice")]
    TwoColumns(&'static str),
    #[error("line {line}: {column} is {got:?}; expected {expected}")]
    Value { line: u64, column: &'static str, got: String, expected: &'static str },
    #[error("no rows below the header")]
    Empty,
}

/// The columns of a file of answers, in the order in which [`check`] takes them.
const COLUMNS: [&str; 6] =
    ["channel", "scheme", "text", "expected_kind", "expected_level", "expected_comment"];

/// The columns that it need not have.
const SCHEME_COLUMNS: [&str; 2] = ["levels", "zero"];

/// Reads every row, prints each mismatch and the count; returns the number of mismatches.
fn check(file: impl Read, out: &mut impl Write) -> Result<u64, Unusable> {
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers()?;
    let columns = find_columns(header)?;
    let of_scheme = SCHEME_COLUMNS.map(|name| header.iter().position(|it| it.trim() == name));
    let (mut rows, mut mismatches) = (0, 0);
    for record in reader.into_records() {
        let record = record?;
        rows += 1;
        let row = Row::read(&record, &columns, of_scheme)?;
        let reading = normalize::read(row.channel, row.scheme, row.text);
        if !row.expects(&reading) {
            mismatches += 1;
            row.report(rows, &reading, out)?;
        }
    }
    if rows == 0 {
        return Err(Unusable::Empty);
    }
    writeln!(out, "{rows} rows, {mismatches} not as expected")?;
    Ok(mismatches)
}

/// Where each of [`COLUMNS`] stands.
fn find_columns(header: &csv::StringRecord) -> Result<[usize; COLUMNS.len()], Unusable> {
    let mut found = [0; COLUMNS.len()];
    for (at, name) in found.iter_mut().zip(COLUMNS) {
        let mut places = header.iter().enumerate().filter(|(_, field)| field.trim() == name);
        let (place, _) = places.next().ok_or(Unusable::NoColumn(name))?;
        if places.next().is_some() {
            return Err(Unusable::TwoColumns(name));
        }
        *at = place;
    }
    Ok(found)
}

/// One answer and what it should be read as.
struct Row<'a> {
    line: u64,
    channel: Channel,
    scheme: Scheme,
    text: &'a str,
    kind: ReadingKind,
    level: Option<Level>,
    comment: &'a str,
}

impl<'a> Row<'a> {
    fn read(
        record: &'a csv::StringRecord,
        columns: &[usize; COLUMNS.len()],
        of_scheme: [Option<usize>; SCHEME_COLUMNS.len()],
    ) -> Result<Row<'a>, Unusable> {
        let line = record.position().map_or(0, csv::Position::line);
        // The reader refuses records that are shorter than the header.
        let [channel, scheme, text, kind, level, comment] =
            columns.map(|at| record.get(at).unwrap_or_default());
        let [levels, zero] =
            of_scheme.map(|at| at.and_then(|at| record.get(at)).unwrap_or_default());
        let value = |column, got: &str, expected| Unusable::Value {
            line,
            column,
            got: got.to_owned(),
            expected,
        };
        let direction = match scheme {
            "asc" => Direction::Asc,
            "desc" => Direction::Desc,
            _ => return Err(value("scheme", scheme, "asc or desc")),
        };
        let number = if levels.is_empty() { Some(5) } else { levels.parse().ok() };
        let scheme = number.and_then(|number| Scheme::usual(direction, number));
        let scheme = scheme.ok_or_else(|| value("levels", levels, "3, 4, 5 or 10, or nothing"))?;
        Ok(Row {
            line,
            channel: match channel {
                "sms" => Channel::Sms,
                "ivr" => Channel::Ivr,
                _ => return Err(value("channel", channel, "sms or ivr")),
            },
            scheme: scheme.with_zero_declining(match zero {
                "decline" => true,
                "" => false,
                _ => return Err(value("zero", zero, "decline, or nothing")),
            }),
            text,
            kind: ReadingKind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(
                || {
                    value(
                        "expected_kind",
                        kind,
                        "rated, complaint, unsubscribe, declined or unrecognised",
                    )
                },
            )?,
            level: match level {
                "" => None,
                _ => {
                    let number = level.parse().ok().and_then(Level::from_number);
                    let wrong = || value("expected_level", level, "1 to 5, or nothing");
                    Some(number.ok_or_else(wrong)?)
                }
            },
            comment,
        })
    }

    fn expects(&self, reading: &Reading) -> bool {
        let Reading { kind, level, comment, rule: _ } = reading;
        (self.kind, self.level, self.comment) == (*kind, *level, comment)
    }

    fn report(&self, number: u64, got: &Reading, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "row {number} (line {}): {:?}", self.line, self.text)?;
        writeln!(out, "  expected {}", summary(self.kind, self.level, self.comment))?;
        let summary = summary(got.kind, got.level, &got.comment);
        writeln!(out, "  got      {summary} ({})", got.rule)
    }
}

fn summary(kind: ReadingKind, level: Option<Level>, comment: &str) -> String {
    let level = level.map_or_else(|| "no level".to_owned(), |level| level.number().to_string());
    format!("{}, {level}, comment {comment:?}", kind.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(args: &[&str]) -> Result<Args, clap::Error> {
        Command::try_parse_from(["reply"].iter().chain(args)).map(|command| command.args)
    }

    fn ran(args: &[&str]) -> (ExitCode, String) {
        let mut out = Vec::new();
        let code = run(parsed(args).unwrap(), &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn one_line_per_answer() {
        let (code, out) = ran(&["不满意，没人管", "", "1", "--scheme", "desc"]);
        assert_eq!(code, ExitCode::SUCCESS);
        assert_eq!(
            out,
            "\"不满意，没人管\": rated 2 不满意, comment \"没人管\" (D3) [不作为]\n\
             \"\": unrecognised (A5)\n\
             \"1\": rated 1 非常不满意 (C1)\n"
        );
        assert_eq!(ran(&["--channel", "ivr", "1*2#"]).1, "\"1*2#\": rated 4 满意 (G)\n");
        assert_eq!(
            ran(&["--scheme", "desc", "--levels", "10", "--zero-declines", "10", "0"]).1,
            "\"10\": rated 5 非常满意 (C1)\n\"0\": declined (C6)\n"
        );
        assert_eq!(
            ran(&["互相推诿没人管"]).1,
            "\"互相推诿没人管\": complaint, comment \"互相推诿没人管\" (F1) [不作为] [推诿]\n"
        );
    }

    #[test]
    fn one_json_object_per_answer() {
        let (_, out) = ran(&["2", "？", "--json"]);
        assert_eq!(
            out,
            "{\"kind\":\"rated\",\"level\":4,\"score\":8,\"comment\":\"\",\"rule\":\"C1\",\"tags\":[]}\n\
             {\"kind\":\"unrecognised\",\"level\":null,\"score\":null,\"comment\":\"\",\"rule\":\"A5\",\"tags\":[]}\n"
        );
    }

    #[test]
    fn texts_or_a_file_but_not_both() {
        for wrong in
            [&[][..], &["1", "--csv", "f"], &["--scheme", "up", "1"], &["--levels", "6", "1"]]
        {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
        assert!(parsed(&["--", "-1"]).is_ok());
    }

    fn checked(csv: &str) -> (Result<u64, String>, String) {
        let mut out = Vec::new();
        let count = check(csv.as_bytes(), &mut out).map_err(|unusable| unusable.to_string());
        (count, String::from_utf8(out).unwrap())
    }

    const HEADER: &str = "note,text,channel,scheme,expected_level,expected_kind,expected_comment\n";

    #[test]
    fn every_mismatch_and_the_count_are_printed() {
        let rows = "x,1,sms,asc,5,rated,\n,\"不满\n意\",sms,asc,1,rated,\n,0,ivr,asc,,rated,x\n";
        let (count, out) = checked(&format!("\u{feff}{HEADER}{rows}"));
        assert_eq!(count, Ok(2));
        assert_eq!(
            out,
            "row 2 (line 3): \"不满\\n意\"\n\
             \x20 expected rated, 1, comment \"\"\n\
             \x20 got      rated, 2, comment \"\" (D6)\n\
             row 3 (line 5): \"0\"\n\
             \x20 expected rated, no level, comment \"x\"\n\
             \x20 got      unrecognised, no level, comment \"\" (G)\n\
             3 rows, 2 not as expected\n"
        );
        assert_eq!(checked(&format!("{HEADER},1,sms,asc,5,rated,\n")).0, Ok(0));
        let shipped = include_str!("../../tests/fixtures/reply-schemes.csv");
        assert_eq!(checked(shipped).0, Ok(0));
    }

    #[test]
    fn unusable_input_is_named() {
        for (csv, expected) in [
            ("", "the header has no column `channel`"),
            ("channel,scheme,text,expected_kind,expected_level\n", "no column `expected_comment`"),
            ("channel,channel,scheme\n", "the column `channel` twice"),
            (HEADER, "no rows"),
            (&format!("{HEADER},1,fax,asc,5,rated,\n"), "line 2: channel is \"fax\"; expected sms"),
            (&format!("{HEADER},1,sms,up,5,rated,\n"), "line 2: scheme is \"up\"; expected asc"),
            (&format!("{HEADER},1,sms,asc,9,rated,\n"), "line 2: expected_level is \"9\""),
            (&format!("{HEADER},1,sms,asc,5,good,\n"), "line 2: expected_kind is \"good\""),
            (&format!("{HEADER},1,sms\n"), "line: 2"),
            (
                &format!("levels,{HEADER}6,,1,sms,asc,5,rated,\n"),
                "line 2: levels is \"6\"; expected 3, 4, 5 or 10",
            ),
        ] {
            let message = checked(csv).0.unwrap_err();
            assert!(message.contains(expected), "{csv:?}: {message}");
        }
    }

    #[test]
    fn the_exit_code_tells_mismatch_from_unusable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("replies.csv");
        let argument = path.to_str().unwrap().to_owned();
        for (rows, code) in [
            (",1,sms,asc,5,rated,\n", ExitCode::SUCCESS),
            (",1,sms,asc,1,rated,\n", ExitCode::FAILURE),
            (",1,fax,asc,1,rated,\n", ExitCode::from(2)),
        ] {
            std::fs::write(&path, format!("{HEADER}{rows}")).unwrap();
            assert_eq!(ran(&["--csv", &argument]).0, code, "{rows}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ran(&["--csv", &argument]).0, ExitCode::from(2));
    }
}
