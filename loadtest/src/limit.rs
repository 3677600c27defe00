//! `limit`: a bare hyper server that reads the same bodies and answers 200. What it does a second
//! is the 1.0 to which everything else is compared.

use crate::secrets;
use bridge8890::lifecycle::Tasks;
use bridge8890::net::listener::listen;
use bridge8890::standin::carriers::{Success, accounts};
use bytes::Bytes;
use clap::Args;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::LazyLock;
use tokio::net::{TcpListener, TcpStream};

/// Where the limit server listens.
#[derive(Debug, Args)]
pub(crate) struct Limit {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:18890")]
    listen: SocketAddr,
}

impl Limit {
    /// Serves until interrupted.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let tasks = Tasks::new();
        let listener = listen(self.listen)?;
        tokio::select! {
            () = serve(listener, tasks.clone()) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        tasks.abort();
        Ok(())
    }
}

/// Serves every connection until the tasks are stopped.
pub(crate) async fn serve(listener: TcpListener, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tasks.spawn("connection", connection(stream));
                }
            }
        }
    }
}

async fn connection(stream: TcpStream) {
    // Without it the comparison would be with Nagle's algorithm.
    let prompt = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
    // A connection that ends early ends its client's run, which is where it is counted.
    drop((prompt, served));
}

/// What each carrier takes for success, by the path that it calls; the status is 200 for all.
#[expect(clippy::expect_used, reason = "the accounts are built in, and tests load them")]
static SUCCESSES: LazyLock<BTreeMap<String, Success>> = LazyLock::new(|| {
    let accounts = accounts::load(&accounts::of_citizens(), secrets::CARRIER);
    accounts::successes(&accounts.expect("right accounts"))
});

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let success = SUCCESSES.get(head.uri.path());
    let body = success.map(|success| success.body.clone()).unwrap_or_default();
    Ok(Response::new(Full::new(body)))
}
