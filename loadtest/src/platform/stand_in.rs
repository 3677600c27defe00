//! The gateway's own stand-in of the platform, with what load tests ask of it.

use super::Totals;
use crate::secrets;
use anyhow::Context;
use bridge8890::clock::Clock;
use bridge8890::lifecycle::Tasks;
use bridge8890::standin::faults::Faults;
use bridge8890::standin::platform::{OnRecord, Options, StandIn};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A running stand-in. It serves for as long as this lives.
pub(crate) struct Platform {
    stand_in: StandIn,
    _serving: Serving,
    effects: Effects,
    awaited: Awaited,
}

/// When awaited messages came, by their ids.
type Awaited = Arc<Mutex<HashMap<String, Option<Instant>>>>;

/// The carriers' message ids of records that had an effect, one for each effect.
type Effects = Arc<Mutex<Vec<String>>>;

impl Platform {
    /// Listens, and waits `delay` before each answer.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) async fn start(listen: SocketAddr, delay: Duration) -> anyhow::Result<Platform> {
        let faults = Faults { latency: delay, ..Faults::default() };
        Platform::with(listen, faults, Effects::default(), None).await
    }

    /// Listens, and notes when messages come that are awaited.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) async fn awaiting(listen: SocketAddr) -> anyhow::Result<Platform> {
        let awaited = Awaited::default();
        let note: OnRecord = {
            let awaited = Arc::clone(&awaited);
            Box::new(move |seen| {
                // The rating that it is about goes before a complaint, under the same message.
                if seen.kind != "complaint" {
                    return;
                }
                let mut awaited = awaited.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(came) = seen.message_id.and_then(|id| awaited.get_mut(id)) {
                    came.get_or_insert_with(Instant::now);
                }
            })
        };
        let effects = Effects::default();
        let platform = Platform::with(listen, Faults::default(), effects, Some(note)).await?;
        Ok(Platform { awaited, ..platform })
    }

    /// Awaits a message from now on.
    pub(crate) fn expect(&self, message: &str) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.insert(message.to_owned(), None);
    }

    /// When an awaited message came, if it has.
    pub(crate) fn came(&self, message: &str) -> Option<Instant> {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.get(message).copied().flatten()
    }

    /// Listens, and remembers what caused each effect.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(crate) async fn remembering(listen: SocketAddr) -> anyhow::Result<Platform> {
        let effects = Effects::default();
        let remember: OnRecord = {
            let effects = Arc::clone(&effects);
            Box::new(move |seen| {
                let message = seen.message_id.unwrap_or_default().to_owned();
                effects.lock().unwrap_or_else(PoisonError::into_inner).push(message);
            })
        };
        Platform::with(listen, Faults::default(), effects, Some(remember)).await
    }

    async fn with(
        listen: SocketAddr,
        faults: Faults,
        effects: Effects,
        on_record: Option<OnRecord>,
    ) -> anyhow::Result<Platform> {
        let options = Options { listen, secret: secrets::platform(), faults, on_record };
        let tasks = Tasks::new();
        let stand_in = StandIn::start(options, Clock::system(), &tasks)
            .await
            .with_context(|| format!("the platform cannot listen on {listen}"))?;
        let serving = Serving(tasks);
        Ok(Platform { stand_in, _serving: serving, effects, awaited: Awaited::default() })
    }

    /// What it received so far.
    pub(crate) fn totals(&self) -> Totals {
        self.stand_in.totals().into()
    }

    /// The stand-in itself, to be told what to do wrong.
    pub(crate) fn stand_in(&self) -> StandIn {
        self.stand_in.clone()
    }

    /// The message id behind every effect, if it remembers them.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends the stand-in's tasks.
struct Serving(Tasks);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::Connection;
    use http::{HeaderMap, Method};

    #[tokio::test]
    async fn who_does_not_sign_is_found_out() {
        let address = crate::process::free_address().expect("a free port");
        let platform = Platform::remembering(address).await.expect("it listens");
        assert!(platform.totals().checked().is_ok());
        let mut connection = Connection::open(address).await.expect("it listens");
        let batch = br#"{"records":[]}"#;
        let answer = connection.send(&Method::POST, "/v1/records", &HeaderMap::new(), batch).await;
        assert_eq!(answer.expect("answered").status, 401);
        let expected = Totals { requests: 1, unsigned: 1, busiest_second: 1, ..Totals::default() };
        assert_eq!(platform.totals(), expected);
        assert!(platform.totals().checked().is_err());
        assert_eq!(platform.effects(), Vec::<String>::new());
    }
}
