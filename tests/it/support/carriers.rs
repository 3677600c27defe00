//! Carriers that call: synthetic callbacks, one record each, and what came of them.

use super::client::{Answer, Client};
use super::gateway::Gateway;
use bridge8890::clock::Clock;
use bridge8890::standin::carriers::{Mix, Request, Synthetic};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

/// Where the accounts of [`super::Site`] are called.
pub(crate) const ALIYUN_SMS: &str = "/callback/aliyun-sms/up";
pub(crate) const TENCENT_VMS: &str = "/callback/tencent-vms";
pub(crate) const YUNPIAN: &str = "/callback/yunpian/reply";

/// Callbacks that each become exactly one record.
pub(crate) struct Caller(Synthetic);

impl Caller {
    /// Callers of different seeds share no message.
    pub(crate) fn new(seed: u64) -> Caller {
        Caller(Synthetic::new(Mix::Benchmark, seed))
    }

    pub(crate) fn next(&mut self) -> Request {
        self.0.next(Clock::system().now())
    }

    pub(crate) fn take(&mut self, count: usize) -> Vec<Request> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Whether an answer is what this carrier takes for success.
pub(crate) fn is_taken(request: &Request, answer: &Answer) -> bool {
    request.head.success.is(answer.status, &answer.body)
}

impl Gateway {
    /// Posts a synthetic callback.
    pub(crate) async fn call(&self, request: &Request) -> Answer {
        self.post(&request.head.target, request.body.clone()).await
    }

    /// Posts callbacks, all of which must be taken; returns the ids of their messages.
    pub(crate) async fn take(&self, requests: &[Request]) -> BTreeSet<String> {
        for request in requests {
            let answer = self.call(request).await;
            assert!(is_taken(request, &answer), "{answer:?}");
        }
        requests.iter().map(|request| request.message_id.0.clone()).collect()
    }
}

/// Several callers that go on until the gateway answers no more.
pub(crate) struct Stream {
    callers: JoinSet<Option<Request>>,
    acknowledged: Arc<Mutex<Vec<Request>>>,
}

/// What became of a stream.
pub(crate) struct Ended {
    /// Answered with success.
    pub(crate) acknowledged: Vec<Request>,
    /// Never answered.
    pub(crate) unanswered: Vec<Request>,
}

impl Stream {
    /// Callers with these seeds.
    pub(crate) fn start(address: SocketAddr, seeds: impl IntoIterator<Item = u64>) -> Stream {
        let acknowledged: Arc<Mutex<Vec<Request>>> = Arc::default();
        let mut callers = JoinSet::new();
        for seed in seeds {
            callers.spawn(go_on(address, Caller::new(seed), Arc::clone(&acknowledged)));
        }
        Stream { callers, acknowledged }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.lock().expect("nobody panics with it").len()
    }

    /// Waits until the last caller has given up.
    pub(crate) async fn ended(self) -> Ended {
        let unanswered = self.callers.join_all().await.into_iter().flatten().collect();
        let acknowledged = self.acknowledged.lock().expect("nobody panics with it").clone();
        Ended { acknowledged, unanswered }
    }
}

/// Calls one by one; returns the callback that was not answered.
async fn go_on(
    address: SocketAddr,
    mut caller: Caller,
    acknowledged: Arc<Mutex<Vec<Request>>>,
) -> Option<Request> {
    let client = Client::new();
    loop {
        let request = caller.next();
        let url = format!("http://{address}{}", request.head.target);
        let Ok(answer) = client.post(&url, request.body.clone()).await else {
            return Some(request);
        };
        assert!(is_taken(&request, &answer), "{answer:?}");
        acknowledged.lock().expect("nobody panics with it").push(request);
    }
}
