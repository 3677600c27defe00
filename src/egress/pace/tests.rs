//! How a pace moves, and how its turns are spread.

use super::*;
use proptest::prelude::*;

const SLOW_AFTER: Duration = Duration::from_secs(5);

fn pace(bounds: RangeInclusive<usize>, rate: Option<u32>) -> Pace {
    Pace::new(bounds, SLOW_AFTER, rate).expect("sense")
}

/// Good answers until the limit is at its upper bound; returns how many.
fn recover(pace: &mut Pace, now: Instant) -> usize {
    let mut answers = 0;
    while pace.limit() < *pace.bounds.end() {
        pace.ended(Health::Well, now, pace.limit(), now);
        answers += 1;
    }
    answers
}

#[test]
fn nonsense_is_refused() {
    for (bounds, rate, why) in [
        (0..=0, None, BadPace::NoConcurrency),
        (0..=4, None, BadPace::NoLowerBound),
        (RangeInclusive::new(5, 4), None, BadPace::BoundsCrossed),
        (1..=4, Some(0), BadPace::NoRate),
    ] {
        assert_eq!(Pace::new(bounds, SLOW_AFTER, rate).err(), Some(why));
    }
}

#[test]
fn a_round_of_good_answers_is_one_more_and_a_bad_one_halves_once() {
    let now = Instant::now();
    let mut pace = pace(1..=8, None);
    let mut limits = Vec::new();
    for _ in 0..6 {
        pace.ended(Health::Well, now, pace.limit(), now);
        limits.push(pace.limit());
    }
    assert_eq!(limits, [2, 2, 3, 3, 3, 4]);
    let later = now + Duration::from_secs(1);
    pace.ended(Health::Failed, now, 4, later);
    pace.ended(Health::Failed, now, 3, later);
    pace.ended(Health::Well, now, 2, later);
    assert_eq!(pace.limit(), 2, "the others had started before");
    pace.ended(Health::Wait(Duration::ZERO), later, 2, later);
    assert_eq!(pace.limit(), 1);
}

#[test]
fn slow_answers_are_bad_ones_and_a_limit_that_is_not_used_stays() {
    let now = Instant::now();
    let mut pace = pace(1..=16, None);
    recover(&mut pace, now);
    pace.ended(Health::Well, now, 16, now + SLOW_AFTER);
    assert_eq!(pace.limit(), 16);
    let late = now + SLOW_AFTER + Duration::from_millis(1);
    pace.ended(Health::Well, now, 16, late);
    assert_eq!(pace.limit(), 8);
    for _ in 0..100 {
        pace.ended(Health::Well, late, 3, late);
    }
    assert_eq!(pace.limit(), 8);
}

#[test]
fn after_an_outage_it_begins_at_the_lower_bound() {
    let now = Instant::now();
    let mut pace = pace(2..=8, None);
    recover(&mut pace, now);
    let back = now + Duration::from_secs(60);
    pace.start_over(back);
    pace.ended(Health::Well, now, 8, back);
    assert_eq!(pace.limit(), 2);
    assert_eq!(recover(&mut pace, back), (2..8).sum::<usize>());
}

#[test]
fn a_probe_is_kept_back_by_the_upper_bound_and_the_rate_alone() {
    let now = Instant::now();
    let mut pace = pace(1..=2, Some(10));
    assert_eq!(pace.starts(1, now), Starts::NoneYet);
    assert_eq!(pace.starts_probe(1, now), Starts::Now(1));
    assert_eq!(pace.starts_probe(2, now), Starts::NoneYet);
    assert_eq!(pace.turn(now), now);
    assert_eq!(
        pace.starts_probe(0, now),
        Starts::NoneUntil(now + Duration::from_millis(110) - AHEAD)
    );
}

#[test]
fn only_so_much_is_made_ready_as_has_its_turn_soon() {
    let now = Instant::now();
    let mut pace = pace(64..=64, Some(110));
    assert_eq!(pace.starts(0, now), Starts::Now(6));
    let turns: Vec<Duration> = (0..6).map(|_| pace.turn(now) - now).collect();
    assert_eq!(turns, [0, 10, 20, 30, 40, 50].map(Duration::from_millis));
    assert_eq!(pace.starts(6, now), Starts::NoneUntil(now + Duration::from_millis(10)));
    let rested = now + Duration::from_secs(60);
    assert_eq!(pace.starts(0, rested), Starts::Now(6), "a rest is not saved up");
}

#[test]
fn nodes_share_the_rate_and_none_is_left_without() {
    let now = Instant::now();
    let mut pace = pace(64..=64, Some(11));
    pace.share(2);
    let hundred = Duration::from_millis(100);
    assert_eq!([pace.turn(now), pace.turn(now)], [now, now + hundred * 2]);
    pace.share(22);
    assert_eq!([pace.turn(now), pace.turn(now)], [now + hundred * 4, now + hundred * 26]);
    pace.share(0);
    assert_eq!([pace.turn(now), pace.turn(now)], [now + hundred * 48, now + hundred * 49]);
}

#[test]
fn while_another_node_holds_back_it_stays_at_its_lower_bound() {
    let now = Instant::now();
    let mut pace = pace(2..=8, None);
    recover(&mut pace, now);
    pace.heed(true, now);
    for _ in 0..20 {
        pace.ended(Health::Well, now, 2, now);
    }
    assert_eq!(pace.limit(), 2);
    pace.heed(false, now);
    recover(&mut pace, now);
    assert_eq!(pace.limit(), 8);
}

