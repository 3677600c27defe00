//! When a token is used, renewed, asked for, and given up. Pure: time and randomness are passed in.
//!
//! ```text
//! none ──fetched──▶ good ──80 %, or a minute before its end──▶ due ──its end──▶ none
//!  ▲  ╲              ▲ ╲                                     ╱  │
//!  │   failed         ╲ fetched ◀────────────────────────────   failed: used on, asked again later
//!  │    ▼              ╲
//!  └─ asked again later ◀── the destination refused it
//! ```

use crate::model::Secret;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;

/// How long a token may be taken to last, whatever its answer says.
const LIFETIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 30);

/// How long before its end a token is renewed, if that is later than the fifth of its time.
const AHEAD: Duration = Duration::from_mins(1);

/// Two tokens that were good and end before their time within this are no accident.
const TOO_OFTEN: Duration = Duration::from_mins(1);

/// The first wait after a failure; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Itself.
    pub value: Secret,
    /// Which one it is, among those of this destination.
    pub number: u64,
}

/// The one token of a destination, and how it is come by.
#[derive(Debug, Default)]
pub struct Tokens {
    held: Option<Held>,
    failure: Option<Failure>,
    failures: u32,
    fetched: u64,
    /// The last that was refused, and what that means.
    given_up: Option<(u64, Refused)>,
    /// When one last ended before its time.
    revoked_at: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    due: Instant,
    ends: Instant,
    /// The destination has taken it at least once.
    is_good: bool,
}

#[derive(Debug)]
struct Failure {
    cause: String,
    until: Instant,
}

/// What a request that needs a token is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Use this one.
    Nothing(Token),
    /// Use this one; if nobody else does, ask for another first.
    Renewal(Token),
    /// Ask for one.
    Fetch,
    /// Go without: asking failed, for this cause, and it is too early to ask again.
    Patience(String),
}

/// What it means that the destination refused a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It was good before: its time was over, or it was revoked.
    Ended,
    /// The destination never took it, or one after the other ends before its time, as where two ask
    /// under one name: another would not do either.
    NeverGood,
}

impl Tokens {
    /// What a request is to do now.
    #[must_use]
    pub fn need(&self, now: Instant) -> Need {
        let held = self.held.as_ref().filter(|held| now < held.ends);
        let waiting = self.failure.as_ref().filter(|failure| now < failure.until);
        match (held, waiting) {
            (Some(held), None) if now >= held.due => Need::Renewal(held.token.clone()),
            (Some(held), _) => Need::Nothing(held.token.clone()),
            (None, Some(failure)) => Need::Patience(failure.cause.clone()),
            (None, None) => Need::Fetch,
        }
    }

    /// One came, which lasts so long.
    pub fn fetched(&mut self, value: Secret, lifetime: Duration, now: Instant) -> Token {
        let lifetime = lifetime.clamp(*LIFETIME.start(), *LIFETIME.end());
        let token = Token { value, number: self.fetched };
        self.fetched += 1;
        let due = now + (lifetime * 4 / 5).max(lifetime.saturating_sub(AHEAD));
        let held = Held { token: token.clone(), due, ends: now + lifetime, is_good: false };
        (self.held, self.failure, self.failures) = (Some(held), None, 0);
        token
    }

