//! How long to wait after failures: exponential, with full jitter, and without an end, since a link
//! is no message that could be given up. Pure.

use std::time::Duration;

/// The ceilings of waits: the first doubles up to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ceilings {
    pub(super) first: Duration,
    pub(super) last: Duration,
}

impl Ceilings {
    /// The wait after so many failures in a row before this one: the `fraction` (0 to 1) of its
    /// ceiling, so that gateways which lost one server together do not come back together.
    pub(super) fn wait(self, failures: u32, fraction: f64) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.last).mul_f64(fraction.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CEILINGS: Ceilings =
        Ceilings { first: Duration::from_secs(1), last: Duration::from_secs(60) };

    #[test]
    fn ceilings_double_up_to_the_last() {
        let schedule: Vec<u64> =
            (0..8).map(|failures| CEILINGS.wait(failures, 1.0).as_secs()).collect();
        assert_eq!(schedule, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    proptest! {
        #[test]
        fn no_number_of_failures_is_too_many(failures: u32, fraction in 0.0..1.0) {
            prop_assert!(CEILINGS.wait(failures, fraction) <= CEILINGS.last);
        }
    }
}
