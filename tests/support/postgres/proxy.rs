//! What lies between a gateway and its server: a proxy that cuts and hangs at chosen moments.

use bridge8890::lifecycle::Tasks;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The end of an answer of PostgreSQL's: `ReadyForQuery`, outside a transaction.
const ANSWERED: &[u8] = b"Z\0\0\0\x05I";

/// When a connection is cut that sends a chosen word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the server has heard it.
    BeforeItIsHeard,
    /// After the server has done it, and before the client has heard that.
    BeforeItIsAnswered,
}

/// How traffic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traffic {
    Flows,
    /// Nothing comes through, and nothing is closed.
    Hangs,
    /// Connections are closed as soon as they are opened.
    Refused,
}

/// A trap for connections that send a word.
#[derive(Debug, Clone, Copy)]
struct Trap {
    word: &'static str,
    when: When,
    /// How many it still catches.
    left: usize,
}

#[derive(Debug)]
struct State {
    traffic: Traffic,
    server: SocketAddr,
    /// Connections that were opened before are cut when it rises.
    cuts: u64,
}

/// A proxy without TLS. Its connections end with the test.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    trap: Arc<Mutex<Option<Trap>>>,
    tasks: Tasks,
}

impl Proxy {
    /// Before this server.
    pub(crate) async fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (state, seen) = watch::channel(State { traffic: Traffic::Flows, server, cuts: 0 });
        let (trap, tasks) = (Arc::default(), Tasks::new());
        let accepted = accept(listener, seen, Arc::clone(&trap), tasks.clone());
        drop(tasks.spawn("proxy", accepted));
        Proxy { address, state, trap, tasks }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections there are.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Lets nothing through, in either direction, and closes nothing.
    pub(crate) fn hang(&self) {
        self.state.send_modify(|state| state.traffic = Traffic::Hangs);
    }

    /// Cuts all connections, and takes no more.
    pub(crate) fn refuse(&self) {
        self.state.send_modify(|state| state.traffic = Traffic::Refused);
        self.cut();
    }

    /// Lets everything through again, also what came while it hung.
    pub(crate) fn flow(&self) {
        self.state.send_modify(|state| state.traffic = Traffic::Flows);
    }

    /// Leads new connections to another server.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        self.state.send_modify(|state| state.server = server);
    }

    /// Cuts the next `times` connections that send `word`, such as `COMMIT`.
    pub(crate) fn cut_at(&self, word: &'static str, when: When, times: usize) {
        *self.trap.lock().expect("nobody panics with it") = Some(Trap { word, when, left: times });
    }

    /// How many connections the trap has still to catch.
    pub(crate) fn still_to_cut(&self) -> usize {
        self.trap.lock().expect("nobody panics with it").map_or(0, |trap| trap.left)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

async fn accept(
    listener: TcpListener,
    state: watch::Receiver<State>,
    trap: Arc<Mutex<Option<Trap>>>,
    tasks: Tasks,
) {
    while let Ok((client, _)) = listener.accept().await {
        let (state, trap) = (state.clone(), Arc::clone(&trap));
        drop(tasks.spawn("connection", async move {
            // Either end may go when it likes.
            drop(pass(client, state, &trap).await);
        }));
    }
}

/// Passes on what both say, until one goes or the connection is cut.
async fn pass(
    mut client: TcpStream,
    mut state: watch::Receiver<State>,
    trap: &Mutex<Option<Trap>>,
) -> std::io::Result<()> {
    let (address, opened) = {
        let state = state.borrow_and_update();
        (state.server, state.cuts)
    };
    if state.borrow().traffic == Traffic::Refused {
        return Ok(());
    }
    let mut server = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let flows = {
            let state = state.borrow_and_update();
            if state.cuts != opened {
                return Ok(());
            }
            state.traffic == Traffic::Flows
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return Ok(()) },
            read = client.read(&mut asked), if flows => {
                let said = &asked[..read?];
                match caught(trap, said) {
                    _ if said.is_empty() => return Ok(()),
                    Some(When::BeforeItIsHeard) => return Ok(()),
                    Some(When::BeforeItIsAnswered) => {
                        server.write_all(said).await?;
                        return swallow_answer(&mut server).await;
                    }
                    None => server.write_all(said).await?,
                }
            }
            read = server.read(&mut answered), if flows => {
                let said = &answered[..read?];
                if said.is_empty() {
                    return Ok(());
                }
                client.write_all(said).await?;
            }
        }
    }
}

/// Whether this is caught. A word that the network cut in two is not; short statements are not cut.
fn caught(trap: &Mutex<Option<Trap>>, said: &[u8]) -> Option<When> {
    let mut trap = trap.lock().expect("nobody panics with it");
    let trap = trap.as_mut().filter(|trap| trap.left > 0)?;
    memchr::memmem::find(said, trap.word.as_bytes())?;
    trap.left -= 1;
    Some(trap.when)
}

/// Reads what the server answers to the end of its transaction, or of the connection.
async fn swallow_answer(server: &mut TcpStream) -> std::io::Result<()> {
    let mut answer = Vec::new();
    while memchr::memmem::find(&answer, ANSWERED).is_none() {
        if server.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    Ok(())
}
