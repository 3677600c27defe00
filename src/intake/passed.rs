//! How far the dialogue worker has come past what it could not conclude. Pure: the time is passed in.

use std::time::Duration;
use tokio::time::Instant;

/// How much is looked at, and concluded, at once.
pub(super) const PAGE: u32 = 64;

/// After how long what was passed over is tried again: what stood against it may be gone.
const AGAIN: Duration = Duration::from_mins(1);

/// A place in a list that is looked at page by page; what is behind it was not passed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed<T> {
    place: Option<T>,
    /// When the end of the list was reached.
    end_at: Option<Instant>,
}

impl<T> Default for Passed<T> {
    fn default() -> Passed<T> {
        Passed { place: None, end_at: None }
    }
}

impl<T: Copy> Passed<T> {
    /// The place behind which to look now; `None`: from the beginning.
    pub(super) fn place(&mut self, now: Instant) -> Option<T> {
        if self.end_at.is_some_and(|end_at| now >= end_at + AGAIN) {
            *self = Passed::default();
        }
        self.place
    }

    /// Notes of how many of a page's places something was concluded. A full page of which some stay is
    /// passed, so that they hide nothing. Returns how much is done with for now.
    pub(super) fn page(&mut self, places: &[T], concluded: usize, now: Instant) -> usize {
        match places {
            [.., last] if places.len() >= PAGE as usize => {
                if concluded < places.len() {
                    (self.place, self.end_at) = (Some(*last), None);
                }
                places.len()
            }
            _ => {
                if self.place.is_some() {
                    self.end_at.get_or_insert(now);
                }
                concluded
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A list of which some can be concluded, and a worker that looks at a page at a time.
    struct List {
        held: BTreeSet<u32>,
        passed: Passed<u32>,
        now: Instant,
    }

    impl List {
        /// One look. Returns what was looked at, and how much of it is done with.
        fn look(&mut self, stays: impl Fn(u32) -> bool) -> (Vec<u32>, usize) {
            let place = self.passed.place(self.now);
            let behind = |one: &&u32| place.is_none_or(|place| **one > place);
            let page: Vec<u32> =
                self.held.iter().filter(behind).take(PAGE as usize).copied().collect();
            let before = self.held.len();
            self.held.retain(|one| !page.contains(one) || stays(*one));
            let done = self.passed.page(&page, before - self.held.len(), self.now);
            // However slow a look is.
            self.now += AGAIN / 4;
            (page, done)
        }

        /// Looks until there is nothing to do. Returns how many looks that took.
        fn until_rest(&mut self, stays: impl Fn(u32) -> bool) -> usize {
            (1..).find(|_| self.look(&stays).1 == 0).expect("it rests")
        }
    }

    #[test]
    fn any_number_that_stays_hides_nothing_and_is_not_looked_at_each_time() {
        let stays = |one: u32| one < 10 * PAGE + 1;
        let held = (0..10 * PAGE + 3).collect();
        let mut list = List { held, passed: Passed::default(), now: Instant::now() };
        assert_eq!(list.until_rest(stays), 12);
        assert_eq!(list.held, (0..10 * PAGE + 1).collect());
        list.held.insert(2000);
        let left = 10 * PAGE;
        assert_eq!(list.look(stays), (vec![left, 2000], 1));
        // What stood against them is gone.
        list.now += AGAIN;
        assert_eq!(list.until_rest(|_| false), 12);
        assert!(list.held.is_empty());
    }

    #[test]
    fn without_any_that_stays_every_look_is_from_the_beginning() {
        let held = (1..PAGE + 3).collect();
        let mut list = List { held, passed: Passed::default(), now: Instant::now() };
        assert_eq!(list.look(|_| false), ((1..=PAGE).collect(), PAGE as usize));
        list.held.insert(0);
        assert_eq!(list.look(|_| false), (vec![0, PAGE + 1, PAGE + 2], 3));
    }
}
