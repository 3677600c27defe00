//! Faults that change by a program: each phase for its time, and in the end all is well.

use super::faults::{Faults, Mishap};
use super::written::time;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

/// What is wrong, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// How long.
    #[serde(rename = "for", with = "time")]
    pub lasts: Duration,
    /// What.
    #[serde(default)]
    pub faults: Faults,
}

/// Phases, one after the other. Pure: whoever runs it has the clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Program(pub Vec<Phase>);

impl Program {
    /// What is wrong so long after the beginning, and for how much longer; `None`: it is over.
    #[must_use]
    pub fn at(&self, since: Duration) -> Option<(Faults, Duration)> {
        let mut ends = Duration::ZERO;
        self.0.iter().find_map(|phase| {
            ends = ends.saturating_add(phase.lasts);
            (since < ends).then(|| (phase.faults, ends - since))
        })
    }

    /// How long it takes.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.0.iter().fold(Duration::ZERO, |sum, phase| sum.saturating_add(phase.lasts))
    }

    /// The same faults on and off: bad, then well, for so long each, so many times.
    fn on_and_off(faults: Faults, each: Duration, times: usize) -> Program {
        let phase = |faults| Phase { lasts: each, faults };
        Program([phase(faults), phase(Faults::default())].repeat(times))
    }

    /// The programs that come with it, by name: one for each way to be bad, on and off in steps of
    /// `each`, and one that goes through all of them.
    #[must_use]
    pub fn built_in(each: Duration) -> Vec<(&'static str, Program)> {
        let mut programs: Vec<(&'static str, Program)> = ways(each)
            .into_iter()
            .map(|(name, faults)| (name, Program::on_and_off(faults, each, 2)))
            .collect();
        let all = ways(each).into_iter().map(|(_, faults)| Phase { lasts: each, faults }).collect();
        programs.push(("everything", Program(all)));
        programs
    }
}

/// Every way to be bad that ends with everything delivered once it is over.
fn ways(each: Duration) -> Vec<(&'static str, Faults)> {
    let every = NonZeroU64::new;
    let sometimes = |mishap| Faults { mishap_every: every(3), ..Faults::from(mishap) };
    let refuse = |status| Mishap::Refuse { status, retry_after: None };
    let second = Duration::from_secs(1);
    vec![
        ("down", Faults { down: true, ..Faults::default() }),
        ("hang", Mishap::Hang.into()),
        ("slow", Faults { latency: each / 2, ..Faults::default() }),
        ("drop-before", sometimes(Mishap::DropBeforeWork)),
        ("drop-after", sometimes(Mishap::DropAfterWork)),
        ("drop-in-answer", sometimes(Mishap::DropInAnswer)),
        ("trickle", sometimes(Mishap::Trickle { every: Duration::from_millis(20) })),
        ("garbage", sometimes(Mishap::Garbage)),
        ("riddle", sometimes(Mishap::Riddle)),
        ("refuse-in-200", sometimes(Mishap::RefuseIn200)),
        ("error", sometimes(refuse(StatusCode::INTERNAL_SERVER_ERROR))),
        ("stranger", refuse(StatusCode::UNAUTHORIZED).into()),
        ("missing", refuse(StatusCode::NOT_FOUND).into()),
        (
            "busy",
            sometimes(Mishap::Refuse {
                status: StatusCode::TOO_MANY_REQUESTS,
                retry_after: Some(second),
            }),
        ),
        (
            "busy-until",
            sometimes(Mishap::RefuseUntil {
                status: StatusCode::SERVICE_UNAVAILABLE,
                wait: second,
            }),
        ),
        ("small-batches", Faults { max_batch: Some(7), ..Faults::default() }),
        ("narrow", Faults { records_per_second: NonZeroU32::new(100), ..Faults::default() }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn phases_follow_each_other_and_then_all_is_well() {
        let text = r#"[{"for":"2s","faults":{"down":true}},{"for":"1s"}]"#;
        let program: Program = serde_json::from_str(text).expect("a program");
        let down = Faults { down: true, ..Faults::default() };
        assert_eq!(program.at(Duration::ZERO), Some((down, 2 * SECOND)));
        assert_eq!(program.at(SECOND), Some((down, SECOND)));
        assert_eq!(program.at(2 * SECOND), Some((Faults::default(), SECOND)));
        assert_eq!(program.at(3 * SECOND), None);
        assert_eq!(program.lasts(), 3 * SECOND);
    }

    #[test]
    fn built_in_programs_differ_by_name_and_are_json() {
        let programs = Program::built_in(SECOND);
        let names: std::collections::BTreeSet<_> = programs.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), programs.len());
        for (name, program) in programs {
            let text = serde_json::to_string(&program).expect("plain data");
            assert_eq!(serde_json::from_str::<Program>(&text).ok(), Some(program), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_program_ends_when_it_says(
            lasts in prop::collection::vec(0_u64..100, 0..10), since in 0_u64..2000,
        ) {
            let phase = |lasts| Phase { lasts: Duration::from_millis(lasts), faults: Faults::default() };
            let program = Program(lasts.into_iter().map(phase).collect());
            let since = Duration::from_millis(since);
            match program.at(since) {
                Some((_, left)) => {
                    prop_assert!(!left.is_zero() && since + left <= program.lasts());
                }
                None => prop_assert!(since >= program.lasts()),
            }
        }
    }
}
