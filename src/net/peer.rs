//! Who is at the other end of a connection, known once it is open.

use rustls::pki_types::CertificateDer;
use std::net::IpAddr;

/// The facts of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address; an IPv4 address is one also where the listener is an IPv6 one.
    pub address: IpAddr,
    /// Whether it speaks TLS to us.
    pub tls: bool,
    /// The certificate it showed, which the listener's roots vouch for.
    pub certificate: Option<CertificateDer<'static>>,
}
