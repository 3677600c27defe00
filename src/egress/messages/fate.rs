//! What becomes of a message after an attempt to send it. Pure.

use super::queue::Became;
use crate::carrier::send::{SendVerdict, Unsendable};
use crate::egress::backoff::{Backoff, Next};
use crate::egress::breaker::Health;
use crate::store::DeadClass;
use crate::telemetry::messages::RequestResult;
use jiff::Timestamp;
use std::time::Duration;

/// How long a carrier is left alone that says so without saying how long.
const BREATH: Duration = Duration::from_secs(1);

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The carrier answered, or something in between.
    Answered(SendVerdict),
    /// The carrier has seen nothing of it.
    Unreachable,
    /// No whole answer came; the carrier may have it or not.
    Lost,
    /// There is no request that would tell it.
    Unsendable(Unsendable),
}

/// An attempt to send a message.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// Since when the message waits.
    pub queued_at: Timestamp,
    /// From when it is not worth sending.
    pub expires: Timestamp,
    /// When the attempt ended.
    pub now: Timestamp,
    /// A random part of 1, by which a wait is shortened.
    pub fraction: f64,
}

/// What becomes of a message, and what it says about the lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// What becomes of it.
    pub became: Became,
    /// What the attempt said about the carrier; `None`: it was not asked.
    pub health: Option<Health>,
    /// What is counted.
    pub result: RequestResult,
}

/// What becomes of a message after this attempt. `repeatable`: the carrier knows it again by our
/// key, so that it may be sent once more when its fate is not known.
#[must_use]
pub fn fate(reply: &Reply, attempt: Attempt, repeatable: bool, backoff: &Backoff) -> Fate {
    let again = |asked, reason: &str| again(attempt, asked, reason, backoff);
    let of = |became, health, result| Fate { became, health: Some(health), result };
    match reply {
        Reply::Answered(SendVerdict::Sent { carrier_id }) => {
            of(Became::Sent { carrier_id: carrier_id.clone() }, Health::Well, RequestResult::Sent)
        }
        Reply::Answered(SendVerdict::Throttled { wait, code }) => {
            of(again(*wait, code), Health::Wait(wait.unwrap_or(BREATH)), RequestResult::Throttled)
        }
        Reply::Answered(SendVerdict::Retry { code }) => {
            of(again(None, code), Health::Failed, RequestResult::Refused)
        }
        Reply::Answered(SendVerdict::Final { code }) => {
            of(dead(DeadClass::Rejected, code), Health::Well, RequestResult::Rejected)
        }
        Reply::Unreachable => {
            of(again(None, "cannot connect"), Health::Failed, RequestResult::Failed)
        }
        Reply::Answered(SendVerdict::Unknown) | Reply::Lost if repeatable => {
            of(again(None, "no answer"), Health::Failed, RequestResult::Unknown)
        }
        Reply::Answered(SendVerdict::Unknown) => {
            let reason = "an answer that cannot be read: it may have been sent";
            of(dead(DeadClass::Unknown, reason), Health::Failed, RequestResult::Unknown)
        }
        Reply::Lost => {
            let reason = "no whole answer: it may have been sent";
            of(dead(DeadClass::Unknown, reason), Health::Failed, RequestResult::Unknown)
        }
        Reply::Unsendable(why @ (Unsendable::Text | Unsendable::Template)) => Fate {
            became: dead(DeadClass::Rejected, &why.to_string()),
            health: None,
            result: RequestResult::Unsendable,
        },
        // Somebody must repair the account before any message can go.
        Reply::Unsendable(why) => {
            of(again(None, &why.to_string()), Health::Faulty, RequestResult::Unsendable)
        }
    }
}

fn dead(class: DeadClass, reason: &str) -> Became {
    Became::Dead { class, reason: reason.to_owned() }
}

fn again(attempt: Attempt, asked: Option<Duration>, reason: &str, backoff: &Backoff) -> Became {
    let Attempt { number, queued_at, expires, now, fraction } = attempt;
    let age = Duration::try_from(now.duration_since(queued_at)).unwrap_or_default();
    match backoff.after(number, age, asked, fraction) {
        Next::GiveUp(class) => dead(class, reason),
        Next::Again(wait) => match now.checked_add(wait).unwrap_or(Timestamp::MAX) {
            due if due >= expires => {
                Became::Dropped { reason: format!("it expires before another try ({reason})") }
            }
            due => Became::Retry { due, reason: reason.to_owned() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use proptest::prelude::*;

    fn backoff() -> Backoff {
        let config = config::Backoff {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            max_attempts: 3,
            max_age: Duration::from_hours(1),
        };
        Backoff::new(&config).expect("sense")
    }

    fn attempt(number: u32) -> Attempt {
        let queued_at = Timestamp::from_second(1_772_677_230).expect("a time");
        let now = queued_at + Duration::from_secs(10);
        Attempt { number, queued_at, expires: now + Duration::from_secs(600), now, fraction: 1.0 }
    }

    fn of(reply: &Reply, attempt: Attempt, repeatable: bool) -> Became {
        fate(reply, attempt, repeatable, &backoff()).became
    }

    fn refused() -> Reply {
        Reply::Answered(SendVerdict::Retry { code: "busy".to_owned() })
    }

    #[test]
    fn failures_are_waited_out_until_attempts_or_life_are_over() {
        let reason = "busy".to_owned();
        let due = attempt(1).now + Duration::from_secs(1);
        assert_eq!(of(&refused(), attempt(1), false), Became::Retry { due, reason });
        assert_eq!(of(&refused(), attempt(3), false), dead(DeadClass::Attempts, "busy"));
        let dying = Attempt { expires: attempt(1).now + Duration::from_secs(1), ..attempt(1) };
        assert!(matches!(of(&refused(), dying, false), Became::Dropped { .. }));
    }

    #[test]
    fn a_throttling_carrier_is_left_alone_as_long_as_it_asks() {
        let wait = Some(Duration::from_secs(90));
        let throttled = Reply::Answered(SendVerdict::Throttled { wait, code: "slow".to_owned() });
        let fate = fate(&throttled, attempt(1), false, &backoff());
        assert_eq!(fate.health, Some(Health::Wait(Duration::from_secs(90))));
        let due = attempt(1).now + Duration::from_secs(90);
        assert_eq!(fate.became, Became::Retry { due, reason: "slow".to_owned() });
    }

    #[test]
    fn an_account_to_be_repaired_holds_the_lane_and_keeps_its_messages() {
        let unsendable = Reply::Unsendable(Unsendable::Key);
        let fate = fate(&unsendable, attempt(1), false, &backoff());
        assert_eq!(fate.health, Some(Health::Faulty));
        assert!(matches!(fate.became, Became::Retry { .. }));
    }

    proptest! {
        /// Whatever happens, a message that may have been taken is not sent again, unless the
        /// carrier knows it.
        #[test]
        fn nothing_of_unknown_fate_is_repeated(number in 1_u32..10, fraction in 0.0..1.0, lost: bool) {
            let attempt = Attempt { fraction, ..attempt(number) };
            let reply = if lost { Reply::Lost } else { Reply::Answered(SendVerdict::Unknown) };
            let is_given_up = matches!(
                of(&reply, attempt, false),
                Became::Dead { class: DeadClass::Unknown, .. }
            );
            prop_assert!(is_given_up);
        }
    }
}
