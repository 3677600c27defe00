//! The most requests in any second. Pure: the time is passed in.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// The requests of the last second, and the most there ever were in one.
#[derive(Debug, Default)]
pub(super) struct Window {
    latest: VecDeque<Instant>,
    most: usize,
}

impl Window {
    /// A request came.
    pub(super) fn came(&mut self, now: Instant) {
        while self.latest.front().is_some_and(|first| now >= *first + SECOND) {
            self.latest.pop_front();
        }
        self.latest.push_back(now);
        self.most = self.most.max(self.latest.len());
    }

    /// The most in any second: from one request on, and less than a second.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_most_that_began_in_a_second_from_any_of_them(
            gaps in prop::collection::vec(0_u64..700, 0..40),
        ) {
            let begin = Instant::now();
            let mut at = begin;
            let times: Vec<Instant> = gaps.iter().map(|gap| {
                at += Duration::from_millis(*gap);
                at
            }).collect();
            let mut window = Window::default();
            times.iter().for_each(|time| window.came(*time));
            let within = |from: Instant| times.iter().filter(|it| **it >= from && **it < from + SECOND).count();
            let most = times.iter().map(|from| within(*from)).max().unwrap_or(0);
            prop_assert_eq!(window.most(), most);
        }
    }
}
