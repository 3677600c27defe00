//! The line between carriers and gateway: one request, its answer, and how fast they follow.

use crate::generator::Connection;
use bridge8890::standin::carriers::Success;
use bridge8890::standin::carriers::speaker::Spoken;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

/// How long a carrier waits for an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a carrier heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// An answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its body.
        body: Vec<u8>,
    },
    /// The connection failed, or nothing came.
    Nothing(&'static str),
}

impl Heard {
    /// Whether it is this answer.
    pub(super) fn is(&self, wanted: &Success) -> bool {
        match self {
            Heard::Answer { status, body } => wanted.is(*status, body),
            Heard::Nothing(_) => false,
        }
    }
}

impl std::fmt::Display for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Heard::Answer { status, body } => {
                let body = String::from_utf8_lossy(body);
                let start: String = body.chars().take(80).collect();
                write!(f, "{status} {start:?}")
            }
            Heard::Nothing(why) => f.write_str(why),
        }
    }
}

/// A connection that is opened when it is needed.
#[derive(Debug)]
pub(super) struct Line {
    target: SocketAddr,
    connection: Option<Connection>,
}

impl Line {
    pub(super) fn to(target: SocketAddr) -> Line {
        Line { target, connection: None }
    }

    /// Sends a request and waits for the answer.
    pub(super) async fn ask(&mut self, spoken: &Spoken) -> Heard {
        match timeout(DEADLINE, self.exchange(spoken)).await {
            Ok(Ok(heard)) => heard,
            Ok(Err(_)) => Heard::Nothing("the connection broke"),
            Err(_) => Heard::Nothing("no answer within 10 s"),
        }
    }

    async fn exchange(&mut self, spoken: &Spoken) -> std::io::Result<Heard> {
        let mut open = match self.connection.take() {
            Some(open) => open,
            None => Connection::open(self.target).await?,
        };
        let Spoken { method, target, headers, body, .. } = spoken;
        let answer = open.send(method, target, headers, body).await?;
        let heard = Heard::Answer { status: answer.status, body: answer.body.to_vec() };
        if !answer.closes {
            self.connection = Some(open);
        }
        Ok(heard)
    }
}

/// How fast all carriers together speak.
#[derive(Debug)]
pub(super) struct Turns(Mutex<Interval>);

impl Turns {
    pub(super) fn new(rate: u32) -> Turns {
        let mut tick = interval(Duration::from_secs(1) / rate.max(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Turns(Mutex::new(tick))
    }

    /// Waits for the next turn.
    pub(super) async fn next(&self) {
        self.0.lock().await.tick().await;
    }
}
