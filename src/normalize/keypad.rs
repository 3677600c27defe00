//! Reading keys pressed in a call (G).

use super::{Reading, ReadingKind};
use crate::model::Scheme;

/// Reads a run of keys.
pub(super) fn read(scheme: Scheme, keys: &str) -> Reading {
    let number = number(keys);
    match number.and_then(|number| scheme.level(number)) {
        Some(level) => Reading { level: Some(level), ..Reading::bare(ReadingKind::Rated, "G") },
        None if number == Some(0) && scheme.zero_declines() => {
            Reading::bare(ReadingKind::Declined, "G")
        }
        None => Reading::bare(ReadingKind::Unrecognised, "G"),
    }
}

/// The number that was entered: one key, the same key twice (a double press), or 10.
fn number(keys: &str) -> Option<u8> {
    if !keys.bytes().all(|key| matches!(key, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D')) {
        return None;
    }
    let entry = keys.rsplit('*').next().unwrap_or(keys);
    let entry = entry.split('#').next().unwrap_or(entry);
    match entry.as_bytes() {
        b"10" => Some(10),
        [key] => digit(*key),
        [key, again] if key == again => digit(*key),
        _ => None,
    }
}

fn digit(key: u8) -> Option<u8> {
    key.checked_sub(b'0').filter(|digit| *digit <= 9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, Level};

    /// The keypad, and what no keypad has.
    const KEYS: &str = "0123456789*#ABCDx";

    /// The keys as the citizen means them, one after another: what stands in the entry, and whether
    /// it was sent off.
    fn entered(keys: &str) -> Option<String> {
        let (mut entry, mut sent_off) = (String::new(), false);
        for key in keys.chars() {
            match key {
                '*' => (entry, sent_off) = (String::new(), false),
                '#' => sent_off = true,
                '0'..='9' | 'A'..='D' if sent_off => {}
                '0'..='9' | 'A'..='D' => entry.push(key),
                _ => return None,
            }
        }
        Some(entry)
    }

    /// What an entry says: kind, and level by the digits from the best to the worst.
    fn said(entry: Option<&str>, from_best: &[u8], zero: bool) -> (ReadingKind, Option<u8>) {
        let entry = entry.unwrap_or_default();
        let level = |number: usize| match number.checked_sub(1).and_then(|at| from_best.get(at)) {
            Some(level) => (ReadingKind::Rated, Some(*level)),
            None if number == 0 && zero => (ReadingKind::Declined, None),
            None => (ReadingKind::Unrecognised, None),
        };
        for number in 0..=9 {
            if entry == number.to_string() || entry == format!("{number}{number}") {
                return level(number);
            }
        }
        if entry == "10" { level(10) } else { (ReadingKind::Unrecognised, None) }
    }

    fn every(length: usize, keys: &mut String, judge: &mut impl FnMut(&str)) {
        judge(keys);
        if keys.len() < length {
            for key in KEYS.chars() {
                keys.push(key);
                every(length, keys, judge);
                keys.pop();
            }
        }
    }

    #[test]
    fn every_sequence_of_up_to_four_keys_is_what_its_entry_says() {
        let schemes: [&[u8]; 4] =
            [&[5, 4, 3, 2, 1], &[4, 3, 2], &[5, 4, 3, 2], &[5, 5, 4, 4, 2, 2, 2, 2, 1, 1]];
        for direction in [Direction::Asc, Direction::Desc] {
            for (levels, zero) in schemes.iter().zip([false, true, true, false]) {
                let digits = u8::try_from(levels.len()).expect("few");
                let scheme =
                    Scheme::usual(direction, digits).expect("usual").with_zero_declining(zero);
                let mut by_digit = levels.to_vec();
                if direction == Direction::Desc {
                    by_digit.reverse();
                }
                let mut count = 0;
                every(4, &mut String::new(), &mut |keys| {
                    let reading = read(scheme, keys);
                    let found = (reading.kind, reading.level.map(Level::number));
                    assert_eq!(found, said(entered(keys).as_deref(), &by_digit, zero), "{keys}");
                    assert_eq!((&*reading.rule.0, &*reading.comment), ("G", ""), "{keys}");
                    count += 1;
                });
                assert_eq!(count, (0..=4).map(|length| 17_usize.pow(length)).sum::<usize>());
            }
        }
    }
}
