//! The carriers' ways of writing a time, read and written. Nothing is guessed: what does not fit is no time.

use crate::config::dialect::TimeForm;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::{Offset, TimeZone};
use std::borrow::Cow;

/// What was expected, for the one who reads the error.
pub(super) fn expected(form: &TimeForm) -> Cow<'static, str> {
    Cow::Borrowed(match form {
        TimeForm::Local => "expected YYYY-MM-DD hh:mm:ss or YYYYMMDDhhmmss",
        TimeForm::EpochSeconds => "expected seconds since 1970",
        TimeForm::EpochMillis => "expected milliseconds since 1970",
        TimeForm::EpochMicros => "expected microseconds since 1970",
        TimeForm::Epoch => "expected seconds, milliseconds or microseconds since 1970",
        TimeForm::Iso => "expected ISO 8601 with a zone",
        TimeForm::Rfc2822 => "expected a date as in RFC 2822",
        TimeForm::Pattern(pattern) => return Cow::Owned(format!("expected a time as {pattern}")),
    })
}

/// The moment in this text, which stands at `offset` where the form has no zone. `Ok(None)` is the
/// 0 that is written as an epoch where there is no time.
///
/// # Errors
/// What was expected.
pub(super) fn read(
    text: &str,
    form: &TimeForm,
    offset: Offset,
) -> Result<Option<Timestamp>, Cow<'static, str>> {
    let moment = match form {
        TimeForm::Local => local(text, offset),
        TimeForm::EpochSeconds => seconds(text),
        TimeForm::EpochMillis => whole(text).and_then(|it| Timestamp::from_millisecond(it).ok()),
        TimeForm::EpochMicros => whole(text).and_then(|it| Timestamp::from_microsecond(it).ok()),
        TimeForm::Epoch => epoch(text),
        TimeForm::Iso => text.parse().ok(),
        TimeForm::Rfc2822 => rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()),
        TimeForm::Pattern(pattern) => by_pattern(text, pattern, offset),
    };
    let is_epoch = matches!(
        form,
        TimeForm::EpochSeconds | TimeForm::EpochMillis | TimeForm::EpochMicros | TimeForm::Epoch
    );
    match moment {
        Some(moment) if is_epoch && moment == Timestamp::UNIX_EPOCH => Ok(None),
        Some(moment) => Ok(Some(moment)),
        None if is_epoch && text == "0" => Ok(None),
        None => Err(expected(form)),
    }
}

/// The moment in this form, at `offset` where the form has no zone; `None` for a pattern that
/// cannot be written.
pub(crate) fn write(at: Timestamp, form: &TimeForm, offset: Offset) -> Option<String> {
    let zoned = at.to_zoned_datetime(TimeZone::fixed(offset));
    match form {
        TimeForm::Local => strtime::format("%Y-%m-%d %H:%M:%S", &zoned).ok(),
        TimeForm::EpochSeconds => Some(at.as_second().to_string()),
        TimeForm::EpochMillis | TimeForm::Epoch => Some(at.as_millisecond().to_string()),
        TimeForm::EpochMicros => Some(at.as_microsecond().to_string()),
        TimeForm::Iso => strtime::format("%Y-%m-%dT%H:%M:%S%.3f%:z", &zoned).ok(),
        TimeForm::Rfc2822 => rfc2822::to_string(&zoned).ok(),
        TimeForm::Pattern(pattern) => strtime::format(pattern, &zoned).ok(),
    }
}

