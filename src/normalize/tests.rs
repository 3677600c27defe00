//! The rows of `tests/fixtures/reply-*.csv`, and what must hold for any text.

use super::*;

/// Reads every row of a file of replies; panics with all mismatches at once.
fn check(csv: &str) {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let mut rows = 0;
    let mut mismatches = String::new();
    for row in reader.records() {
        let row = row.unwrap();
        let channel = if &row[0] == "ivr" { Channel::Ivr } else { Channel::Sms };
        let scheme = if &row[1] == "desc" { Scheme::Desc } else { Scheme::Asc };
        let got = read(channel, scheme, &row[2]);
        let level = got.level.map(|level| level.number().to_string()).unwrap_or_default();
        let got = [got.kind.name(), &level, &got.comment, &got.rule.0];
        if got[..3] != [&row[3], &row[4], &row[5]] {
            mismatches += &format!("{:?}\n   got {got:?}\n", row);
        }
        rows += 1;
    }
    assert!(rows > 100, "only {rows} rows");
    assert!(mismatches.is_empty(), "\n{mismatches}");
}

#[test]
fn the_given_examples_are_read_as_expected() {
    check(include_str!("../../tests/fixtures/reply-examples.csv"));
}

#[test]
fn the_further_examples_are_read_as_expected() {
    check(include_str!("../../tests/fixtures/reply-more.csv"));
}
