//! The token of a destination: one request asks for it, and all that need it wait for that one.

use super::grant::{Asking, GrantError};
use super::tokens::{Need, Refused, Token, Tokens};
use crate::clock::{Clock, Entropy};
use crate::egress::verdict::chain;
use crate::net::client::{CallError, Client};
use crate::telemetry::identity::Identity as Telemetry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::{Instant, timeout_at};

/// The largest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// Why there is no token. Nothing of a secret or a token is in it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Whoever gives them out did not answer.
    #[error("destination.identity.token_url")]
    Unanswered(#[source] CallError),
    /// The answer brought none.
    #[error("destination.identity.token_url")]
    NotGiven(#[from] GrantError),
    /// Asking failed a moment ago, and it is too early to ask again.
    #[error("{0}")]
    TooEarly(String),
    /// Another request asks, and had no answer yet.
    #[error("none came in time; check destination.identity.token_url")]
    TooLate,
    /// It came, and no request can carry it.
    #[error("the one that came cannot stand in a header")]
    Odd,
}

/// Where the token of a destination comes from.
#[derive(Debug)]
pub(super) struct TokenSource {
    asking: Asking,
    client: Client,
    clock: Clock,
    entropy: Entropy,
    telemetry: Telemetry,
    tokens: Mutex<Tokens>,
    /// Held by whoever asks. A request that is cut off lets go of it.
    flight: tokio::sync::Mutex<()>,
}

impl TokenSource {
    pub(super) fn new(
        asking: Asking,
        client: Client,
        (clock, entropy): (Clock, Entropy),
        telemetry: Telemetry,
    ) -> TokenSource {
        let (tokens, flight) = Default::default();
        TokenSource { asking, client, clock, entropy, telemetry, tokens, flight }
    }

    /// The token for a request that starts now.
    ///
    /// # Errors
    /// [`TokenError`] when there is none before `deadline`.
    pub(super) async fn token(&self, deadline: Instant) -> Result<Token, TokenError> {
        match self.need() {
            Need::Nothing(token) => Ok(token),
            Need::Renewal(token) => match self.flight.try_lock() {
                // What is still good is used, whatever becomes of the renewal.
                Ok(_flight) => Ok(self.fetch(deadline).await.unwrap_or(token)),
                Err(_) => Ok(token),
            },
            Need::Patience(cause) => Err(TokenError::TooEarly(cause)),
            Need::Fetch => {
                let flight = timeout_at(deadline, self.flight.lock()).await;
                let _flight = flight.map_err(|_| TokenError::TooLate)?;
                // Whoever had it before may have fetched one.
                match self.need() {
                    Need::Nothing(token) | Need::Renewal(token) => Ok(token),
                    Need::Patience(cause) => Err(TokenError::TooEarly(cause)),
                    Need::Fetch => self.fetch(deadline).await,
                }
            }
        }
    }

    async fn fetch(&self, deadline: Instant) -> Result<Token, TokenError> {
        let request = self.asking.request(self.clock.now());
        let asked = self.client.call(request, deadline, MAX_ANSWER).await;
        let given = match asked {
            Ok(answer) => self.asking.read(answer.status, &answer.body).map_err(Into::into),
            Err(error) => Err(TokenError::Unanswered(error)),
        };
        let now = Instant::now();
        match given {
            Ok((value, lifetime)) => {
                self.telemetry.token_fetched();
                Ok(self.tokens().fetched(value, lifetime, now))
            }
            Err(error) => {
                let cause = chain(&error);
                self.telemetry.token_failed(&cause);
                self.tokens().failed(cause, now, self.entropy.fraction());
                Err(error)
            }
        }
    }

    /// The destination took this one.
    pub(super) fn taken(&self, token: &Token) {
        self.tokens().taken(token.number);
    }

    /// The destination refused this one.
    pub(super) fn refused(&self, token: &Token) -> Refused {
        let mut tokens = self.tokens();
        let is_news = tokens.holds(token.number);
        let refused = tokens.refused(token.number, Instant::now());
        if is_news {
            self.telemetry.token_refused();
        }
        refused
    }

    fn need(&self) -> Need {
        self.tokens().need(Instant::now())
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        // A panic leaves at worst an old token.
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
