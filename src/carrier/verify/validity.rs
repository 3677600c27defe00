//! When a proof was made, and whether that is now.

use crate::carrier::field::refined;
use crate::carrier::scope::Values;
use crate::carrier::template::{Special, render};
use crate::carrier::{Denied, time};
use crate::config::dialect::{Origin, TimeField};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;
use std::time::Duration;

/// What a proof tells about its time, all of it signed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Validity {
    /// When it was made.
    pub(super) at: Option<Timestamp>,
    /// Before that it does not hold.
    pub(super) from: Option<Timestamp>,
    /// After that it holds no longer.
    pub(super) until: Option<Timestamp>,
}

impl Validity {
    /// What a field of the request tells; `offset` is the account's.
    pub(super) fn read(field: &TimeField, values: &dyn Values, offset: Offset) -> Validity {
        let text = match &field.field.from {
            Origin::Places(places) => {
                let mut found = places.iter().filter_map(|place| values.value(place));
                found.find(|value| !value.is_empty()).unwrap_or_default().into_owned()
            }
            Origin::Template(template) => render(template, values, &Special::default()),
            Origin::Constant(text) => text.clone().into_bytes(),
        };
        let text = String::from_utf8(text).ok();
        let at = text.and_then(|text| {
            let text = refined(Cow::Owned(text), &field.field);
            time::read(text.trim(), &field.form, field.zone.unwrap_or(offset)).ok().flatten()
        });
        Validity { at, ..Validity::default() }
    }

    /// How far the carrier's clock is ahead of ours, if the proof holds now with this much
    /// tolerance. One that tells no time could come at any, and so holds never.
    ///
    /// # Errors
    /// [`Denied::Stale`].
    pub(super) fn skew(
        &self,
        now: Timestamp,
        tolerance: Duration,
    ) -> Result<Option<SignedDuration>, Denied> {
        let tolerance = SignedDuration::try_from(tolerance).unwrap_or(SignedDuration::MAX);
        let late = |limit: Timestamp| now.duration_since(limit) > tolerance;
        let early = |limit: Timestamp| limit.duration_since(now) > tolerance;
        let timed = self.at.is_some() || self.until.is_some();
        let far = self.at.is_some_and(|at| late(at) || early(at));
        if !timed || far || self.from.is_some_and(early) || self.until.is_some_and(late) {
            return Err(Denied::Stale);
        }
        Ok(self.at.map(|at| at.duration_since(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::sample::CLOCK;

    const TOLERANCE: Duration = Duration::from_secs(300);

    fn after(seconds: i64) -> Option<Timestamp> {
        Some(CLOCK + SignedDuration::from_secs(seconds))
    }

    #[test]
    fn a_proof_holds_within_the_tolerance_either_way() {
        let made = |seconds| Validity { at: after(seconds), ..Validity::default() };
        for seconds in [-300, 0, 300] {
            let skew = Ok(Some(SignedDuration::from_secs(seconds)));
            assert_eq!(made(seconds).skew(CLOCK, TOLERANCE), skew);
        }
        for seconds in [-301, 301] {
            assert_eq!(made(seconds).skew(CLOCK, TOLERANCE), Err(Denied::Stale));
        }
        let distant = Validity { at: Some(Timestamp::MIN), ..Validity::default() };
        assert_eq!(distant.skew(Timestamp::MAX, TOLERANCE), Err(Denied::Stale));
        assert!(distant.skew(Timestamp::MAX, Duration::MAX).is_ok());
    }

    #[test]
    fn a_proof_may_say_how_long_it_holds() {
        let window = |from, until| Validity { at: None, from: after(from), until: after(until) };
        assert_eq!(window(-10, 10).skew(CLOCK, TOLERANCE), Ok(None));
        assert_eq!(window(300, 400).skew(CLOCK, TOLERANCE), Ok(None));
        assert_eq!(window(301, 400).skew(CLOCK, TOLERANCE), Err(Denied::Stale));
        assert_eq!(window(-400, -300).skew(CLOCK, TOLERANCE), Ok(None));
        assert_eq!(window(-400, -301).skew(CLOCK, TOLERANCE), Err(Denied::Stale));
    }

    #[test]
    fn a_proof_without_a_time_never_holds() {
        assert_eq!(Validity::default().skew(CLOCK, Duration::MAX), Err(Denied::Stale));
        let from = Validity { from: after(-10), ..Validity::default() };
        assert_eq!(from.skew(CLOCK, Duration::MAX), Err(Denied::Stale));
    }
}
