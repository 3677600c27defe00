//! The carriers' ways of writing a time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// What [`local`] expects, for the one who reads the error.
pub(crate) const LOCAL: &str = "expected YYYY-MM-DD hh:mm:ss or YYYYMMDDhhmmss";

/// What [`epoch_seconds`] expects.
pub(crate) const EPOCH_SECONDS: &str = "expected seconds since 1970";

/// A wall-clock time without a zone, `2026-03-05 10:20:30` or `20260305102030`, as it stands at
/// this offset.
pub(crate) fn local(text: &str, offset: Offset) -> Option<Timestamp> {
    let form = match text.len() {
        19 => "%Y-%m-%d %H:%M:%S",
        14 if text.bytes().all(|byte| byte.is_ascii_digit()) => "%Y%m%d%H%M%S",
        _ => return None,
    };
    let civil = DateTime::strptime(form, text).ok()?;
    offset.to_timestamp(civil).ok()
}

/// Seconds since 1970 as decimal text.
pub(crate) fn epoch_seconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEIJING: Offset = Offset::constant(8);

    #[test]
    fn one_moment_in_every_form() {
        let moment = epoch_seconds("1772677230");
        assert!(moment.is_some());
        assert_eq!(local("2026-03-05 10:20:30", BEIJING), moment);
        assert_eq!(local("20260305102030", BEIJING), moment);
        assert_eq!(local("2026-03-05 02:20:30", Offset::UTC), moment);
    }

    #[test]
    fn nothing_is_guessed() {
        for odd in [
            "",
            "2026-03-05",
            "2026-02-30 10:20:30",
            "2026-03-05 25:00:00",
            "2026-03-05T10:20Z",
            "2026-03-05 10:20+09",
            "202603051020",
            "二〇二六年三",
        ] {
            assert_eq!(local(odd, BEIJING), None, "{odd}");
        }
        for odd in ["", "1772677230.5", "９", "99999999999999999999"] {
            assert_eq!(epoch_seconds(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,20}", digits in "[0-9 :-]{14,19}") {
            for text in [text, digits] {
                let _ = (local(&text, BEIJING), epoch_seconds(&text));
            }
        }
    }
}
