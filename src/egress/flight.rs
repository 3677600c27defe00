//! A leased batch on its way: from the first request to the last verdict, halved where the
//! platform refuses it whole. Pure: answers are passed in.

use super::backoff::{Backoff, Next};
use super::profile::Unwritable;
use super::verdict::{ItemVerdict, Refusal, Verdict};
use crate::model::RecordSeq;
use crate::store::{DeadClass, Leased, Settled};
use jiff::Timestamp;
use std::time::Duration;

/// What is said of a record that is refused for its size without company.
const ALONE: &str = "413: too large even alone";

/// The records of one batch that still wait for a request.
#[derive(Debug)]
pub struct Flight {
    /// The next request's records last.
    waiting: Vec<Vec<Leased>>,
}

/// What a verdict came to, record by record.
pub type Landed = Vec<(RecordSeq, Settled)>;

impl Flight {
    /// With one batch waiting.
    #[must_use]
    pub fn new(batch: Vec<Leased>) -> Flight {
        Flight { waiting: vec![batch] }
    }

    /// The records of the next request.
    #[must_use]
    pub fn next_batch(&mut self) -> Option<Vec<Leased>> {
        self.waiting.pop()
    }

    /// Whether nothing waits for a request any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the verdict on a request: settles its records, or halves it to try again.
    ///
    /// When the lane cannot go on, what still waits is released too. `fraction` draws the jitter.
    pub fn land(
        &mut self,
        batch: Vec<Leased>,
        verdict: Verdict,
        backoff: &Backoff,
        now: Timestamp,
        mut fraction: impl FnMut() -> f64,
    ) -> Landed {
        let mut again = |leased: &Leased, reason: String, asked| {
            let age = Duration::try_from(now.duration_since(leased.queued_at));
            match backoff.after(leased.attempt, age.unwrap_or_default(), asked, fraction()) {
                Next::Again(wait) => Settled::Retry { due: later(now, wait), reason },
                Next::GiveUp(class) => Settled::Dead { class, reason },
            }
        };
        match verdict {
            Verdict::Each(verdicts) => {
                let settled = |(leased, verdict): (&Leased, ItemVerdict)| {
                    let settled = match verdict {
                        ItemVerdict::Delivered | ItemVerdict::Duplicate => Settled::Delivered,
                        ItemVerdict::Retry { reason, asked } => again(leased, reason, asked),
                        ItemVerdict::Rejected(reason) => {
                            Settled::Dead { class: DeadClass::Rejected, reason }
                        }
                        ItemVerdict::RefusedIn200(Refusal { reason, is_final: true }) => {
                            Settled::Dead { class: DeadClass::RefusedIn200, reason }
                        }
                        ItemVerdict::RefusedIn200(Refusal { reason, is_final: false }) => {
                            again(leased, reason, None)
                        }
                    };
                    (leased.seq, settled)
                };
                batch.iter().zip(verdicts).map(settled).collect()
            }
            Verdict::Refused(_) | Verdict::RefusedIn200(_) | Verdict::TooLarge { .. }
                if batch.len() > 1 =>
            {
                self.halve(batch);
                Vec::new()
            }
            Verdict::Refused(Refusal { reason, is_final: true }) => {
                dead(&batch, DeadClass::Rejected, &reason)
            }
            Verdict::RefusedIn200(Refusal { reason, is_final: true }) => {
                dead(&batch, DeadClass::RefusedIn200, &reason)
            }
            Verdict::TooLarge { is_final: true } => dead(&batch, DeadClass::TooLarge, ALONE),
            // What speaks of the one record says nothing about what still waits.
            Verdict::TooLarge { is_final: false } => {
                let again = |leased: &Leased| (leased.seq, again(leased, ALONE.to_owned(), None));
                batch.iter().map(again).collect()
            }
            Verdict::Refused(Refusal { reason, is_final: false })
            | Verdict::RefusedIn200(Refusal { reason, is_final: false }) => {
                let again = |leased: &Leased| (leased.seq, again(leased, reason.clone(), None));
                batch.iter().map(again).collect()
            }
            Verdict::Again(reason) => {
                // Nothing is wrong with it, so nothing of it can run out.
                let again = |leased: &Leased| match again(leased, reason.clone(), None) {
                    Settled::Dead { .. } => (leased.seq, Settled::Released),
                    settled => (leased.seq, settled),
                };
                let mut landed: Landed = batch.iter().map(again).collect();
                landed.extend(self.release());
                landed
            }
            Verdict::Failed(reason) | Verdict::Unknown(reason) => {
                let again = |leased: &Leased| (leased.seq, again(leased, reason.clone(), None));
                let mut landed: Landed = batch.iter().map(again).collect();
                landed.extend(self.release());
                landed
            }
            Verdict::Throttled(_) | Verdict::Fault(_) => {
                let mut landed = released(&batch);
                landed.extend(self.release());
                landed
            }
        }
    }

