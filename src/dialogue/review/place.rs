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

/// Records and notes were made in the order of the events, and a note tells its place. `None` if they do not add up.
fn by_order(events: &[Event], groups: &[Group<'_>], notes: &[Note]) -> Option<Vec<Place>> {
    if groups.len() + notes.len() != events.len() || notes.iter().any(|it| it.place.is_none()) {
        return None;
    }
    let mut next = 0;
    let mut place = |(at, event): (usize, &Event)| {
        if let Some(noted) = notes.iter().position(|note| note.place == Some(at)) {
            return Some(Place::Noted(noted));
        }
        let group = groups.get(next)?;
        next += 1;
        let fits = match (&event.message_id, group.message_id()) {
            (Some(event), Some(group)) => event == group,
            // A conversation may conclude one before the other.
            _ => !group.is_concluded() || events.len() == 1,
        };
        fits.then_some(Place::Recorded(next - 1))
    };
    events.iter().enumerate().map(&mut place).collect()
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
