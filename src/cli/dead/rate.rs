//! How many dead letters go back a second: small steps, evenly spaced. Pure.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The most in one transaction, so that a serving gateway is not held up.
const STEP: u32 = 500;

/// Letters a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate(NonZeroU32);

/// A rate that is none.
#[derive(Debug, thiserror::Error)]
#[error("write how many a second, like 100/s; at least 1/s")]
pub(super) struct BadRate;

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Rate, BadRate> {
        text.strip_suffix("/s").unwrap_or(text).parse().map(Rate).map_err(|_| BadRate)
    }
}

impl Rate {
    /// How many go back in one step: about half a second's.
    pub(super) fn step(self) -> usize {
        usize::try_from(self.letters()).unwrap_or(usize::MAX)
    }

    /// The time from one step to the next.
    pub(super) fn pause(self) -> Duration {
        Duration::from_secs_f64(f64::from(self.letters()) / f64::from(self.0.get()))
    }

    fn letters(self) -> u32 {
        (self.0.get() / 2).clamp(1, STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rate_is_a_number_with_or_without_its_unit() {
        let rate = |text: &str| text.parse::<Rate>().ok().map(|rate| (rate.step(), rate.pause()));
        assert_eq!(rate("100/s"), Some((50, Duration::from_millis(500))));
        assert_eq!(rate("1"), Some((1, Duration::from_secs(1))));
        assert_eq!(rate("5000/s"), Some((500, Duration::from_millis(100))));
        for text in ["", "0", "0/s", "-1/s", "100/m", "/s", "1.5/s"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn steps_keep_to_the_rate(number in 1_u32..1_000_000) {
            let rate: Rate = number.to_string().parse().expect("a rate");
            prop_assert!(rate.step() <= 500);
            let a_second = rate.step() as f64 / rate.pause().as_secs_f64();
            prop_assert!((a_second / f64::from(number) - 1.0).abs() < 0.01, "{}", a_second);
        }
    }
}