    /// None came. `fraction` (0 to 1) shortens the wait by up to a half, so that several gateways do
    /// not ask in step.
    pub fn failed(&mut self, cause: String, now: Instant, fraction: f64) {
        let ceiling = FIRST_WAIT.saturating_mul(1 << self.failures.min(10)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        let until = now + ceiling.mul_f64(0.5 + 0.5 * fraction.clamp(0.0, 1.0));
        self.failure = Some(Failure { cause, until });
    }

    /// The destination took this one.
    pub fn taken(&mut self, number: u64) {
        if let Some(held) = self.held.as_mut().filter(|held| held.token.number == number) {
            held.is_good = true;
        }
    }

    /// The destination refused this one, so it is given up; once, however many requests had it.
    pub fn refused(&mut self, number: u64, now: Instant) -> Refused {
        if let Some(held) = self.held.take_if(|held| held.token.number == number) {
            self.given_up = Some((number, self.meaning(&held, now)));
        }
        match self.given_up {
            Some((given_up, refused)) if given_up == number => refused,
            // One that was replaced before was old, not wrong.
            _ => Refused::Ended,
        }
    }

    fn meaning(&mut self, held: &Held, now: Instant) -> Refused {
        if !held.is_good {
            return Refused::NeverGood;
        }
        if now >= held.due {
            return Refused::Ended;
        }
        match self.revoked_at.replace(now) {
            Some(before) if now.duration_since(before) < TOO_OFTEN => Refused::NeverGood,
            _ => Refused::Ended,
        }
    }

    /// The number of the one that is held.
    #[must_use]
    pub fn holds(&self, number: u64) -> bool {
        self.held.as_ref().is_some_and(|held| held.token.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn secret() -> Secret {
        Secret::new(b"t".to_vec())
    }

    fn holding(lifetime: Duration, now: Instant) -> (Tokens, Token) {
        let mut tokens = Tokens::default();
        let token = tokens.fetched(secret(), lifetime, now);
        (tokens, token)
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_ahead_of_its_end_and_used_until_then() {
        for (lifetime, due) in [(secs(30), secs(24)), (HOUR, HOUR - AHEAD)] {
            let now = Instant::now();
            let (tokens, token) = holding(lifetime, now);
            let need = |after: Duration| tokens.need(now + after);
            let moment = Duration::from_millis(1);
            assert_eq!(need(Duration::ZERO), Need::Nothing(token.clone()));
            assert_eq!(need(due - moment), Need::Nothing(token.clone()));
            assert_eq!(need(due), Need::Renewal(token.clone()));
            assert_eq!(need(lifetime - moment), Need::Renewal(token));
            assert_eq!(need(lifetime), Need::Fetch);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_leaves_it_in_use_and_is_tried_again_later() {
        let now = Instant::now();
        let (mut tokens, token) = holding(HOUR, now);
        let due = now + (HOUR - AHEAD);
        tokens.failed("503".to_owned(), due, 1.0);
        assert_eq!(tokens.need(due), Need::Nothing(token.clone()));
        assert_eq!(tokens.need(due + FIRST_WAIT), Need::Renewal(token));
        tokens.failed("503".to_owned(), now + HOUR, 1.0);
        assert_eq!(tokens.need(now + HOUR), Need::Patience("503".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_a_minute_and_begin_anew_after_a_token() {
        let (mut tokens, now) = (Tokens::default(), Instant::now());
        let wait = |tokens: &mut Tokens, fraction| {
            tokens.failed(String::new(), now, fraction);
            tokens.failure.as_ref().expect("it failed").until - now
        };
        let waits: Vec<_> = (0..9).map(|_| wait(&mut tokens, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        assert_eq!(wait(&mut tokens, 0.0), LONGEST_WAIT / 2);
        tokens.fetched(secret(), HOUR, now);
        assert_eq!(wait(&mut tokens, 1.0), FIRST_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_good_ends_once_and_a_fresh_one_that_is_refused_is_a_fault() {
        let now = Instant::now();
        let (mut tokens, first) = holding(HOUR, now);
        tokens.taken(first.number);
        assert_eq!(tokens.refused(first.number, now), Refused::Ended);
        assert_eq!(tokens.need(now), Need::Fetch);
        let second = tokens.fetched(secret(), HOUR, now);
        // Others had the first one, too.
        assert_eq!(tokens.refused(first.number, now), Refused::Ended);
        assert_eq!(tokens.need(now), Need::Nothing(second.clone()));
        assert_eq!(tokens.refused(second.number, now), Refused::NeverGood);
        assert_eq!(tokens.refused(second.number, now), Refused::NeverGood);
        assert_eq!(tokens.need(now), Need::Fetch);
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_end_before_their_time_one_soon_after_the_other_are_a_fault() {
        for (apart, lifetime, expected) in [
            (secs(59), HOUR, Refused::NeverGood),
            (secs(60), HOUR, Refused::Ended),
            // Nearly over, as tokens are that last no longer.
            (secs(59), secs(60), Refused::Ended),
        ] {
            let now = Instant::now();
            let (mut tokens, first) = holding(HOUR, now);
            tokens.taken(first.number);
            assert_eq!(tokens.refused(first.number, now), Refused::Ended);
            let second = tokens.fetched(secret(), lifetime, now);
            tokens.taken(second.number);
            assert_eq!(tokens.refused(second.number, now + apart), expected, "{apart:?}");
        }
    }

    #[derive(Debug, Clone)]
    enum Event {
        Pass(u64),
        Fetch(u64),
        Fail,
        Take,
        Refuse,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0_u64..4000).prop_map(Event::Pass),
            (0_u64..4000).prop_map(Event::Fetch),
            Just(Event::Fail),
            Just(Event::Take),
            Just(Event::Refuse),
        ]
    }

    proptest! {
        #[test]
        fn no_token_is_used_past_its_end_or_after_it_was_refused(
            events in prop::collection::vec(event(), 0..64),
        ) {
            let (mut tokens, mut now) = (Tokens::default(), Instant::now());
            // What is known from outside: the last token and its end, unless it was refused.
            let mut last: Option<(u64, Instant)> = None;
            let mut number = 0;
            for event in events {
                match event {
                    Event::Pass(seconds) => now += secs(seconds),
                    Event::Fetch(seconds) => {
                        number = tokens.fetched(secret(), secs(seconds), now).number;
                        last = Some((number, now + secs(seconds).max(*LIFETIME.start())));
                    }
                    Event::Fail => tokens.failed(String::new(), now, 0.5),
                    Event::Take => tokens.taken(number),
                    Event::Refuse => {
                        tokens.refused(number, now);
                        last = None;
                    }
                }
                let usable = last.filter(|(_, ends)| now < *ends).map(|(number, _)| number);
                match tokens.need(now) {
                    Need::Nothing(token) | Need::Renewal(token) => {
                        prop_assert_eq!(Some(token.number), usable);
                    }
                    Need::Fetch | Need::Patience(_) => prop_assert_eq!(usable, None),
                }
                // Whatever happened, there is a way on within a minute.
                let later = tokens.need(now + LONGEST_WAIT);
                prop_assert!(!matches!(later, Need::Patience(_)));
            }
        }
    }
}