    /// Gives back what still waits, unsent.
    pub fn release(&mut self) -> Landed {
        std::mem::take(&mut self.waiting).iter().flat_map(|batch| released(batch)).collect()
    }

    /// Has a batch be sent in two halves, the earlier records first.
    pub fn halve(&mut self, mut batch: Vec<Leased>) {
        let second = batch.split_off(batch.len().div_ceil(2));
        self.waiting.push(second);
        self.waiting.push(batch);
    }
}

/// Takes the records out of a batch that their profile cannot write: dead letters of ours.
#[must_use]
pub fn sift(batch: Vec<Leased>, unwritable: &[(RecordSeq, Unwritable)]) -> (Vec<Leased>, Landed) {
    let reason = |leased: &Leased| unwritable.iter().find(|(seq, _)| *seq == leased.seq);
    let (mut sent, mut landed) = (Vec::with_capacity(batch.len()), Vec::new());
    for leased in batch {
        match reason(&leased) {
            Some((seq, lack)) => {
                let class = DeadClass::Unwritable;
                landed.push((*seq, Settled::Dead { class, reason: lack.to_string() }));
            }
            None => sent.push(leased),
        }
    }
    (sent, landed)
}

/// Gives back a batch, unsent.
#[must_use]
pub fn released(batch: &[Leased]) -> Landed {
    batch.iter().map(|leased| (leased.seq, Settled::Released)).collect()
}