/// A wall-clock time: `2026-03-05 10:20:30.123`, with `T` or `/` too, without seconds, or 14 or 17
/// digits.
fn local(text: &str, offset: Offset) -> Option<Timestamp> {
    let text = text.as_bytes();
    let civil = match text.len() {
        14 | 17 => civil(&text[..4], &text[4..6], &text[6..8], &text[8..14], &text[14..])?,
        16.. => {
            let date = matches!((text[4], text[7]), (b'-', b'-') | (b'/', b'/'));
            if !date || !matches!(text[10], b' ' | b'T') || text[13] != b':' {
                return None;
            }
            let mut clock = *b"000000";
            clock[..2].copy_from_slice(&text[11..13]);
            clock[2..4].copy_from_slice(&text[14..16]);
            let fraction = match &text[16..] {
                [] => &[][..],
                [b':', tens, ones, rest @ ..] => {
                    clock[4..].copy_from_slice(&[*tens, *ones]);
                    match rest {
                        [] => rest,
                        [b'.', fraction @ ..] if !fraction.is_empty() => fraction,
                        _ => return None,
                    }
                }
                _ => return None,
            };
            civil(&text[..4], &text[5..7], &text[8..10], &clock, fraction)?
        }
        _ => return None,
    };
    offset.to_timestamp(civil).ok()
}

fn civil(year: &[u8], month: &[u8], day: &[u8], clock: &[u8], fraction: &[u8]) -> Option<DateTime> {
    let two = |digits: &[u8]| i8::try_from(number(digits)?).ok();
    DateTime::new(
        number(year)?,
        two(month)?,
        two(day)?,
        two(&clock[..2])?,
        two(&clock[2..4])?,
        two(&clock[4..6])?,
        nanoseconds(fraction)?,
    )
    .ok()
}

/// A few digits.
fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0_i16, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(i16::from(digit - b'0')),
        _ => None,
    })
}

fn seconds(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let moment = Timestamp::new(whole(seconds)?, nanoseconds(fraction.as_bytes())?);
    moment.ok()
}

/// By the number of digits, which are the same for any time from 2001 to 2286.
fn epoch(text: &str) -> Option<Timestamp> {
    let number = whole(text)?;
    match text.len() {
        10 => Timestamp::from_second(number).ok(),
        13 => Timestamp::from_millisecond(number).ok(),
        16 => Timestamp::from_microsecond(number).ok(),
        _ => None,
    }
}

fn by_pattern(text: &str, pattern: &str, offset: Offset) -> Option<Timestamp> {
    let parsed = BrokenDownTime::parse(pattern, text).ok()?;
    if let Ok(moment) = parsed.to_timestamp() {
        return Some(moment);
    }
    offset.to_timestamp(parsed.to_datetime().ok()?).ok()
}

/// A number of digits only.
fn whole(digits: &str) -> Option<i64> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

