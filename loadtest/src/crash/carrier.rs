//! A carrier that does not give up: it sends each message until it is acknowledged, and now and
//! then once more.

use crate::generator::{Connection, Verdict, exchange};
use bridge8890::clock::Clock;
use bridge8890::standin::carriers::{Mix, Request, Synthetic};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One connection's carrier.
pub(crate) struct Persistent {
    synthetic: Synthetic,
    target: SocketAddr,
    clock: Clock,
    connection: Option<Connection>,
    told: Acknowledged,
}

/// What carriers were told.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// The ids of acknowledged messages.
    pub(crate) ids: Vec<String>,
    /// Messages sent again because nobody knew what had become of them.
    pub(crate) resent: u64,
    /// Messages sent again although acknowledged.
    pub(crate) repeated: u64,
}

/// How long a carrier waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long it waits before it sends again.
const PAUSE: Duration = Duration::from_millis(20);
/// One in so many acknowledged messages is sent again.
const REPEAT_EACH: usize = 100;

impl Acknowledged {
    pub(crate) fn merge(&mut self, other: Acknowledged) {
        self.ids.extend(other.ids);
        self.resent += other.resent;
        self.repeated += other.repeated;
    }
}

impl Persistent {
    pub(crate) fn new(seed: u64, stream: u32, target: SocketAddr, clock: Clock) -> Persistent {
        // Streams are kept apart as the generator keeps them.
        let seed = seed.rotate_left(32).wrapping_add(u64::from(stream));
        let synthetic = Synthetic::new(Mix::Benchmark, seed);
        let told = Acknowledged::default();
        Persistent { synthetic, target, clock, connection: None, told }
    }

    /// Sends until there is enough; the message under way is still seen through.
    pub(crate) async fn send_until(mut self, enough: CancellationToken) -> Acknowledged {
        while !enough.is_cancelled() {
            let request = self.synthetic.next(self.clock.now());
            self.see_through(&request).await;
            self.told.ids.push(request.message_id.0.clone());
            if self.told.ids.len().is_multiple_of(REPEAT_EACH) {
                self.told.repeated += 1;
                self.see_through(&request).await;
            }
        }
        self.told
    }

    async fn see_through(&mut self, request: &Request) {
        loop {
            let sent = exchange(&mut self.connection, self.target, request);
            match tokio::time::timeout(TIMEOUT, sent).await {
                Ok(Ok(Verdict::Accepted)) => return,
                // Refused: it had no effect, and carriers send again all the same.
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => self.told.resent += 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit;
    use bridge8890::lifecycle::Tasks;
    use std::collections::HashSet;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn every_message_is_acknowledged_once_in_the_books() {
        let tasks = Tasks::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = listener.local_addr().expect("bound");
        tasks.spawn("limit", limit::serve(listener, tasks.clone()));

        let enough = CancellationToken::new();
        let mut carrier = Persistent::new(1, 0, target, Clock::system());
        for _ in 0..REPEAT_EACH {
            let request = carrier.synthetic.next(carrier.clock.now());
            carrier.see_through(&request).await;
            carrier.told.ids.push(request.message_id.0);
        }
        enough.cancel();
        let told = carrier.send_until(enough).await;
        let different: HashSet<&String> = told.ids.iter().collect();
        assert_eq!((told.ids.len(), different.len()), (REPEAT_EACH, REPEAT_EACH));
        assert_eq!(told.resent, 0);
        tasks.abort();
    }
}
