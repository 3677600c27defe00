//! How an account is reached: where it answers, from where and by whom it may be called, and for
//! carriers of WebSockets, whether we call.

mod check;
mod read;
mod subject;

pub(super) use check::{clashes, over_plain_http, signed_without_url, uncertified, unreachable};
pub(super) use read::{access, external_url, platform, proxies};
pub use subject::{Subject, SubjectFault};

use super::dialect::Route;
use http::{HeaderName, Uri};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;

/// How an account is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Where it answers, without a slash at its end; a route's name follows. Empty: at the root.
    pub path: String,
    /// `path` as the carrier knows it, a URL without a slash at its end. `None`: by
    /// [`super::Http::external_url`].
    pub external_url: Option<String>,
    /// The addresses that may call it; empty: all.
    pub sources: Vec<IpNet>,
    /// The client certificates that may call it; empty: it may be called without one.
    pub client_certificates: Vec<CertificateRule>,
    /// Whether it may be called over plain HTTP.
    pub allow_http: bool,
    /// The encodings of bodies it takes besides the identity.
    pub content_encodings: Vec<ContentEncoding>,
    /// The WebSocket that we open; such an account is not called.
    pub connect: Option<Connect>,
}

impl Access {
    /// What follows this account's address in a path: empty, or a slash and the rest. `None` when
    /// the path is elsewhere.
    #[must_use]
    pub fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(&self.path).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The whole path of a route, without a slash at its end.
    #[must_use]
    pub fn path_of(&self, route: &Route) -> String {
        if route.name.is_empty() {
            return self.path.clone();
        }
        format!("{}/{}", self.path, route.name)
    }

    /// The URL of a target, path and query as sent, as the carrier knows it: by the account's own
    /// address, else by the gateway's, else as it looks from `here`.
    #[must_use]
    pub fn url_of(
        &self,
        target: &str,
        gateway: Option<&str>,
        here: impl FnOnce() -> String,
    ) -> String {
        match (&self.external_url, gateway) {
            (Some(own), _) => {
                format!("{own}{}", target.get(self.path.len()..).unwrap_or_default())
            }
            (None, Some(gateway)) => format!("{gateway}{target}"),
            (None, None) => here(),
        }
    }

    /// Whether this address may call.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|source| source.contains(&address))
    }
}

/// A WebSocket that we open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// `wss://…`; `ws://…` only with `allow_http`.
    pub url: Uri,
    /// The roots that vouch for the server, PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
}

/// A client certificate that may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRule {
    /// The one with this SHA-256.
    Fingerprint([u8; 32]),
    /// Any with this subject. A subject that is a common name and nothing else stands for all
    /// subjects with that common name.
    Subject(Subject),
}

/// How a body may be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentEncoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, as RFC 9110 has it.
    Deflate,
}

impl ContentEncoding {
    /// All of them, with their names in headers and in the configuration.
    pub const NAMES: [(&'static str, ContentEncoding); 2] =
        [("gzip", ContentEncoding::Gzip), ("deflate", ContentEncoding::Deflate)];

    /// The encoding of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<ContentEncoding> {
        let known = |(known, _): &&(&str, ContentEncoding)| known.eq_ignore_ascii_case(name);
        ContentEncoding::NAMES.iter().find(known).map(|(_, encoding)| *encoding)
    }
}

/// The proxies in front of the gateway, and how they say for whom they speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// The addresses whose headers are believed.
    pub trusted: Vec<IpNet>,
    /// The header with the address of whom they speak for.
    pub forwarded: HeaderName,
    /// The header with the scheme that was used towards them.
    pub forwarded_proto: HeaderName,
}

impl Proxies {
    /// Whether a peer is one of them.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|proxy| proxy.contains(&address))
    }
}

impl Default for Proxies {
    /// None.
    fn default() -> Proxies {
        Proxies {
            trusted: Vec::new(),
            forwarded: HeaderName::from_static("x-forwarded-for"),
            forwarded_proto: HeaderName::from_static("x-forwarded-proto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_an_account_is_told_from_a_longer_name() {
        let access = |path: &str| Access { path: path.to_owned(), ..Access::default() };
        let shop = access("/callback/shop");
        assert_eq!(shop.below("/callback/shop"), Some(""));
        assert_eq!(shop.below("/callback/shop/a/b"), Some("/a/b"));
        assert_eq!(shop.below("/callback/shopping"), None);
        assert_eq!(access("").below("/common/sms"), Some("/common/sms"));
    }

    #[test]
    fn an_address_list_is_of_networks_and_empty_ones_admit_all() {
        let mut access = Access::default();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(access.admits(address("192.0.2.1")));
        access.sources = ["117.78.29.0/24", "2001:db8::1/128"]
            .map(|text| text.parse().expect("a network"))
            .to_vec();
        assert!(access.admits(address("117.78.29.255")));
        assert!(access.admits(address("2001:db8::1")));
        assert!(!access.admits(address("117.78.30.0")));
        assert!(!access.admits(address("2001:db8::2")));
    }
}
