//! Ports that the listeners need, and the way to the destination.

use super::Finding;
use crate::config::{Config, Destination};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn listeners(config: &Config) -> Vec<Finding> {
    let admin = ("admin.listen", config.admin.listen);
    let http = config.http.listen.iter().map(|address| ("http.listen", *address));
    http.chain([admin]).map(|(key, address)| listener(key, address)).collect()
}

fn listener(key: &str, address: SocketAddr) -> Finding {
    const WHAT: &str = "listener";
    let Err(fault) = TcpListener::bind(address) else {
        return Finding::ok(WHAT, format!("{key} {address} is free"));
    };
    let says = format!("{key} {address} cannot be taken ({fault})");
    let cure = match fault.kind() {
        io::ErrorKind::AddrInUse => {
            format!("stop what listens there, maybe a gateway already running, or change {key}")
        }
        io::ErrorKind::PermissionDenied => {
            "take a port from 1024 up, or give the process CAP_NET_BIND_SERVICE".to_owned()
        }
        _ => format!("set {key} to an address of this machine"),
    };
    Finding::fail(WHAT, says, cure)
}

pub(super) async fn destination(destination: &Destination) -> Finding {
    const WHAT: &str = "destination";
    // What we connect to; how it goes on from a proxy is not known here.
    let url = destination.way.proxy.as_ref().map_or(&destination.url, |proxy| &proxy.url);
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    let found = match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(found) => found.map(Iterator::collect::<Vec<SocketAddr>>),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let addresses = match found {
        Ok(addresses) => addresses,
        Err(fault) => {
            let says = format!("{host} does not resolve ({fault})");
            let cure = "correct destination.url or .proxy, or this machine's DNS";
            return Finding::fail(WHAT, says, cure);
        }
    };
    if let [beyond, ..] = &addresses[..]
        && !addresses.iter().any(|address| destination.way.reaches(address.ip()))
    {
        let says = format!("{host} leads to {}, which is not connected to", beyond.ip());
        return Finding::fail(WHAT, says, "list it in destination.addresses, if it is right");
    }
    connection(host, port, &addresses).await
}

async fn connection(host: &str, port: u16, addresses: &[SocketAddr]) -> Finding {
    const WHAT: &str = "destination";
    match timeout(PATIENCE, TcpStream::connect(addresses)).await {
        Ok(Ok(_)) => Finding::ok(WHAT, format!("{host}:{port} resolves and accepts connections")),
        Ok(Err(fault)) => Finding::fail(
            WHAT,
            format!("{host}:{port} accepts no connection ({fault})"),
            "correct destination.url, or ask the platform's operators; records wait meanwhile",
        ),
        Err(_) => Finding::fail(
            WHAT,
            format!("{host}:{port} does not answer within 2s"),
            "open the way in the firewalls between; records wait meanwhile",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use crate::config::way::Way;

    #[test]
    fn a_port_in_use_is_told_apart_from_a_free_one() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        let finding = listener("http.listen", address);
        assert_eq!(finding.status, Status::Fail);
        assert!(finding.cure.contains("stop what listens there"), "{finding:?}");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        assert_eq!(listener("http.listen", any).status, Status::Ok);
    }

    #[tokio::test]
    async fn a_destination_is_reached_or_refused() {
        let platform = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = platform.local_addr().expect("an address");
        // Nobody serves `discard` on this loopback address, so it refuses at once.
        for (address, status) in
            [(address.to_string(), Status::Ok), ("127.0.0.9:9".into(), Status::Fail)]
        {
            let url = format!("http://{address}/").parse().expect("a URL");
            let target = Destination { url, ..Config::builtin().destination };
            assert_eq!(destination(&target).await.status, status, "{address}");
            let way =
                Way { addresses: vec!["10.0.0.0/8".parse().expect("a network")], ..Way::default() };
            let finding = destination(&Destination { way, ..target }).await;
            assert!(finding.says.contains("which is not connected to"), "{finding:?}");
        }
    }
}
