//! The platform that records arrive at: the stand-in, remembering what it took.

use bridge8890::clock::Clock;
use bridge8890::egress::native::Key;
use bridge8890::lifecycle::Tasks;
use bridge8890::model::Secret;
use bridge8890::standin::faults::Faults;
use bridge8890::standin::platform::{Options, StandIn};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// The key that the gateway signs with.
pub(crate) const SECRET: &str = "the platform's key";

/// A platform in the test's own process.
pub(crate) struct Platform {
    stand_in: StandIn,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A record that the platform took for the first time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Taken {
    pub(crate) key: Key,
    pub(crate) kind: String,
    pub(crate) account: String,
    pub(crate) message_id: Option<String>,
    pub(crate) invitation: Option<String>,
}

impl Platform {
    /// One that works.
    pub(crate) async fn start() -> Platform {
        Platform::with(Faults::default()).await
    }

    /// One that misbehaves from the beginning.
    pub(crate) async fn with(faults: Faults) -> Platform {
        let taken: Arc<Mutex<Vec<Taken>>> = Arc::default();
        let book = Arc::clone(&taken);
        let options = Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            secret: Secret::new(SECRET.into()),
            faults,
            on_record: Some(Box::new(move |seen| {
                book.lock().expect("nobody panics with it").push(Taken {
                    key: seen.key,
                    kind: seen.kind.to_owned(),
                    account: seen.account.to_owned(),
                    message_id: seen.message_id.map(str::to_owned),
                    invitation: seen.invitation.map(str::to_owned),
                });
            })),
        };
        let started = StandIn::start(options, Clock::system(), &Tasks::new()).await;
        Platform { stand_in: started.expect("a free port"), taken }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.stand_in.local_addr())
    }

    /// Misbehaves like this from now on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.stand_in.set_faults(faults);
    }

    /// Requests that were read so far.
    pub(crate) fn requests(&self) -> u64 {
        self.stand_in.totals().requests
    }

    /// The records that had an effect, in the order of their coming.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().expect("nobody panics with it").clone()
    }

    /// How many records had an effect for each message.
    pub(crate) fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for id in self.taken().into_iter().filter_map(|taken| taken.message_id) {
            *effects.entry(id).or_default() += 1;
        }
        effects
    }
}
