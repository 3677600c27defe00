//! A stand-in for the platform: speaks the native profile, counts the effects of every key, and
//! misbehaves on demand.

use super::desk::Desk;
use super::faults::Faults;
use super::ledger::{Effects, Seen};
use super::program::Program;
use crate::clock::Clock;
use crate::egress::native::Key;
use crate::lifecycle::Tasks;
use crate::model::Secret;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

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
    stage: Arc<Stage>,
    desk: Arc<Desk>,
}

/// What is wrong now, and what will be.
struct Stage {
    faults: watch::Sender<Faults>,
    /// The program, and when it began; only who holds this changes the faults.
    program: Mutex<Option<(Instant, Program)>>,
    changed: Notify,
}

/// What the stand-in has seen and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests that were read.
    pub requests: u64,
    /// Requests whose signature was wrong or missing.
    pub unsigned: u64,
    /// The most requests in any second.
    pub busiest_second: usize,
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
        let stage = Arc::new(Stage { faults, program: Mutex::default(), changed: Notify::new() });
        let (playing, stop) = (Arc::clone(&stage), tasks.clone());
        drop(tasks.spawn("stand-in program", async move {
            tokio::select! {
                () = stop.stopping() => {}
                () = playing.play() => {}
            }
        }));
        Ok(StandIn { local_addr, stage, desk })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Misbehaves like this from now on; a program is over.
    pub fn set_faults(&self, faults: Faults) {
        let mut program = self.stage.program();
        *program = None;
        self.stage.faults.send_replace(faults);
    }

    /// Misbehaves by this program from now on. At its end all is well.
    pub fn play(&self, program: Program) {
        *self.stage.program() = Some((Instant::now(), program));
        self.stage.advance();
        self.stage.changed.notify_one();
    }

    /// What is wrong now.
    #[must_use]
    pub fn faults(&self) -> Faults {
        *self.stage.faults.borrow()
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

impl Stage {
    fn program(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Program)>> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the program says now. Returns how long that holds; `None` without a program.
    fn advance(&self) -> Option<Duration> {
        let mut program = self.program();
        let (began, phases) = program.as_ref()?;
        let now = phases.at(began.elapsed());
        let (faults, left) = now.unzip();
        if now.is_none() {
            *program = None;
        }
        self.faults.send_replace(faults.unwrap_or_default());
        left
    }

    async fn play(&self) {
        loop {
            match self.advance() {
                None => self.changed.notified().await,
                Some(left) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep(left) => {}
                },
            }
        }
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