proptest! {
    /// Where there are more nodes than the rate has requests, each starts one in several seconds.
    #[test]
    fn no_second_of_several_nodes_holds_more_starts_than_the_rate(
        rate in 1_u32..40,
        nodes in 1_u32..5,
        late in prop::collection::vec(0_u64..300, 1..120),
    ) {
        let begin = Instant::now();
        let mut starts: Vec<Instant> = Vec::new();
        for node in 0..nodes {
            let mut pace = pace(1..=8, Some(rate));
            pace.share(nodes);
            let mut wakes: Vec<Instant> = late
                .iter()
                .map(|late| pace.turn(begin) + Duration::from_millis(*late / u64::from(node + 1)))
                .collect();
            wakes.sort_unstable();
            let mut last = begin;
            for wake in wakes {
                last = last.max(wake);
                while let Err(again) = pace.start(last) {
                    last = again;
                }
                starts.push(last);
            }
        }
        for from in &starts {
            let within = starts.iter().filter(|it| *it >= from && **it < *from + SECOND);
            prop_assert!(within.count() <= rate.max(nodes) as usize);
        }
    }

    #[test]
    fn no_second_holds_more_starts_than_the_rate_however_late_they_wake(
        rate in 1_u32..40,
        late in prop::collection::vec(0_u64..300, 1..120),
    ) {
        let begin = Instant::now();
        let mut pace = pace(1..=8, Some(rate));
        // Each takes its turn ahead and wakes late; whoever wakes early enough may be early in the row.
        let mut wakes: Vec<Instant> = late
            .iter()
            .map(|late| pace.turn(begin) + Duration::from_millis(*late))
            .collect();
        wakes.sort_unstable();
        let mut started: Vec<Instant> = Vec::new();
        for wake in wakes {
            let mut now = started.last().map_or(wake, |last| wake.max(*last));
            while let Err(again) = pace.start(now) {
                prop_assert!(again > now && again <= now + SECOND);
                now = again;
            }
            started.push(now);
        }
        for from in &started {
            let within = started.iter().filter(|it| *it >= from && **it < *from + SECOND);
            prop_assert!(within.count() <= rate as usize);
        }
    }

    #[test]
    fn the_limit_stays_within_its_bounds(
        min in 1_usize..20, more in 0_usize..40,
        answers in prop::collection::vec((0_u8..5, 0_u64..8, 0_usize..80), 0..300)
    ) {
        let mut now = Instant::now();
        let mut pace = pace(min..=min + more, None);
        for (what, took, under_way) in answers {
            let started = now;
            now += Duration::from_secs(took);
            match what {
                0 => pace.ended(Health::Failed, started, under_way, now),
                1 => pace.start_over(now),
                _ => pace.ended(Health::Well, started, under_way, now),
            }
            prop_assert!((min..=min + more).contains(&pace.limit()));
            if let Starts::Now(some) = pace.starts(under_way, now) {
                prop_assert!(some >= 1 && some + under_way <= pace.limit());
            }
        }
    }

    #[test]
    fn a_healthy_far_end_brings_it_to_the_upper_bound(min in 1_usize..20, more in 0_usize..40) {
        let mut pace = pace(min..=min + more, None);
        let answers = recover(&mut pace, Instant::now());
        prop_assert_eq!(pace.limit(), min + more);
        prop_assert_eq!(answers, (min..min + more).sum::<usize>());
    }

    /// However full it is: the requests that are under way, then half as many, and so on.
    #[test]
    fn bad_answers_bring_it_to_the_lower_bound(min in 1_usize..20, more in 0_usize..60) {
        let max = min + more;
        let mut now = Instant::now();
        let mut pace = pace(min..=max, None);
        recover(&mut pace, now);
        let mut under_way = VecDeque::from(vec![now; max]);
        let mut answers = 0;
        while pace.limit() > min {
            now += Duration::from_millis(1);
            let started = under_way.pop_front().expect("one is under way");
            pace.ended(Health::Failed, started, under_way.len() + 1, now);
            answers += 1;
            while let Starts::Now(some) = pace.starts(under_way.len(), now) {
                under_way.extend(vec![now; some]);
            }
        }
        prop_assert!(answers <= 2 * max, "{} of {}", answers, max);
    }

    #[test]
    fn no_window_holds_more_than_the_rate(
        rate in 1_u32..2_000, waits in prop::collection::vec(0_u64..50_000, 2..400)
    ) {
        let mut now = Instant::now();
        let mut pace = pace(1..=1_000, Some(rate));
        let turns: Vec<Instant> = waits
            .into_iter()
            .map(|wait| {
                now += Duration::from_micros(wait);
                pace.turn(now)
            })
            .collect();
        for (first, from) in turns.iter().enumerate() {
            for (after, to) in turns[first..].iter().enumerate() {
                let within = to.duration_since(*from).as_nanos() * u128::from(rate);
                prop_assert!(within >= after as u128 * 1_000_000_000);
            }
        }
    }

    #[test]
    fn a_lane_that_is_always_ready_uses_nine_tenths_of_the_rate(rate in 1_u32..2_000) {
        let begun = Instant::now();
        let mut now = begun;
        let mut pace = pace(1_000..=1_000, Some(rate));
        let mut started = 0;
        while now < begun + Duration::from_secs(3) {
            match pace.starts(0, now) {
                Starts::Now(some) => {
                    for _ in 0..some {
                        prop_assert!(pace.turn(now) <= now + AHEAD);
                        started += 1;
                    }
                }
                // Timers are late by up to a millisecond.
                Starts::NoneUntil(until) => now = until + Duration::from_millis(1),
                Starts::NoneYet => prop_assert!(false, "nothing is under way"),
            }
        }
        prop_assert!(started * 10 >= 3 * rate * 9, "{} of {}", started, 3 * rate);
    }
}
