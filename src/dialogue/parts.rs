//! Long texts that arrive in parts: joined in any order, before they are read.

use super::matching::later;
use super::memory::{Heard, MOST_PART_SETS, MOST_PARTS, PartSet};
use crate::model::{EventBody, TextPart};
use jiff::Timestamp;
use std::time::Duration;

/// A text with all of its parts, or with those that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    /// The whole text in the place of its first part.
    pub(super) heard: Heard,
    /// Whether parts are missing.
    pub(super) partial: bool,
}

/// The place of a text in a longer one; `None` if it is a text of its own, whatever it says.
pub(super) fn part_of(heard: &Heard) -> Option<(&TextPart, &str)> {
    let EventBody::SmsReply { text } = &heard.event.body else { return None };
    let part = heard.event.part.as_ref()?;
    let is_part = part.total > 1 && (1..=part.total).contains(&part.number);
    is_part.then_some((part, text))
}

/// Adds a part, and gives what can be read now: the text that it completes, and before it what
/// can wait no longer. A text whose reference comes again with other words is over.
pub(super) fn add(sets: &mut Vec<PartSet>, heard: Heard, timeout: Duration) -> Vec<Joined> {
    let Some((part, text)) = part_of(&heard) else { return vec![Joined { heard, partial: false }] };
    let (part, text) = (part.clone(), text.to_owned());
    let at = heard.origin.received_at;
    let mut ready = Vec::new();
    for set in sets.iter_mut().filter(|set| set.takes(&heard)) {
        if set.has(part.number, &text) {
            return ready;
        }
        if set.contradicts(part.number, &text) || set.until <= at {
            ready.extend(set.finish(later(at, timeout)));
        }
    }
    if part.number > MOST_PARTS {
        return ready;
    }
    let waiting = sets.iter().position(|set| !set.is_read && set.takes(&heard));
    let place = waiting.unwrap_or_else(|| {
        let until = later(at, timeout);
        ready.extend(make_room(sets, until));
        sets.push(PartSet {
            reference: part.reference,
            total: part.total,
            parts: Vec::new(),
            is_read: false,
            until,
            first: heard,
        });
        sets.len() - 1
    });
    let set = &mut sets[place];
    let gap = set.parts.partition_point(|(number, _)| *number < part.number);
    set.parts.insert(gap, (part.number, text));
    if set.parts.len() == usize::from(set.total.min(MOST_PARTS)) {
        ready.extend(set.finish(later(at, timeout)));
    }
    ready
}

/// Gives what waited long enough, and forgets what is over.
pub(super) fn due(sets: &mut Vec<PartSet>, now: Timestamp, timeout: Duration) -> Vec<Joined> {
    sets.retain(|set| !set.is_read || now < set.until);
    let overdue = sets.iter_mut().filter(|set| now >= set.until);
    overdue.filter_map(|set| set.finish(later(now, timeout))).collect()
}

/// Sees to it that one more fits: what was read goes first, then the oldest is read as it is.
fn make_room(sets: &mut Vec<PartSet>, until: Timestamp) -> Option<Joined> {
    if sets.len() < MOST_PART_SETS {
        return None;
    }
    let place = sets.iter().position(|set| set.is_read).unwrap_or(0);
    sets.remove(place).finish(until)
}

impl PartSet {
    /// Whether a part may be one of these.
    fn takes(&self, heard: &Heard) -> bool {
        self.first.origin.account == heard.origin.account
            && self.first.event.service == heard.event.service
            && heard
                .event
                .part
                .as_ref()
                .is_some_and(|part| part.reference == self.reference && part.total == self.total)
    }

    fn has(&self, number: u8, text: &str) -> bool {
        self.parts.iter().any(|(of, there)| *of == number && there == text)
    }

    /// Whether it waits for its parts and that one came with other words.
    fn contradicts(&self, number: u8, text: &str) -> bool {
        !self.is_read && self.parts.iter().any(|(of, there)| *of == number && there != text)
    }

    /// What is there, in order, if it was not read before; until then its parts are known again.
    /// A gap is no place where a digit and a word may meet.
    fn finish(&mut self, until: Timestamp) -> Option<Joined> {
        if self.is_read {
            return None;
        }
        (self.is_read, self.until) = (true, until);
        let mut text = String::new();
        let mut next = 1;
        for (number, part) in &self.parts {
            if *number != next {
                text.push('…');
            }
            text.push_str(part);
            next = number + 1;
        }
        let partial = self.parts.len() < usize::from(self.total);
        let mut heard = self.first.clone();
        heard.event.body = EventBody::SmsReply { text };
        heard.event.part = None;
        Some(Joined { heard, partial })
    }
}

#[cfg(test)]
mod tests;
