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
