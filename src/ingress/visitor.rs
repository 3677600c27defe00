//! Who calls: by the facts of the connection, and, where it is one of our proxies, by its word.

use crate::config::{Proxies, Subject};
use crate::net::Peer;
use http::{HeaderMap, HeaderName};
use ring::digest::{SHA256, digest};
use std::net::{IpAddr, SocketAddr};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

/// The other end of a connection, read once.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    address: IpAddr,
    tls: bool,
    certificate: Option<Certificate>,
}

/// What is compared of a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Its SHA-256.
    pub(super) fingerprint: [u8; 32],
    /// Its subject.
    pub(super) subject: Subject,
}

/// Where a request comes from, behind whatever proxies are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The caller's address; `None` when a proxy of ours names none.
    pub(super) address: Option<IpAddr>,
    /// Whether it came over HTTPS.
    pub(super) secure: bool,
}

impl Visitor {
    pub(super) fn new(peer: &Peer) -> Visitor {
        let certificate = peer.certificate.as_ref().and_then(|der| Certificate::read(der));
        Visitor { address: peer.address, tls: peer.tls, certificate }
    }

    /// The certificate of the connection, a proxy's if there is one in front.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Where a request with these headers comes from.
    pub(super) fn origin(&self, headers: &HeaderMap, proxies: &Proxies) -> Origin {
        if !proxies.trust(self.address) {
            return Origin { address: Some(self.address), secure: self.tls };
        }
        let caller = named(headers, &proxies.forwarded, proxies);
        let proto = match proxies.forwarded_proto.as_str() {
            FORWARDED => {
                named(headers, &proxies.forwarded_proto, proxies).and_then(|hop| hop.proto)
            }
            _ => last(headers, &proxies.forwarded_proto),
        };
        Origin {
            address: caller.map_or(Some(self.address), |caller| caller.address),
            secure: proto.map_or(self.tls, |proto| proto.eq_ignore_ascii_case("https")),
        }
    }
}

impl Certificate {
    /// Reads a certificate that was verified, so that not being able to is no certificate.
    fn read(der: &[u8]) -> Option<Certificate> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let parts: Vec<Vec<(String, String)>> = certificate
            .subject()
            .iter_rdn()
            .map(|part| part.iter().map(attribute).collect())
            .collect();
        let fingerprint = digest(&SHA256, der).as_ref().try_into().ok()?;
        Some(Certificate { fingerprint, subject: Subject::of(parts) })
    }
}

/// A value that is no text is written as RFC 4514 does: `#` and its bytes.
fn attribute(attribute: &AttributeTypeAndValue<'_>) -> (String, String) {
    let value = match attribute.as_str() {
        Ok(text) => text.to_owned(),
        Err(_) => format!("#{}", hex::encode(attribute.as_slice())),
    };
    (attribute.attr_type().to_id_string(), value)
}

/// What a proxy said of whom it speaks for.
struct Hop {
    address: Option<IpAddr>,
    proto: Option<String>,
}

/// The header of RFC 7239, which says both address and scheme.
const FORWARDED: &str = "forwarded";

/// Whom a header names as the caller: of its hops the last one that is no proxy of ours, since
/// whatever stands before that may be anybody's invention.
///
/// The list is cut at each comma, also within quotes: a caller could open a quote that swallows
/// what our proxy adds.
fn named(headers: &HeaderMap, header: &HeaderName, proxies: &Proxies) -> Option<Hop> {
    let read = if header.as_str() == FORWARDED { forwarded } else { bare };
    let lines = headers.get_all(header).iter().map(|line| line.to_str().unwrap_or_default());
    let mut hops: Vec<Hop> = lines.flat_map(|line| line.split(',')).map(read).collect();
    let ours = |hop: &Hop| hop.address.is_some_and(|address| proxies.trust(address));
    while hops.len() > 1 && hops.last().is_some_and(ours) {
        hops.pop();
    }
    hops.pop()
}

/// The last item of a header's list.
fn last(headers: &HeaderMap, header: &HeaderName) -> Option<String> {
    let line = headers.get_all(header).iter().next_back()?;
    Some(line.to_str().ok()?.rsplit(',').next()?.trim().to_owned())
}

/// An element of X-Forwarded-For, or of X-Real-IP.
fn bare(item: &str) -> Hop {
    Hop { address: address(item.trim()), proto: None }
}

/// An element of Forwarded (RFC 7239, 4).
fn forwarded(item: &str) -> Hop {
    let mut hop = Hop { address: None, proto: None };
    for pair in item.split(';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.address = address(value),
            "proto" => hop.proto = Some(value.to_ascii_lowercase()),
            _ => {}
        }
    }
    hop
}