fn dead(batch: &[Leased], class: DeadClass, reason: &str) -> Landed {
    let dead = Settled::Dead { class, reason: reason.to_owned() };
    batch.iter().map(|leased| (leased.seq, dead.clone())).collect()
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::egress::samples::{batch, leased, now};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const TOO_LARGE: Verdict = Verdict::TooLarge { is_final: false };

    fn backoff() -> Backoff {
        Backoff::new(&config::Backoff {
            base: Duration::from_secs(4),
            cap: Duration::from_secs(60),
            max_attempts: 3,
            max_age: Duration::from_secs(3600),
        })
        .expect("sense")
    }

    /// Sends everything to a platform that answers like this; the settled records, and how many
    /// requests it took.
    fn fly(size: u32, mut platform: impl FnMut(&[Leased]) -> Verdict) -> (Landed, usize) {
        let mut flight = Flight::new(batch(size));
        let mut landed = Vec::new();
        let mut requests = 0;
        while let Some(batch) = flight.next_batch() {
            requests += 1;
            let verdict = platform(&batch);
            landed.extend(flight.land(batch, verdict, &backoff(), now(), || 0.5));
        }
        (landed, requests)
    }

    fn taken(batch: &[Leased]) -> Verdict {
        Verdict::Each(batch.iter().map(|_| ItemVerdict::Delivered).collect())
    }

    fn land(leased: Leased, verdict: Verdict) -> Settled {
        let mut flight = Flight::new(Vec::new());
        let landed = flight.land(vec![leased], verdict, &backoff(), now(), || 0.5);
        landed.into_iter().map(|(_, settled)| settled).next().expect("one record")
    }

    #[test]
    fn a_poison_record_ends_alone_and_the_others_arrive() {
        let (landed, requests) = fly(100, |batch| {
            if batch.iter().any(|leased| leased.seq == RecordSeq(42)) {
                Verdict::Refused(Refusal { reason: "400".to_owned(), is_final: true })
            } else {
                taken(batch)
            }
        });
        let dead = Settled::Dead { class: DeadClass::Rejected, reason: "400".to_owned() };
        let settled: BTreeMap<_, _> = landed.into_iter().collect();
        assert_eq!(settled.len(), 100);
        for (seq, settled) in settled {
            assert_eq!(settled, if seq.0 == 42 { dead.clone() } else { Settled::Delivered });
        }
        assert!(requests <= 15, "{requests} requests");
    }

    #[test]
    fn a_batch_that_is_too_large_is_halved_until_it_fits_in_order() {
        let (landed, requests) =
            fly(100, |batch| if batch.len() > 30 { TOO_LARGE } else { taken(batch) });
        let order: Vec<i64> = landed.iter().map(|(seq, _)| seq.0).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert_eq!(requests, 7);
    }

    #[test]
    fn what_is_too_large_alone_dies_only_where_that_is_listed() {
        let again = land(leased(0), TOO_LARGE);
        assert!(matches!(again, Settled::Retry { .. }), "{again:?}");
        let listed = land(leased(0), Verdict::TooLarge { is_final: true });
        assert!(matches!(listed, Settled::Dead { class: DeadClass::TooLarge, .. }), "{listed:?}");
    }

    #[test]
    fn a_fault_costs_no_attempt_however_many_there_were() {
        let worn = Leased { attempt: 1000, ..leased(0) };
        assert_eq!(land(worn.clone(), Verdict::Fault("401".to_owned())), Settled::Released);
        let wait = Duration::from_secs(30);
        assert_eq!(land(worn, Verdict::Throttled(wait)), Settled::Released);
    }

    #[test]
    fn failures_are_tried_again_later_until_attempts_or_age_run_out() {
        let reason = || "500".to_owned();
        let failed = || Verdict::Failed(reason());
        let due = now() + Duration::from_secs(2);
        assert_eq!(land(leased(0), failed()), Settled::Retry { due, reason: reason() });
        let last = Leased { attempt: 3, ..leased(0) };
        let dead = Settled::Dead { class: DeadClass::Attempts, reason: reason() };
        assert_eq!(land(last, failed()), dead);
        let mut old = leased(0);
        old.queued_at = now() - Duration::from_secs(3599);
        let dead = Settled::Dead { class: DeadClass::Age, reason: reason() };
        assert_eq!(land(old, Verdict::Unknown(reason())), dead);
    }

    #[test]
    fn a_refusal_is_final_only_where_it_is_listed() {
        for (verdict, class) in [
            (Verdict::Refused as fn(Refusal) -> Verdict, DeadClass::Rejected),
            (Verdict::RefusedIn200, DeadClass::RefusedIn200),
            (|it| Verdict::Each(vec![ItemVerdict::RefusedIn200(it)]), DeadClass::RefusedIn200),
        ] {
            let dead = Settled::Dead { class, reason: String::new() };
            assert_eq!(land(leased(0), verdict(refusal(true))), dead);
            let again = land(leased(0), verdict(refusal(false)));
            assert!(matches!(again, Settled::Retry { .. }), "{again:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_dies_as_ours_and_the_rest_is_sent() {
        let lack = Unwritable::Missing("project_no".to_owned());
        let (sent, landed) = sift(batch(3), &[(RecordSeq(1), lack)]);
        assert_eq!(sent.iter().map(|leased| leased.seq.0).collect::<Vec<_>>(), [0, 2]);
        let class = DeadClass::Unwritable;
        let reason = "`project_no` is missing".to_owned();
        assert_eq!(landed, [(RecordSeq(1), Settled::Dead { class, reason })]);
    }

    fn refusal(is_final: bool) -> Refusal {
        Refusal { reason: String::new(), is_final }
    }

    fn verdict(size: usize) -> impl Strategy<Value = Verdict> {
        let item = prop_oneof![
            Just(ItemVerdict::Delivered),
            Just(ItemVerdict::Duplicate),
            Just(ItemVerdict::Retry { reason: String::new(), asked: None }),
            Just(ItemVerdict::Rejected(String::new())),
            any::<bool>().prop_map(|is_final| ItemVerdict::RefusedIn200(refusal(is_final))),
        ];
        prop_oneof![
            3 => prop::collection::vec(item, size).prop_map(Verdict::Each),
            3 => any::<bool>().prop_map(|is_final| Verdict::Refused(refusal(is_final))),
            3 => any::<bool>().prop_map(|is_final| Verdict::RefusedIn200(refusal(is_final))),
            3 => any::<bool>().prop_map(|is_final| Verdict::TooLarge { is_final }),
            1 => Just(Verdict::Throttled(Duration::from_secs(1))),
            1 => Just(Verdict::Again(String::new())),
            1 => Just(Verdict::Failed(String::new())),
            1 => Just(Verdict::Unknown(String::new())),
            1 => Just(Verdict::Fault(String::new())),
        ]
    }

    proptest! {
        #[test]
        fn whatever_the_answers_every_record_is_settled_once(
            size in 1_u32..64,
            verdicts in prop::collection::vec(verdict(64), 1..32),
        ) {
            let mut verdicts = verdicts.into_iter().cycle();
            let (landed, requests) = fly(size, |_| verdicts.next().expect("a cycle"));
            let mut order: Vec<i64> = landed.into_iter().map(|(seq, _)| seq.0).collect();
            order.sort_unstable();
            prop_assert_eq!(order, (0..i64::from(size)).collect::<Vec<_>>());
            prop_assert!(requests <= 2 * size as usize);
        }

        #[test]
        fn where_nothing_is_wrong_no_record_dies(attempt in 1_u32.., age in 0_u64..100_000) {
            let queued_at = now() - Duration::from_secs(age);
            let settled = land(Leased { attempt, queued_at, ..leased(0) }, Verdict::Again(String::new()));
            prop_assert!(!matches!(settled, Settled::Dead { .. }), "{settled:?}");
        }
    }
}
