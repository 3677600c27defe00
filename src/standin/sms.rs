//! A stand-in for the carriers that send our messages: checks who asks, keeps what it is told to
//! send, and answers as it is told to.
//!
//! It speaks the send APIs of the built-in dialects, each at a path of its own. It reads and checks
//! requests by itself, so that both ends do not share a mistake.

mod proof;
mod speech;

pub use speech::Speech;

use crate::lifecycle::Tasks;
use crate::model::Secret;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The largest request that is read.
const MAX_BODY: usize = 1 << 20;

/// How it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    /// It takes messages.
    #[default]
    Well,
    /// It wants to be asked more slowly.
    Throttling,
    /// It fails, and may not later.
    Failing,
    /// It will never take what it is asked.
    Refusing,
    /// It reads a request, and neither takes the message nor answers.
    Silent,
    /// It takes a message and never answers.
    Hanging,
    /// It takes a message and drops the connection.
    Dropping,
    /// It takes a message and answers what nobody can read.
    Babbling,
}

/// A message that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Whose words it was told in.
    pub speech: Speech,
    /// The number, as it was told.
    pub to: String,
    /// The text, or the template and its parameters with a space between.
    pub content: String,
    /// Our key, where these words carry it.
    pub key: Option<String>,
    /// The id that it was given.
    pub id: String,
}

/// What it is and whom it believes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The user that must ask.
    pub user: String,
    /// The secret that must prove it.
    pub secret: Secret,
}

/// A running stand-in. Cloning shares it.
#[derive(Debug, Clone)]
pub struct SmsCarrier {
    local_addr: SocketAddr,
    mood: watch::Sender<Mood>,
    desk: Arc<Desk>,
}

/// Where requests are answered.
#[derive(Debug)]
struct Desk {
    user: String,
    secret: Secret,
    mood: watch::Receiver<Mood>,
    book: Mutex<Book>,
}

/// What happened so far.
#[derive(Debug, Default)]
struct Book {
    taken: Vec<Taken>,
    unproven: usize,
    requests: usize,
}

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the request was dropped")]
struct Dropped;

impl SmsCarrier {
    /// Listens, and answers until `tasks` are stopped.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: Options, tasks: &Tasks) -> io::Result<SmsCarrier> {
        let listener = TcpListener::bind(options.listen).await?;
        let local_addr = listener.local_addr()?;
        let (mood, watched) = watch::channel(Mood::default());
        let desk = Arc::new(Desk {
            user: options.user,
            secret: options.secret,
            mood: watched,
            book: Mutex::default(),
        });
        let server = {
            let (desk, tasks) = (Arc::clone(&desk), tasks.clone());
            async move {
                tokio::select! {
                    () = tasks.stopping() => {}
                    () = serve(listener, desk, &tasks) => {}
                }
            }
        };
        drop(tasks.spawn("stand-in SMS carrier", server));
        Ok(SmsCarrier { local_addr, mood, desk })
    }

    /// The `url` of an account that speaks like this.
    #[must_use]
    pub fn url(&self, speech: Speech) -> String {
        format!("http://{}{}", self.local_addr, speech.path())
    }

    /// Answers like this from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// The messages that it took, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        self.desk.book().taken.clone()
    }

    /// How many requests there were, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.desk.book().requests
    }

    /// How many requests did not prove who asks.
    #[must_use]
    pub fn unproven(&self) -> usize {
        self.desk.book().unproven
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>, tasks: &Tasks) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let (desk, stopping) = (Arc::clone(&desk), tasks.clone());
        drop(tasks.spawn("stand-in SMS connection", async move {
            tokio::select! {
                () = stopping.stopping() => {}
                () = connection(stream, desk) => {}
            }
        }));
    }
}

async fn connection(stream: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { desk.answer(request).await }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // How a peer leaves is not the stand-in's concern.
    serving.await.ok();
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change of it is whole, so a panic leaves nothing half done.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Dropped)?.to_bytes();
        self.book().requests += 1;
        let Some(speech) = Speech::at(head.uri.path()) else {
            return Ok(answer(StatusCode::NOT_FOUND, "no such path".to_owned()));
        };
        let asked = proof::Asked { head: &head, body: &body };
        if !proof::is_proven(speech, &asked, &self.user, self.secret.reveal()) {
            self.book().unproven += 1;
            let (status, body) = speech.unproven();
            return Ok(answer(status, body));
        }
        let mood = *self.mood.borrow();
        let (status, body) = match mood {
            Mood::Throttling => speech.throttled(),
            Mood::Failing => speech.failed(),
            Mood::Refusing => speech.refused(),
            Mood::Silent => std::future::pending().await,
            Mood::Well | Mood::Hanging | Mood::Dropping | Mood::Babbling => {
                let id = self.take(speech, &asked);
                speech.taken(&id)
            }
        };
        match mood {
            Mood::Hanging => std::future::pending().await,
            Mood::Dropping => Err(Dropped),
            Mood::Babbling => Ok(answer(StatusCode::OK, "<html>welcome</html>".to_owned())),
            _ => Ok(answer(status, body)),
        }
    }

    fn take(&self, speech: Speech, asked: &proof::Asked<'_>) -> String {
        let told = speech.read(asked);
        let mut book = self.book();
        let id = format!("standin-{}", book.taken.len() + 1);
        let (to, content, key) = (told.to, told.content, told.key);
        book.taken.push(Taken { speech, to, content, key, id: id.clone() });
        id
    }
}

fn answer(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}