/// A fraction of a second; what is finer than a nanosecond is cut off.
fn nanoseconds(digits: &[u8]) -> Option<i32> {
    let mut nanoseconds = 0;
    for at in 0..9 {
        let digit = match digits.get(at) {
            Some(digit @ b'0'..=b'9') => i32::from(digit - b'0'),
            Some(_) => return None,
            None => 0,
        };
        nanoseconds = nanoseconds * 10 + digit;
    }
    digits.iter().all(u8::is_ascii_digit).then_some(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEIJING: Offset = Offset::constant(8);

    fn named(name: &str) -> TimeForm {
        let known = TimeForm::NAMES.into_iter().find(|(known, _)| *known == name);
        known.map_or_else(|| TimeForm::Pattern(name.to_owned()), |(_, form)| form)
    }

    fn moment(form: &str, text: &str, offset: Offset) -> Option<String> {
        read(text, &named(form), offset).ok().flatten().map(|moment| moment.to_string())
    }

    #[test]
    fn one_moment_in_every_form() {
        for (form, text) in [
            ("local", "2026-03-05 10:20:30"),
            ("local", "2026/03/05 10:20:30"),
            ("local", "2026-03-05T10:20:30.000"),
            ("local", "20260305102030"),
            ("local", "20260305102030000"),
            ("epoch_s", "1772677230"),
            ("epoch_s", "1772677230.0"),
            ("epoch_ms", "1772677230000"),
            ("epoch_us", "1772677230000000"),
            ("epoch", "1772677230"),
            ("epoch", "1772677230000"),
            ("epoch", "1772677230000000"),
            ("iso", "2026-03-05T02:20:30Z"),
            ("iso", "2026-03-05T10:20:30+08:00"),
            ("iso", "2026-03-05T10:20:30.000+0800"),
            ("rfc2822", "Thu, 05 Mar 2026 10:20:30 +0800"),
            ("%Y-%m-%dT%H:%M:%SZ", "2026-03-05T10:20:30Z"),
            ("%d.%m.%Y %H:%M:%S %z", "05.03.2026 02:20:30 +0000"),
        ] {
            let moment = moment(form, text, BEIJING);
            assert_eq!(moment.as_deref(), Some("2026-03-05T02:20:30Z"), "{form} {text}");
        }
        let minutes = "2026-03-05T02:20:00Z";
        assert_eq!(moment("local", "2026-03-05 10:20", BEIJING).as_deref(), Some(minutes));
        assert_eq!(moment("%y%m%d%H%M", "2603051020", BEIJING).as_deref(), Some(minutes));
        let fraction = "2026-03-05T10:20:30.25Z";
        assert_eq!(
            moment("local", "2026-03-05 10:20:30.25", Offset::UTC).as_deref(),
            Some(fraction)
        );
        assert_eq!(moment("local", "20260305102030250", Offset::UTC).as_deref(), Some(fraction));
        assert_eq!(moment("epoch_s", "1772706030.25", BEIJING).as_deref(), Some(fraction));
    }

    #[test]
    fn nothing_is_guessed() {
        for (form, odd) in [
            ("local", ""),
            ("local", "2026-03-05"),
            ("local", "2026-03/05 10:20:30"),
            ("local", "2026-02-30 10:20:30"),
            ("local", "2026-03-05 25:00:00"),
            ("local", "2026-03-05 10:20:30."),
            ("local", "2026-03-05 10:20:30.x"),
            ("local", "2026-03-05T10:20:30Z"),
            ("local", "2026-03-05T10:20Z"),
            ("local", "2026-03-05 10:20+09"),
            ("local", "202603051020"),
            ("local", "二〇二六年三"),
            ("local", "2026-03-05 1０:20"),
            ("epoch_s", ""),
            ("epoch_s", "９"),
            ("epoch_s", "-1"),
            ("epoch_s", "1e9"),
            ("epoch_s", "99999999999999999999"),
            ("epoch_ms", "1772677230.5"),
            ("epoch", "17726772300"),
            ("iso", "2026-03-05T10:20:30"),
            ("rfc2822", "yesterday"),
            ("%Y-%m-%d", "2026-03-05 10:20"),
        ] {
            assert!(read(odd, &named(form), BEIJING).is_err(), "{form} {odd}");
        }
    }

    #[test]
    fn zero_is_written_where_there_is_no_time() {
        for form in ["epoch_s", "epoch_ms", "epoch_us", "epoch"] {
            assert_eq!(read("0", &named(form), BEIJING), Ok(None), "{form}");
        }
    }

    #[test]
    fn each_form_is_written_as_carriers_do() {
        let at = Timestamp::from_millisecond(1_772_677_230_574).expect("a time");
        for (form, expected) in [
            (TimeForm::Local, "2026-03-05 10:20:30"),
            (TimeForm::EpochSeconds, "1772677230"),
            (TimeForm::EpochMillis, "1772677230574"),
            (TimeForm::EpochMicros, "1772677230574000"),
            (TimeForm::Epoch, "1772677230574"),
            (TimeForm::Iso, "2026-03-05T10:20:30.574+08:00"),
            (TimeForm::Rfc2822, "Thu, 5 Mar 2026 10:20:30 +0800"),
            (TimeForm::Pattern("%y%m%d%H%M".to_owned()), "2603051020"),
        ] {
            let written = write(at, &form, BEIJING);
            assert_eq!(written.as_deref(), Some(expected), "{form:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,24}", digits in "[0-9 :./T-]{14,24}") {
            for text in [text, digits] {
                for (_, form) in TimeForm::NAMES {
                    let _moment = read(&text, &form, BEIJING);
                }
                let _moment = read(&text, &named("%Y %m %d"), BEIJING);
            }
        }
    }
}
