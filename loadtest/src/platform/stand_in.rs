//! The gateway's own stand-in of the platform, with what load tests ask of it.

use super::Totals;
use crate::secrets;
use anyhow::Context;
use bridge8890::clock::Clock;
use bridge8890::lifecycle::Tasks;
use bridge8890::standin::faults::Faults;
use bridge8890::standin::platform::{OnRecord, Options, StandIn};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A running stand-in. It serves for as long as this lives.
pub(crate) struct Platform {
    stand_in: StandIn,
    tasks: Tasks,
    effects: Effects,
}

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
        Ok(Platform { stand_in, tasks, effects })
    }

    /// What it received so far.
    pub(crate) fn totals(&self) -> Totals {
        let totals = self.stand_in.totals();
        Totals {
            requests: totals.requests,
            effects: totals.effects.accepted,
            repeats: totals.effects.duplicates,
            unsigned: totals.unsigned,
        }
    }

    /// The message id behind every effect, if it remembers them.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.tasks.abort();
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
        assert_eq!(platform.totals(), Totals { requests: 1, unsigned: 1, ..Totals::default() });
        assert!(platform.totals().checked().is_err());
        assert_eq!(platform.effects(), Vec::<String>::new());
    }
}
