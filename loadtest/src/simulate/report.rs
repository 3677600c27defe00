//! What every account's carrier heard, as a table.

use super::line::Heard;
use crate::output;
use bridge8890::config::Account;
use bridge8890::standin::carriers::speaker::Way;
use serde::Serialize;

/// Surprises that are told one by one, for each account.
const TOLD: usize = 5;

/// What one account's carrier heard.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    account: String,
    carrier: String,
    /// Requests, retries among them.
    pub(super) sent: u64,
    /// Answered as the carrier wants it.
    pub(super) acknowledged: u64,
    /// Sent again because an answer was missing or not a success.
    pub(super) retried: u64,
    /// Repeats answered as such.
    pub(super) repeated_alike: u64,
    /// Refused for the wrong time, as it should be.
    pub(super) refused_as_expected: u64,
    /// Anything else.
    surprises: u64,
    /// The first of them.
    told: Vec<String>,
    /// Why the account was not called, or not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<String>,
}

impl Row {
    pub(super) fn of(account: &Account) -> Row {
        let (account, carrier) = (account.name.to_string(), account.dialect.carrier.clone());
        Row { account, carrier, ..Row::default() }
    }

    /// How often something else happened than should.
    pub(super) fn surprises(&self) -> u64 {
        self.surprises
    }

    /// Counts an answer that should have been another.
    pub(super) fn surprise(&mut self, way: &Way<'_>, scenario: &str, heard: &Heard) {
        self.broken(way, scenario, &heard.to_string());
    }

    /// Counts what should not have happened.
    pub(super) fn broken(&mut self, way: &Way<'_>, scenario: &str, what: &str) {
        self.surprises += 1;
        if self.told.len() < TOLD {
            let Way { route, rule, method, format, .. } = way;
            let told = format!(
                "{scenario} /{} {} by {method} as {format:?}: {what}",
                route.name, rule.name
            );
            self.told.push(told);
        }
    }
}

/// What all heard.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    accounts: Vec<Row>,
}

impl Report {
    pub(super) fn new(mut rows: Vec<Row>) -> Report {
        rows.sort_by(|one, other| one.account.cmp(&other.account));
        Report { accounts: rows }
    }

    pub(super) fn surprises(&self) -> u64 {
        self.accounts.iter().map(Row::surprises).sum()
    }
}

const HEAD: [&str; 8] = [
    "account",
    "carrier",
    "sent",
    "acknowledged",
    "retried",
    "repeated alike",
    "refused as expected",
    "surprises",
];

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = |row: &Row| {
            let counts = [
                row.sent,
                row.acknowledged,
                row.retried,
                row.repeated_alike,
                row.refused_as_expected,
                row.surprises,
            ];
            let mut cells = vec![row.account.clone(), row.carrier.clone()];
            cells.extend(counts.map(|count| count.to_string()));
            cells
        };
        let lines: Vec<_> = self.accounts.iter().map(line).collect();
        f.write_str(&output::table(&HEAD, &lines))?;
        for row in &self.accounts {
            if let Some(why) = &row.skipped {
                write!(f, "\n{}: not played: {why}", row.account)?;
            }
            for told in &row.told {
                write!(f, "\n{}: {told}", row.account)?;
            }
        }
        match self.surprises() {
            0 => write!(f, "\nevery answer was as it should be"),
            surprises => write!(f, "\n{surprises} surprises"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprises_are_counted_over_all_accounts() {
        let row = |account: &str, surprises| Row {
            account: account.to_owned(),
            surprises,
            ..Row::default()
        };
        let report = Report::new(vec![row("b", 2), row("a", 1)]);
        assert_eq!((report.surprises(), report.accounts[0].account.as_str()), (3, "a"));
        assert!(report.to_string().ends_with("3 surprises"), "{report}");
        let quiet = Report::new(vec![row("a", 0)]);
        assert!(quiet.to_string().ends_with("every answer was as it should be"), "{quiet}");
    }
}
