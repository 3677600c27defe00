//! A stand-in for the platform: speaks the native profile, counts the effects of every key, and
//! misbehaves on demand.

use super::desk::Desk;
use super::faults::Faults;
use super::ledger::{Effects, Seen};
use crate::clock::Clock;
use crate::egress::native::Key;
use crate::lifecycle::Tasks;
use crate::model::Secret;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The wait before an address is tried again that is still taken.
const REBIND: Duration = Duration::from_millis(20);

/// Called for each record that is taken for the first time.
pub type OnRecord = Box<dyn Fn(&Seen<'_>) + Send + Sync>;

/// What a stand-in is and does besides answering.
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The key that requests must be signed with.
    pub secret: Secret,
    /// The faults to begin with.
    pub faults: Faults,
    /// Told of each record that is taken for the first time.
    pub on_record: Option<OnRecord>,
}

/// A running stand-in. Cloning shares it.
#[derive(Clone)]
pub struct StandIn {
    local_addr: SocketAddr,
    faults: watch::Sender<Faults>,
    desk: Arc<Desk>,
}

/// What the stand-in has seen and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Requests that were read.
    pub requests: u64,
    /// Requests whose signature was wrong or missing.
    pub unsigned: u64,
    /// Records by what they came to.
    #[serde(flatten)]
    pub effects: Effects,
}

impl StandIn {
    /// Listens, and answers until `tasks` are stopped. Give it `Tasks` of its own: a gateway that
    /// is stopping still has records for it.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: Options, clock: Clock, tasks: &Tasks) -> io::Result<StandIn> {
        let listener = TcpListener::bind(options.listen).await?;
        let local_addr = listener.local_addr()?;
        let (faults, watched) = watch::channel(options.faults);
        let desk = Arc::new(Desk::new(&options.secret, clock, options.on_record));
        let door = Door { address: local_addr, faults: watched, desk: Arc::clone(&desk) };
        let server = {
            let tasks = tasks.clone();
            async move {
                tokio::select! {
                    () = tasks.stopping() => {}
                    () = door.serve(listener, &tasks) => {}
                }
            }
        };
        drop(tasks.spawn("stand-in platform", server));
        Ok(StandIn { local_addr, faults, desk })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Misbehaves like this from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.faults.send_replace(faults);
    }

    /// What it has seen and done.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.desk.totals()
    }

    /// How often this key came; more than once means that all but the first were duplicates.
    #[must_use]
    pub fn times_seen(&self, key: Key) -> u32 {
        self.desk.times_seen(key)
    }
}

/// The part of the stand-in that listens.
struct Door {
    address: SocketAddr,
    faults: watch::Receiver<Faults>,
    desk: Arc<Desk>,
}

impl Door {
    /// Accepts while the platform is up, and lets go of the address while it is down.
    async fn serve(mut self, listener: TcpListener, tasks: &Tasks) {
        let mut listener = Some(listener);
        loop {
            let down = self.faults.borrow_and_update().down;
            if down {
                listener = None;
            }
            let accepted = match &listener {
                Some(open) => tokio::select! {
                    changed = self.faults.changed() => changed.map(|()| None),
                    accepted = open.accept() => match accepted {
                        Ok((stream, _)) => Ok(Some(stream)),
                        Err(_) => {
                            tokio::time::sleep(REBIND).await;
                            Ok(None)
                        }
                    },
                },
                None if down => self.faults.changed().await.map(|()| None),
                None => {
                    listener = TcpListener::bind(self.address).await.ok();
                    if listener.is_none() {
                        tokio::time::sleep(REBIND).await;
                    }
                    continue;
                }
            };
            match accepted {
                Ok(Some(stream)) => {
                    let (faults, desk) = (self.faults.clone(), Arc::clone(&self.desk));
                    let stopping = tasks.clone();
                    let connection = connection(stream, faults, desk);
                    drop(tasks.spawn("stand-in connection", async move {
                        tokio::select! {
                            () = stopping.stopping() => {}
                            () = connection => {}
                        }
                    }));
                }
                Ok(None) => {}
                // Nobody is left who could change the faults or read the totals.
                Err(_) => return,
            }
        }
    }
}

async fn connection(stream: TcpStream, faults: watch::Receiver<Faults>, desk: Arc<Desk>) {
    // Without it answers are only slower.
    stream.set_nodelay(true).ok();
    let service = service_fn({
        let faults = faults.clone();
        move |request| {
            let now = *faults.borrow();
            let desk = Arc::clone(&desk);
            async move { desk.answer(request, now).await }
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut faults = faults;
    tokio::select! {
        // How a peer leaves is not the stand-in's concern.
        _ = serving => {}
        _ = faults.wait_for(|faults| faults.down) => {}
    }
}
