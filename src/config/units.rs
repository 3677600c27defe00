//! Durations (`10s`, `5m`, `3d`) and sizes (`256 MiB`) as people write them.

use bytesize::ByteSize;
use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// What is wrong with it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|fault| format!("{text:?} is not a duration ({fault})"))
}

/// Reads a size; the unit is part of it, since a bare number invites a wrong guess.
///
/// # Errors
/// What is wrong with it.
pub(super) fn size(text: &str) -> Result<u64, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} is a size without its unit"));
    }
    match text.parse::<ByteSize>() {
        Ok(size) => Ok(size.as_u64()),
        Err(_) => Err(format!("{text:?} is not a size")),
    }
}

/// A duration as this file's keys would have it.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A size as this file's keys would have it.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string().replace(".0 ", " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_and_sizes_are_read_with_their_units() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("3d"), Ok(Duration::from_hours(72)));
        assert_eq!(size("256 MiB"), Ok(256 << 20));
        assert_eq!(size("1MB"), Ok(1_000_000));
        for bad in ["", "10", "ten seconds", "-1s", "10 parsecs"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "1048576", "1 MiBs", "much", "-1 MiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_back(seconds in 0_u64..100_000_000) {
            let shown = show_duration(Duration::from_secs(seconds));
            prop_assert_eq!(duration(&shown), Ok(Duration::from_secs(seconds)));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,40}") {
            std::hint::black_box((duration(&text).is_ok(), size(&text).is_ok()));
        }
    }
}
