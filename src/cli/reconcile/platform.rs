//! What the platforms have of each day, beside what was delivered to them.

use crate::cli::period;
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::egress::counts::{self, Accepted, Told};
use crate::egress::platform::Platform;
use crate::store::{Day, Delivered, Hour, Reconciled};
use crate::telemetry::Metrics;
use crate::telemetry::identity::Identity;
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::iter::successors;

/// A day of a destination.
#[derive(Debug, Serialize)]
pub(super) struct PlatformDay {
    lane: String,
    day: Date,
    delivered: Accepted,
    /// Records that it may have and may not: pending, dead and superseded ones.
    unsure: u64,
    /// What it has, if it said so.
    accepted: Option<Accepted>,
    finding: Finding,
    error: Option<String>,
}

/// What the comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    /// It has what was delivered.
    Equal,
    /// It has what was delivered, and more that may be of those whose answer was lost.
    MayBe,
    /// It has less, or more than there can be.
    Differs,
    /// It does not know the question.
    CannotSay,
    /// Some of the day's records are erased here.
    Erased,
    /// It could not be asked.
    Failed,
}

/// The days to ask of: the one that is asked for, or all of which something was counted.
pub(super) fn days(counted: &Reconciled, asked: Option<Day>) -> Vec<Day> {
    let days: BTreeSet<Day> = match asked {
        Some(day) => [day].into(),
        None => counted.delivered.keys().map(|(_, day)| *day).collect(),
    };
    days.into_iter().collect()
}

/// Asks every destination whose profile can be asked, one day after the other.
pub(super) async fn ask(
    config: &Config,
    counted: &Reconciled,
    (days, key_id): (&[Day], Option<&str>),
) -> anyhow::Result<Vec<PlatformDay>> {
    // The platform of a gateway counts what its identity does; nobody reads this one's counts.
    let metrics = Metrics::new()?;
    let mut found = Vec::new();
    for destination in config.destinations() {
        let lane = destination.name.to_string();
        let platform = counts::can_be_asked(destination).then(|| {
            let telemetry = Identity::new(&metrics, &destination.name);
            Platform::new(destination, (Clock::system(), Entropy::system()), telemetry)
        });
        for day in days {
            let delivered = counted.delivered.get(&(lane.clone(), *day)).copied();
            let mut one = PlatformDay::new(&lane, *day, delivered.unwrap_or_default());
            let erased =
                counted.erased.records.is_some_and(|before| Hour::of(before) >= day.hours().since);
            if erased {
                one.finding = Finding::Erased;
            } else {
                match &platform {
                    None => {}
                    Some(Ok(platform)) => one.hear(counts::ask(platform, one.day, key_id).await),
                    Some(Err(error)) => one.fail(error),
                }
            }
            found.push(one);
        }
    }
    Ok(found)
}

impl PlatformDay {
    fn new(lane: &str, day: Day, delivered: Delivered) -> PlatformDay {
        let count = |records: i64| u64::try_from(records).unwrap_or_default();
        PlatformDay {
            lane: lane.to_owned(),
            day: period::date_of(day),
            delivered: Accepted {
                rating: count(delivered.ratings),
                complaint: count(delivered.complaints),
                not_rated: count(delivered.not_rated),
            },
            unsure: count(delivered.unsure),
            accepted: None,
            finding: Finding::CannotSay,
            error: None,
        }
    }

    fn hear(&mut self, told: Result<Told, counts::AskError>) {
        match told {
            Ok(Told::CannotSay) => {}
            Ok(Told::Counts(accepted)) => {
                self.accepted = Some(accepted);
                self.finding = compare(self.delivered, self.unsure, accepted);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &(dyn Error + 'static)) {
        let mut told = error.to_string();
        for cause in successors(error.source(), |error| (*error).source()).map(ToString::to_string)
        {
            // Some say theirs themselves.
            if !told.ends_with(&cause) {
                told = format!("{told}: {cause}");
            }
        }
        self.error = Some(told);
        self.finding = Finding::Failed;
    }

    pub(super) fn differs(&self) -> bool {
        self.finding == Finding::Differs
    }

    pub(super) fn failed(&self) -> bool {
        self.finding == Finding::Failed
    }
}

/// The platform must have what it was told of and acknowledged. Beyond that it may have what is still open here, since the
/// answer may have been lost.
fn compare(delivered: Accepted, unsure: u64, accepted: Accepted) -> Finding {
    let has_all = accepted.rating >= delivered.rating
        && accepted.complaint >= delivered.complaint
        && accepted.not_rated >= delivered.not_rated;
    match (has_all, accepted.sum().saturating_sub(delivered.sum())) {
        (true, 0) => Finding::Equal,
        (true, more) if more <= unsure => Finding::MayBe,
        _ => Finding::Differs,
    }
}

impl fmt::Display for PlatformDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |it: Accepted| {
            format!(
                "{} ratings, {} complaints, {} not rated",
                it.rating, it.complaint, it.not_rated
            )
        };
        write!(f, "{} {}: delivered {}; ", self.lane, self.day, words(self.delivered))?;
        let has = self.accepted.map(words).unwrap_or_default();
        match self.finding {
            Finding::Equal => write!(f, "the platform has them all and no more"),
            Finding::MayBe => {
                write!(f, "the platform has {has}: of {} it is not known here", self.unsure)
            }
            Finding::Differs => write!(f, "THE PLATFORM HAS {has}"),
            Finding::CannotSay => write!(f, "the platform cannot say"),
            Finding::Erased => write!(f, "some of that day is erased here"),
            Finding::Failed => write!(f, "{}", self.error.as_deref().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, parse};
    use std::path::Path;

    #[tokio::test]
    async fn one_that_cannot_be_called_fails_for_itself_and_the_others_are_reported() {
        let text = "[destination]\nsecret = 'env:S'\nca = '/nowhere/ca.pem'\n\
                    url = 'https://p.example'\n[destinations.other]\nsecret = 'env:S'\n\
                    url = 'http://127.0.0.1:1'\nallow_http = true\nrequest_timeout = '1s'";
        let environment = Environment::given(Path::new(""), &[("S", "secret")]);
        let config = parse(text, "f", &environment).unwrap_or_else(|it| panic!("{it}"));
        let day = period::day("2026-11-24".parse().expect("a day"));
        let found = ask(&config, &Reconciled::default(), (&[day], None)).await.expect("a report");
        assert_eq!(found.len(), 2);
        let errors = found.iter().map(|day| day.error.clone().unwrap_or_default());
        let errors: Vec<String> = errors.collect();
        assert!(errors[0].contains("cannot read trusted roots"), "{errors:?}");
        assert!(errors[1].contains("did not answer"), "{errors:?}");
        assert!(found.iter().all(PlatformDay::failed));
    }

    #[test]
    fn the_platform_has_what_it_acknowledged_and_maybe_what_is_open() {
        let has = |rating, complaint| Accepted { rating, complaint, not_rated: 0 };
        for (unsure, accepted, expected) in [
            (0, has(5, 2), Finding::Equal),
            (0, has(6, 2), Finding::Differs),
            (1, has(6, 2), Finding::MayBe),
            (1, has(6, 3), Finding::Differs),
            (9, has(4, 2), Finding::Differs),
            (9, has(8, 1), Finding::Differs),
        ] {
            assert_eq!(compare(has(5, 2), unsure, accepted), expected, "{accepted:?}");
        }
    }
}
