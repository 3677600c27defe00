//! Keeps a piece of work ours, or tries to make it ours, until the soft stop.

use super::{Claim, OwnerToken, Ownership, Work};
use crate::lifecycle::Tasks;
use crate::store::{Store, StoreError};
use crate::telemetry::nodes::OwnerMetrics;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// What is ours is asked for so many times while it lasts.
const KEPT: u32 = 3;
/// And so many times what is another node's, or what the store does not say.
const TRIED: u32 = 10;

/// What the store said.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// It is ours.
    Ours(Claim),
    /// It is another node's.
    Theirs,
    /// Nothing.
    Failed,
}

/// What is known of the work. Pure: time and jitter are passed in.
#[derive(Debug)]
struct Known {
    claim: Option<Claim>,
    lease: Duration,
}

impl Known {
    fn nothing(lease: Duration) -> Known {
        Known { claim: None, lease }
    }

    /// What was ours when the store last said so: it may be so still, though we slept beyond its end.
    fn ours(&self) -> Option<OwnerToken> {
        self.claim.map(|claim| claim.token)
    }

    /// Takes an answer in. Returns when to ask next. `fraction`, from 0 to 1, draws the jitter.
    fn learn(&mut self, answer: Answer, now: Instant, fraction: f64) -> Instant {
        let pause = match answer {
            Answer::Ours(claim) => {
                self.claim = Some(claim);
                self.lease / KEPT
            }
            Answer::Theirs => {
                self.claim = None;
                self.lease / TRIED
            }
            // What was ours is so until its end.
            Answer::Failed => self.lease / TRIED,
        };
        now + pause.mul_f64(0.75 + fraction.clamp(0.0, 1.0) / 4.0)
    }
}

/// Starts one.
pub(super) fn start(
    store: Store,
    (work, lease): (Work, Duration),
    telemetry: OwnerMetrics,
    tasks: &Tasks,
) -> Ownership {
    let claims = watch::Sender::new(None);
    let ownership = Ownership(claims.subscribe());
    let keeper = Keeper { store, work, telemetry, claims, known: Known::nothing(lease) };
    tasks.spawn_vital("owner of work", keeper.run(tasks.clone()));
    ownership
}

struct Keeper {
    store: Store,
    work: Work,
    telemetry: OwnerMetrics,
    claims: watch::Sender<Option<Claim>>,
    known: Known,
}

impl Keeper {
    async fn run(mut self, tasks: Tasks) {
        while !tasks.is_stopping() {
            let answer = self.ask().await;
            let next = self.known.learn(answer, Instant::now(), self.store.fraction());
            self.tell();
            tokio::select! {
                biased;
                () = tasks.stopping() => {}
                () = self.wait_until(next) => {}
            }
        }
        self.let_go().await;
    }

    /// Asks once; not for longer than until it should be asked again.
    async fn ask(&self) -> Answer {
        let lease = self.known.lease;
        let asked = self.store.claim(&self.work, self.known.ours(), lease);
        match timeout(lease / KEPT, asked).await {
            Ok(Ok(Some(claim))) => Answer::Ours(claim),
            Ok(Ok(None)) => Answer::Theirs,
            Ok(Err(error)) => {
                self.telemetry.not_known(&error);
                Answer::Failed
            }
            Err(_) => {
                self.telemetry.not_known(&"no answer in time");
                Answer::Failed
            }
        }
    }

    /// Waits, and shows when the claim ends meanwhile.
    async fn wait_until(&self, next: Instant) {
        let ends = self.known.claim.and_then(|claim| claim.ends);
        if let Some(ends) = ends.filter(|ends| *ends < next) {
            sleep_until(ends).await;
            self.tell();
        }
        sleep_until(next).await;
    }

    fn tell(&self) {
        let claim = self.known.claim.filter(|claim| claim.holds(Instant::now()));
        self.telemetry.owned(claim.is_some());
        let told = self.claims.send_replace(claim);
        if told.is_some() != claim.is_some() {
            tracing::info!(work = %self.work, ours = claim.is_some(), "work changed hands");
        }
    }

    /// Gives the work up once whoever does it has stopped, so that another node takes over at once.
    async fn let_go(self) {
        let Some(claim) = self.known.claim else { return };
        if let Some(ends) = claim.ends {
            tokio::select! {
                () = self.claims.closed() => {}
                () = sleep_until(ends) => {}
            }
        }
        self.telemetry.owned(false);
        match self.store.give_up(&self.work, claim.token).await {
            Ok(()) | Err(StoreError::Closed) => {}
            Err(error) => self.telemetry.not_known(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_for_again_long_before_it_ends_and_sooner_after_a_failure() {
        let now = Instant::now();
        let claim = Claim::asked_for(OwnerToken(7), now, LEASE);
        let mut known = Known::nothing(LEASE);
        for fraction in [0.0, 1.0] {
            let next = known.learn(Answer::Ours(claim), now, fraction);
            assert!(next > now && next <= now + LEASE / 3, "{fraction}");
            let again = known.learn(Answer::Failed, now, fraction);
            assert!(again > now && again < next);
        }
    }

    #[test]
    fn what_the_store_does_not_say_leaves_all_as_it_was() {
        let now = Instant::now();
        let claim = Claim::asked_for(OwnerToken(7), now, LEASE);
        let mut known = Known::nothing(LEASE);
        known.learn(Answer::Ours(claim), now, 0.5);
        known.learn(Answer::Failed, now + LEASE * 9, 0.5);
        assert_eq!(known.ours(), Some(OwnerToken(7)), "it asks for what it had");
        known.learn(Answer::Theirs, now, 0.5);
        assert_eq!(known.ours(), None);
    }

    #[test]
    fn a_claim_ends_before_anybody_else_may_take_it() {
        let asked = Instant::now();
        let claim = Claim::asked_for(OwnerToken(7), asked, LEASE);
        assert!(claim.holds(asked) && claim.holds(asked + LEASE * 4 / 5));
        assert!(!claim.holds(asked + LEASE * 9 / 10));
        assert!(Claim::FOR_EVER.holds(asked + Duration::from_secs(1 << 30)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_slept_beyond_the_end_sees_it_before_anything_is_told() {
        let claims = watch::Sender::new(None);
        let ownership = Ownership(claims.subscribe());
        assert!(matches!(ownership.token(), Err(StoreError::NotOwner)));
        let token = OwnerToken(7);
        claims.send_replace(Some(Claim::asked_for(token, Instant::now(), LEASE)));
        assert_eq!(ownership.gained().await, token);
        tokio::time::advance(LEASE).await;
        assert!(matches!(ownership.token(), Err(StoreError::NotOwner)));
        ownership.lost(token).await;
        claims.send_replace(Some(Claim::asked_for(OwnerToken(8), Instant::now(), LEASE)));
        ownership.lost(token).await;
        assert_eq!(ownership.gained().await, OwnerToken(8));
    }
}
