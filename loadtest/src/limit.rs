//! `limit`: a bare hyper server that reads the same bodies and answers 200. What it does a second
//! is the 1.0 to which everything else is compared.

use bridge8890::lifecycle::Tasks;
use bridge8890::net::listener::listen;
use bridge8890::standin::carriers::Dialect;
use bytes::Bytes;
use clap::Args;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
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

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    body.collect().await?;
    let path = head.uri.path();
    let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.path() == path);
    let success = dialect.map_or("", Dialect::success);
    Ok(Response::new(Full::new(Bytes::from_static(success.as_bytes()))))
}
