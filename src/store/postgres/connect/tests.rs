//! The choice among servers, and what is said when none will do.

use super::*;
use tokio::net::TcpListener;

fn server(url: &str) -> Server {
    let mut server: Server = url.parse().expect("a URL");
    server.timeouts.connect = Duration::from_millis(300);
    server
}

fn host() -> Host {
    Host { name: "db".to_owned(), port: 1 }
}

#[tokio::test]
async fn every_host_is_tried_and_says_why_it_gave_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (silent_port, port) = (silent.local_addr().expect("it").port(), closed.local_addr());
    let port = port.expect("it").port();
    drop(closed);
    let url = format!("postgres://u@127.0.0.1:{silent_port},127.0.0.1:{port}/d?sslmode=disable");
    let connector = Connector::new(&server(&url)).expect("a connector");
    let error = connector.connect().await.expect_err("nobody is there");
    assert!(error.may_pass());
    let said = error.to_string();
    assert!(said.contains(&format!("127.0.0.1:{silent_port}: no answer within 300ms")), "{said}");
    assert!(said.contains(&format!("127.0.0.1:{port}: Connection refused")), "{said}");
}

#[test]
fn what_an_operator_must_change_is_said_before_what_may_pass() {
    let unreachable = || (host(), HostFault::Unreachable("refused".to_owned()));
    let standby = || (host(), HostFault::NotWritable("is a standby"));
    let refused = || (host(), HostFault::Refused("no password".to_owned()));
    let error = |faults: Vec<_>| ConnectError::from(faults);
    assert!(matches!(error(vec![unreachable()]), ConnectError::Unreachable(_)));
    assert!(matches!(error(vec![unreachable(), standby()]), ConnectError::NotWritable(_)));
    let worst = error(vec![refused(), standby(), unreachable()]);
    assert!(matches!(worst, ConnectError::Refused(_)) && !worst.may_pass());
    assert!(worst.to_string().contains("db:1: no password, db:1: is a standby, db:1: refused"));
}

#[test]
fn a_session_will_do_as_it_is_wanted() {
    let said = |in_recovery, read_only| Said { version: OLDEST, in_recovery, read_only };
    for (said, wanted, expected) in [
        (said(false, false), Session::ReadWrite, true),
        (said(false, true), Session::ReadWrite, false),
        (said(false, true), Session::Primary, true),
        (said(true, true), Session::Primary, false),
        (said(true, true), Session::Any, true),
        (Said { version: OLDEST - 1, ..said(false, false) }, Session::Any, false),
    ] {
        assert_eq!(said.will_do(wanted).is_ok(), expected, "{wanted:?}");
    }
}

#[test]
fn a_file_that_tls_needs_is_looked_for_at_once() {
    let server = server("postgres://u@db/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem");
    let error = Connector::new(&server).expect_err("no file").to_string();
    assert!(error.contains("cannot read /nowhere/ca.pem"), "{error}");
}
