//! Reading keys pressed in a call (G).

use crate::model::{Level, Scheme};

/// The level that a run of keys states, if any.
pub(super) fn level(scheme: Scheme, keys: &str) -> Option<Level> {
    if !keys.bytes().all(|key| matches!(key, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D')) {
        return None;
    }
    let entry = keys.rsplit('*').next().unwrap_or(keys);
    let entry = entry.split('#').next().unwrap_or(entry);
    match entry.as_bytes() {
        [key] => digit(scheme, *key),
        [key, again] if key == again => digit(scheme, *key),
        _ => None,
    }
}

fn digit(scheme: Scheme, key: u8) -> Option<Level> {
    scheme.level(key.checked_sub(b'0')?)
}