/// An address, alone, in brackets or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn proxies(forwarded: &'static str, proto: &'static str) -> Proxies {
        Proxies {
            trusted: vec!["10.0.0.0/8".parse().expect("a network")],
            forwarded: HeaderName::from_static(forwarded),
            forwarded_proto: HeaderName::from_static(proto),
        }
    }

    fn usual() -> Proxies {
        proxies("x-forwarded-for", "x-forwarded-proto")
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).expect("a value");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    fn from(address: &str, tls: bool) -> Visitor {
        Visitor { address: ip(address), tls, certificate: None }
    }

    #[test]
    fn a_stranger_speaks_for_nobody_but_itself() {
        let said = headers(&[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "https")]);
        let origin = from("198.51.100.1", false).origin(&said, &usual());
        assert_eq!(origin, Origin { address: Some(ip("198.51.100.1")), secure: false });
    }

    #[test]
    fn of_a_proxys_list_the_last_stranger_is_the_caller() {
        let caller = |lines: &[(&'static str, &str)]| {
            from("10.0.0.1", false).origin(&headers(lines), &usual()).address
        };
        const FOR: &str = "x-forwarded-for";
        assert_eq!(caller(&[]), Some(ip("10.0.0.1")));
        assert_eq!(caller(&[(FOR, "192.0.2.1")]), Some(ip("192.0.2.1")));
        assert_eq!(caller(&[(FOR, "192.0.2.1, 198.51.100.1")]), Some(ip("198.51.100.1")));
        assert_eq!(caller(&[(FOR, "192.0.2.1"), (FOR, "198.51.100.1")]), Some(ip("198.51.100.1")));
        assert_eq!(caller(&[(FOR, "192.0.2.1, 198.51.100.1,10.0.0.9")]), Some(ip("198.51.100.1")));
        assert_eq!(caller(&[(FOR, "10.0.0.8, 10.0.0.9")]), Some(ip("10.0.0.8")));
        assert_eq!(caller(&[(FOR, "198.51.100.1:4711")]), Some(ip("198.51.100.1")));
        assert_eq!(caller(&[(FOR, "[2001:db8::1]:4711")]), Some(ip("2001:db8::1")));
        assert_eq!(caller(&[(FOR, "::ffff:192.0.2.1")]), Some(ip("192.0.2.1")));
        assert_eq!(caller(&[(FOR, "192.0.2.1, unknown")]), None);
    }

    #[test]
    fn the_standard_header_says_address_and_scheme() {
        let origin = |value: &str| {
            let said = headers(&[(FORWARDED, value)]);
            from("10.0.0.1", false).origin(&said, &proxies(FORWARDED, FORWARDED))
        };
        let known = |address: &str, secure| Origin { address: Some(ip(address)), secure };
        let chain = "for=192.0.2.1, For=\"[2001:db8::1]:47\";Proto=https;by=10.0.0.3, for=10.0.0.2";
        assert_eq!(origin(chain), known("2001:db8::1", true));
        assert_eq!(origin("for=192.0.2.1;proto=http"), known("192.0.2.1", false));
        assert_eq!(origin("for=_hidden;proto=https"), Origin { address: None, secure: true });
        // A quote that is never closed swallows nothing.
        assert_eq!(origin("for=\"192.0.2.1, for=198.51.100.1"), known("198.51.100.1", false));
    }

    #[test]
    fn what_a_proxy_says_of_the_scheme_counts_and_else_its_own_connection() {
        let secure = |tls, lines: &[(&'static str, &str)]| {
            from("10.0.0.1", tls).origin(&headers(lines), &usual()).secure
        };
        const PROTO: &str = "x-forwarded-proto";
        assert!(secure(false, &[(PROTO, "HTTPS")]));
        assert!(!secure(false, &[(PROTO, "https, http")]));
        assert!(!secure(true, &[(PROTO, "http")]));
        assert!(secure(true, &[]) && !secure(false, &[]));
    }

    #[test]
    fn a_certificate_is_read_once_for_all_rules() {
        let mut made = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        made.distinguished_name = rcgen::DistinguishedName::new();
        made.distinguished_name.push(rcgen::DnType::CountryName, "CN");
        made.distinguished_name.push(rcgen::DnType::OrganizationName, "联通, 辽宁");
        made.distinguished_name.push(rcgen::DnType::CommonName, "gateway.carrier.example");
        let key = rcgen::KeyPair::generate().expect("a key");
        let der = made.self_signed(&key).expect("a certificate");
        let certificate = Certificate::read(der.der()).expect("a certificate");
        let subject = Subject::read(r"CN=gateway.carrier.example,O=联通\, 辽宁,C=CN");
        assert_eq!(Ok(certificate.subject), subject);
        assert_eq!(Certificate::read(b"no certificate"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_the_readers_panic(value in "[ -~]{0,60}") {
            for header in ["x-forwarded-for", FORWARDED] {
                let said = headers(&[(header, &value)]);
                from("10.0.0.1", false).origin(&said, &proxies(header, header));
            }
        }
    }
}
