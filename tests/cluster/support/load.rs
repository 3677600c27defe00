//! Carriers that call all the time, whichever node takes it, and remember what was acknowledged.

use super::alone::{Answer, Caller, Client, is_taken};
use bridge8890::standin::carriers::Request;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a carrier waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two callbacks of a caller: a load that leaves room for what is tested.
const PACE: Duration = Duration::from_millis(20);
/// How often a callback is repeated before the test has failed.
const REPEATS: usize = 1000;

/// Seeds of callers, none twice: callers of one seed send the same.
static SEED: AtomicU64 = AtomicU64::new(1);

/// Where callbacks go, as a load balancer does it: to each node in turn that is not left out.
#[derive(Clone, Default)]
pub(crate) struct Balancer {
    nodes: Arc<Mutex<Vec<Option<SocketAddr>>>>,
    turn: Arc<AtomicUsize>,
}

impl Balancer {
    pub(super) fn add(&self, node: SocketAddr) {
        self.nodes.lock().expect("nobody panics with it").push(Some(node));
    }

    /// Where a node is from now on; `None` leaves it out.
    pub(crate) fn set(&self, node: usize, address: Option<SocketAddr>) {
        self.nodes.lock().expect("nobody panics with it")[node] = address;
    }

    fn next(&self) -> Option<SocketAddr> {
        let nodes: Vec<SocketAddr> =
            self.nodes.lock().expect("nobody panics with it").iter().flatten().copied().collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        nodes.get(turn.checked_rem(nodes.len())?).copied()
    }
}

/// What was sent so far.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Answered with success.
    pub(crate) acknowledged: Vec<Request>,
    /// Answers that told a carrier to come again.
    pub(crate) busy: usize,
    /// Requests without an answer.
    pub(crate) unanswered: usize,
}

impl Sent {
    /// Whether it is done with.
    fn remember(&mut self, outcome: Outcome, request: &Request) -> bool {
        match outcome {
            Outcome::Taken => self.acknowledged.push(request.clone()),
            Outcome::Busy => self.busy += 1,
            Outcome::Unanswered => self.unanswered += 1,
        }
        matches!(outcome, Outcome::Taken)
    }

    /// The ids of all messages that were acknowledged.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.acknowledged.iter().map(|request| request.message_id.0.clone()).collect()
    }
}

/// Callers that go on until they are told to end.
pub(crate) struct Load {
    callers: JoinSet<()>,
    sent: Arc<Mutex<Sent>>,
    enough: Arc<AtomicBool>,
}

impl Load {
    /// So many callers.
    pub(super) fn start(balancer: &Balancer, count: u64) -> Load {
        let (sent, enough): (Arc<Mutex<Sent>>, Arc<AtomicBool>) = Default::default();
        let mut callers = JoinSet::new();
        for _ in 0..count {
            let caller = Caller::new(SEED.fetch_add(1, Ordering::Relaxed));
            let (balancer, sent, enough) =
                (balancer.clone(), Arc::clone(&sent), Arc::clone(&enough));
            callers.spawn(async move {
                go_on(caller, &balancer, &sent, &enough).await;
            });
        }
        Load { callers, sent, enough }
    }

    /// How many callbacks were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.sent.lock().expect("nobody panics with it").acknowledged.len()
    }

    /// Waits until so many more were acknowledged.
    pub(crate) async fn some(&self, count: usize) {
        let enough = self.acknowledged() + count;
        super::until("more is acknowledged", async || self.acknowledged() >= enough).await;
    }

    /// Ends it: what was begun is repeated until it is acknowledged.
    pub(crate) async fn ended(self) -> Sent {
        self.enough.store(true, Ordering::Relaxed);
        self.callers.join_all().await;
        std::mem::take(&mut *self.sent.lock().expect("nobody panics with it"))
    }
}

/// What became of one request.
#[derive(Clone, Copy)]
enum Outcome {
    Taken,
    Busy,
    Unanswered,
}

async fn go_on(mut caller: Caller, balancer: &Balancer, sent: &Mutex<Sent>, enough: &AtomicBool) {
    let client = Client::new();
    while !enough.load(Ordering::Relaxed) {
        let request = caller.next();
        for repeat in 0.. {
            assert!(repeat < REPEATS, "never acknowledged: {request:?}");
            let outcome = post(&client, balancer, &request).await;
            if sent.lock().expect("nobody panics with it").remember(outcome, &request) {
                break;
            }
            sleep(PACE).await;
        }
        sleep(PACE).await;
    }
}

async fn post(client: &Client, balancer: &Balancer, request: &Request) -> Outcome {
    let Some(node) = balancer.next() else { return Outcome::Unanswered };
    let url = format!("http://{node}{}", request.head.target);
    match timeout(PATIENCE, client.post(&url, request.body.clone())).await {
        Ok(Ok(answer)) if is_taken(request, &answer) => Outcome::Taken,
        Ok(Ok(answer)) => {
            assert!(is_busy(&answer), "neither success nor busy: {answer:?}");
            Outcome::Busy
        }
        Ok(Err(_)) | Err(_) => Outcome::Unanswered,
    }
}

/// In the words of the carrier of [`Caller`].
fn is_busy(answer: &Answer) -> bool {
    answer.status == 503
}
