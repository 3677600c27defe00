//! Which event of a callback made which record, or none: neither is written down, so it is told by the order
//! or by the carrier's ids, and never guessed.

use super::group::Group;
use crate::model::{Event, MessageId, Note};

/// What an event is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It made the group at this place.
    Recorded(usize),
    /// It made the note at this place.
    Noted(usize),
    /// Nobody can tell.
    Unclear,
}

/// Where each event is found. `is_whole`: all of the callback was readable at once, then and now.
pub(super) fn places(
    events: &[Event],
    groups: &[Group<'_>],
    notes: &[Note],
    is_whole: bool,
) -> Vec<Place> {
    let ordered = is_whole.then(|| by_order(events, groups, notes)).flatten();
    ordered.unwrap_or_else(|| by_id(events, groups, notes))
}

/// Records and notes were made in the order of the events, and a note tells its place. What was noted may have made a
/// record since, when it was read again; those come after all others. `None` if it does not add up.
fn by_order(events: &[Event], groups: &[Group<'_>], notes: &[Note]) -> Option<Vec<Place>> {
    if notes.iter().any(|note| note.place.is_none_or(|at| at >= events.len())) {
        return None;
    }
    let at_first = events.len().checked_sub(notes.len()).filter(|count| *count <= groups.len())?;
    let noted_at = |at: usize| notes.iter().position(|note| note.place == Some(at));
    let mut next = 0..at_first;
    let place = |(at, event): (usize, &Event)| match noted_at(at) {
        Some(note) if notes[note].repeats => Some(Place::Noted(note)),
        Some(note) => Some(match made_since(event, events, &groups[at_first..]) {
            Since::Nothing => Place::Noted(note),
            Since::Group(later) => Place::Recorded(at_first + later),
            Since::OneOf(1) if notes.iter().filter(|note| !note.repeats).count() == 1 => {
                Place::Recorded(at_first)
            }
            Since::OneOf(_) => Place::Unclear,
        }),
        None => {
            next.next().filter(|at| fits(event, &groups[*at], events.len())).map(Place::Recorded)
        }
    };
    events.iter().enumerate().map(place).collect()
}

/// Whether a group may be what an event in its place made.
fn fits(event: &Event, group: &Group<'_>, events: usize) -> bool {
    match (&event.message_id, group.message_id()) {
        (Some(event), Some(group)) => event == group,
        // A conversation may conclude one before the other.
        _ => !group.is_concluded() || events == 1,
    }
}

/// What an event that made no record at first has made since.
enum Since {
    Nothing,
    /// The group at this place.
    Group(usize),
    /// One of so many groups, or nothing.
    OneOf(usize),
}

/// The carrier's ids tell, as long as each of the groups has that of an event.
fn made_since(event: &Event, events: &[Event], groups: &[Group<'_>]) -> Since {
    let is_of = |event: &Event, group: &Group<'_>| {
        event.message_id.is_some() && event.message_id.as_ref() == group.message_id()
    };
    if !groups.iter().all(|group| events.iter().filter(|event| is_of(event, group)).count() == 1) {
        return Since::OneOf(groups.len());
    }
    let own = groups.iter().position(|group| is_of(event, group));
    own.map_or(Since::Nothing, Since::Group)
}

/// An id that one event and one record have is the same answer's. What is left over is told only if it can be
/// but one thing.
fn by_id(events: &[Event], groups: &[Group<'_>], notes: &[Note]) -> Vec<Place> {
    let is_one = |id: &MessageId| {
        events.iter().filter(|event| event.message_id.as_ref() == Some(id)).count() == 1
    };
    let place = |event: &Event| {
        let id = event.message_id.as_ref().filter(|id| is_one(id))?;
        let mut own = (0..groups.len()).filter(|at| groups[*at].message_id() == Some(id));
        own.next().filter(|_| own.next().is_none())
    };
    let found: Vec<Option<usize>> = events.iter().map(place).collect();
    let left = found.iter().filter(|place| place.is_none()).count();
    let mut others = (0..groups.len()).filter(|at| !found.contains(&Some(*at)));
    let rest = match (others.next(), others.next(), notes) {
        (Some(group), None, []) if left == 1 => Place::Recorded(group),
        (None, None, [first, more @ ..])
            if left == notes.len() && more.iter().all(|note| is_alike(first, note)) =>
        {
            Place::Noted(0)
        }
        _ => Place::Unclear,
    };
    found.into_iter().map(|place| place.map_or(rest, Place::Recorded)).collect()
}

/// Whether it is all the same which of two events made which note.
fn is_alike(one: &Note, other: &Note) -> bool {
    one.outcome == other.outcome
        && one.repeats == other.repeats
        && one.place.is_some() == other.place.is_some()
}
