//! Where the stand-in platform is told what to do wrong, and asked what it has seen: HTTP on a port of
//! its own.

use super::faults::Faults;
use super::platform::StandIn;
use super::program::Program;
use crate::lifecycle::Tasks;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// The largest order that is read.
const MAX_BODY: usize = 64 << 10;

/// What may be asked, for a command's help.
pub const HELP: &str = "\
Faults of the stand-in platform, told while it runs, at its control address:
  GET  /totals   what it has seen: requests, the most in one second, records by what they came to
  GET  /faults   what is wrong now
  POST /faults   what is to be wrong from now on; {} is nothing
  POST /faults   a program: a list of phases; afterwards all is well
Keys of faults: down, latency, mishap, mishap_every, reject_every, poison_every, max_batch, records_per_second.
Mishaps: \"hang\", \"drop_before_work\", \"drop_after_work\", \"drop_in_answer\", \"garbage\", \"riddle\", \"refuse_in200\",
  {\"refuse\": {\"status\": 503, \"retry_after\": \"2s\"}}, {\"refuse_until\": {\"status\": 503, \"wait\": \"2s\"}},
  {\"trickle\": {\"every\": \"50ms\"}}
  curl -d '{\"mishap\": \"garbage\", \"mishap_every\": 3}' http://ADDRESS/faults
  curl -d '[{\"for\": \"10s\", \"faults\": {\"down\": true}}, {\"for\": \"5s\", \"faults\": {\"latency\": \"2s\"}}]' http://ADDRESS/faults";

/// Listens until `tasks` are stopped, on loopback only; returns where.
///
/// # Errors
/// When the address cannot be listened on, or others could reach it.
pub async fn start(
    address: SocketAddr,
    stand_in: StandIn,
    tasks: &Tasks,
) -> io::Result<SocketAddr> {
    if !address.ip().is_loopback() {
        let why = "whoever reaches it decides what the platform does: choose a loopback address";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let stop = tasks.clone();
    drop(tasks.spawn("stand-in control", async move {
        tokio::select! {
            () = stop.stopping() => {}
            () = serve(listener, stand_in, &stop) => {}
        }
    }));
    Ok(address)
}

async fn serve(listener: TcpListener, stand_in: StandIn, tasks: &Tasks) {
    while let Ok((stream, _)) = listener.accept().await {
        let (stand_in, stop) = (stand_in.clone(), tasks.clone());
        drop(tasks.spawn("stand-in control connection", async move {
            let service = service_fn(|request| answer(&stand_in, request));
            let mut http = http1::Builder::new();
            let serving =
                http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.stopping() => {}
                // How a peer leaves is not the stand-in's concern.
                _ = serving => {}
            }
        }));
    }
}

async fn answer(
    stand_in: &StandIn,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    Ok(match (&head.method, head.uri.path()) {
        (&Method::GET, "/totals") => json(&stand_in.totals()),
        (&Method::GET, "/faults") => json(&stand_in.faults()),
        (&Method::POST, "/faults") => {
            match Limited::new(body, MAX_BODY).collect().await.map(|body| body.to_bytes()) {
                Ok(order) => obey(stand_in, &order),
                Err(_) => said(StatusCode::BAD_REQUEST, "the order was not read to its end".into()),
            }
        }
        _ => said(StatusCode::NOT_FOUND, HELP.into()),
    })
}

fn obey(stand_in: &StandIn, order: &[u8]) -> Response<Full<Bytes>> {
    match Order::read(order) {
        Ok(Order::Faults(faults)) => stand_in.set_faults(faults),
        Ok(Order::Program(program)) => stand_in.play(program),
        Err(error) => return said(StatusCode::BAD_REQUEST, format!("{error}\n").into()),
    }
    json(&stand_in.faults())
}

/// What the stand-in may be told.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Faults(Faults),
    Program(Program),
}

impl Order {
    fn read(text: &[u8]) -> Result<Order, serde_json::Error> {
        if text.trim_ascii_start().starts_with(b"[") {
            serde_json::from_slice(text).map(Order::Program)
        } else {
            serde_json::from_slice(text).map(Order::Faults)
        }
    }
}

fn json(value: &impl Serialize) -> Response<Full<Bytes>> {
    // Plain data that always serialises.
    said(StatusCode::OK, serde_json::to_vec(value).unwrap_or_default().into())
}

fn said(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::model::Secret;
    use crate::standin::platform::Options;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[test]
    fn the_examples_of_the_help_are_orders() {
        let orders: Vec<&str> = HELP.lines().filter_map(|line| line.split('\'').nth(1)).collect();
        assert_eq!(orders.len(), 2);
        for order in orders {
            assert!(Order::read(order.as_bytes()).is_ok(), "{order}");
        }
    }

    #[tokio::test]
    async fn it_does_what_it_is_told_and_says_why_not() {
        let tasks = Tasks::new();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options {
            listen: nowhere,
            secret: Secret::new("a key".into()),
            faults: Faults::default(),
            on_record: None,
        };
        let stand_in = StandIn::start(options, Clock::system(), &tasks).await.expect("a free port");
        let address = start(nowhere, stand_in.clone(), &tasks).await.expect("a free port");
        let post = async |body: &str| {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            let length = body.len();
            let request = format!(
                "POST /faults HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("it answers");
            answer
        };
        let down = Faults { down: true, ..Faults::default() };
        assert!(post(r#"{"down":true}"#).await.contains(" 200 "));
        assert_eq!(stand_in.faults(), down);
        let wrong = post(r#"{"dwon":true}"#).await;
        assert!(wrong.contains(" 400 ") && wrong.contains("dwon"), "{wrong}");
        assert_eq!(stand_in.faults(), down, "what is not understood changes nothing");
        assert!(post(r#"[{"for":"1ms","faults":{"latency":"1s"}}]"#).await.contains(" 200 "));
        while stand_in.faults() != Faults::default() {
            tokio::task::yield_now().await;
        }
        let open = SocketAddr::from(([0, 0, 0, 0], 0));
        assert!(start(open, stand_in, &tasks).await.is_err(), "others could reach it");
        tasks.abort();
    }

    proptest! {
        #[test]
        fn no_order_makes_the_reader_panic(text in r#"[\[\{]?["a-z0-9:,\{\}\[\] ]{0,60}"#) {
            drop(Order::read(text.as_bytes()));
        }
    }
}
