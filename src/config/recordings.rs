//! From the file as written to the checked types: from where an account's recordings are fetched.

use super::Backoff;
use super::check::WAIT;
use super::destination;
use super::problem::Fault;
use super::raw::{BUILT_IN, Document, Section};
use super::values::text;
use crate::model::{AccountName, Secret};
use http::Uri;
use http::uri::Scheme;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

/// What holds where an account says nothing else.
pub const RECORDING_DEFAULTS: &str = include_str!("../../config/recordings.toml");

#[expect(clippy::expect_used, reason = "a test parses the file, which is compiled in")]
static DEFAULTS: LazyLock<Document<'static>> =
    LazyLock::new(|| Document::parse(BUILT_IN, RECORDING_DEFAULTS).expect("it is TOML"));

/// From where an account's recordings are fetched, and how.
#[derive(Debug, Clone)]
pub struct Recordings {
    /// The account.
    pub account: AccountName,
    /// The hosts that may be asked.
    pub hosts: Vec<HostRule>,
    /// Networks that are not public and may be reached all the same.
    pub networks: Vec<IpNet>,
    /// Whether `http://` will do.
    pub allow_http: bool,
    /// User and password for hosts that demand them.
    pub credentials: Option<(String, Secret)>,
    /// Extra trusted roots, PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The most bytes of one recording.
    pub max_size: usize,
    /// From the request to the last byte, redirects included.
    pub request_timeout: Duration,
    /// When a failed fetch is tried again.
    pub backoff: Backoff,
}

/// Hosts that may be asked, at one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// The host, in lower case; of those below a domain, the domain with a dot before it.
    name: String,
    /// Whether it is any host below the domain.
    below: bool,
    /// The port; `None`: the scheme's own.
    port: Option<u16>,
}

/// Why an address is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unlisted {
    /// It is no `https://` URL, or `http://` where that is allowed.
    #[error("is no https:// URL")]
    NoUrl,
    /// It holds a user or password, which may mislead about its host.
    #[error("holds a user or password")]
    Userinfo,
    /// Its host is not listed, or not at this port.
    #[error("its host and port are not listed in the account's recordings.hosts")]
    Host,
    /// Its host is a number of a network that may not be reached.
    #[error("its host is an address that is not public, nor in recordings.networks")]
    Network,
}

impl Recordings {
    /// The address as a URL, if it may be asked.
    ///
    /// # Errors
    /// [`Unlisted`].
    pub fn admits(&self, address: &str) -> Result<Uri, Unlisted> {
        let url: Uri = address.parse().map_err(|_| Unlisted::NoUrl)?;
        let scheme = url.scheme().ok_or(Unlisted::NoUrl)?;
        if *scheme != Scheme::HTTPS && !(self.allow_http && *scheme == Scheme::HTTP) {
            return Err(Unlisted::NoUrl);
        }
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Unlisted::Userinfo);
        }
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        let usual = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = url.port_u16().unwrap_or(usual);
        if !self.hosts.iter().any(|rule| rule.admits(&host, port, usual)) {
            return Err(Unlisted::Host);
        }
        match host.trim_matches(['[', ']']).parse() {
            Ok(address) if !self.reaches(address) => Err(Unlisted::Network),
            _ => Ok(url),
        }
    }

    /// Whether a host at this address may be connected to.
    #[must_use]
    pub fn reaches(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.networks.iter().any(|network| network.contains(&address))
    }
}

impl HostRule {
    fn read(rule: &str) -> Option<HostRule> {
        let rule = rule.to_ascii_lowercase();
        let (rule, below) = match rule.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (rule.as_str(), false),
        };
        // The last colon of a bare IPv6 address, which stands in brackets here, is none of a port.
        let (name, port) = match rule.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
            _ => (rule, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let is_name = name.bytes().all(plain)
            && !name.is_empty()
            && !name.starts_with('.')
            && !name.ends_with('.');
        let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let is_address = inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
        match below {
            // A whole top-level domain is a mistake.
            true if is_name && name.contains('.') => {
                Some(HostRule { name: format!(".{name}"), below, port })
            }
            false if is_name || is_address => Some(HostRule { name: name.to_owned(), below, port }),
            _ => None,
        }
    }

    fn admits(&self, host: &str, port: u16, usual: u16) -> bool {
        let fits = match self.below {
            true => host.len() > self.name.len() && host.ends_with(&self.name),
            false => host == self.name,
        };
        fits && port == self.port.unwrap_or(usual)
    }
}

/// Whether an address is of the public Internet: of none of the ranges that RFC 6890 and its
/// successors set apart. The metadata services of clouds are among the link-local ones, but for
/// 100.100.100.200, which is in 100.64.0.0/10, and fd00:ec2::254, which is in fc00::/7.
fn is_public(address: IpAddr) -> bool {
    const APART: [&str; 24] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    ];
    static NETWORKS: LazyLock<Vec<IpNet>> =
        LazyLock::new(|| APART.iter().filter_map(|network| network.parse().ok()).collect());
    !NETWORKS.iter().any(|network| network.contains(&address))
}

/// Reads `recordings`. `Some(None)`: the account fetches none.
pub(super) fn recordings(
    section: &mut Section<'_>,
    account: Option<&AccountName>,
) -> Option<Option<Recordings>> {
    if !section.has("recordings") {
        section.node("recordings");
        return Some(None);
    }
    section.table_over("recordings", Some(&DEFAULTS), |section| read(section, account)).map(Some)
}

fn read(section: &mut Section<'_>, account: Option<&AccountName>) -> Option<Recordings> {
    const HOSTS: &str = "[\"api.twilio.com\", \"*.carrier.example\"]";
    const NETWORK: &str = "\"10.1.0.0/16\"";
    let hosts = section.list("hosts", HOSTS, |item| {
        let rule = text(item, "\"api.twilio.com\"")?;
        HostRule::read(rule).ok_or_else(|| {
            Fault::new(
                format!("{rule:?} is no host"),
                "write \"api.twilio.com\", \"*.twilio.com\" or \"10.1.0.9:8080\"",
            )
        })
    });
    section.demand("hosts", &format!("write hosts = {HOSTS}"));
    section.demand_items("hosts", &format!("write hosts = {HOSTS}, or remove the table"));
    let networks = section.list("networks", &format!("[{NETWORK}]"), |item| {
        let network = text(item, NETWORK)?;
        network.parse::<IpNet>().map_err(|_| {
            Fault::new(format!("{network:?} is no network"), format!("write for example {NETWORK}"))
        })
    });
    let credentials = credentials(section);
    let ca = section.path("ca");
    let max_size = section.size("max_size", 1 << 10..=256 << 20);
    let request_timeout = section.duration("request_timeout", WAIT);
    let allow_http = section.flag("allow_http");
    let backoff = section.table("backoff", destination::backoff);
    let values = |list: Vec<super::raw::At<IpNet>>| list.into_iter().map(|it| it.value).collect();
    Some(Recordings {
        account: account?.clone(),
        hosts: hosts?.value.into_iter().map(|rule| rule.value).collect(),
        networks: networks.map(|list| values(list.value)).unwrap_or_default(),
        allow_http: allow_http?.value,
        credentials,
        ca: ca.map(|path| path.value),
        max_size: usize::try_from(max_size?.value).ok()?,
        request_timeout: request_timeout?.value,
        backoff: backoff?,
    })
}

/// User and password: both or neither.
fn credentials(section: &mut Section<'_>) -> Option<(String, Secret)> {
    let user = section.text("user", "\"AC0123\"", |user| match user.contains(':') {
        true => Err(Fault::new("holds a colon, which Basic cannot carry", "write it without one")),
        false => Ok(user.to_owned()),
    });
    let reference = section.reference("secret");
    let secret = reference.and_then(|reference| match section.secret(&reference) {
        Ok(secret) => Some(secret),
        Err(fault) => {
            section.reject(&reference, fault);
            None
        }
    });
    if section.has("user") != section.has("secret") {
        let right = "write both user = \"…\" and secret = \"env:NAME\", or neither";
        section.reject(&section.here(), Fault::new("`user` and `secret` go together", right));
    }
    Some((user?.value, secret?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};
    use proptest::prelude::*;
    use std::path::Path;
    use std::sync::Arc;

    fn read(lines: &str) -> Result<Arc<Recordings>, String> {
        let text = format!(
            "[accounts.x]\ncarrier = \"twilio\"\nallow_http = true\nsecrets = [\"env:KEY\"]\n\
             [accounts.x.recordings]\n{lines}"
        );
        let environment = Environment::given(Path::new(""), &[("KEY", "s")]);
        let config = config::parse(&text, "f", &environment).map_err(|it| it.to_string())?;
        Ok(config.accounts.values().find_map(|it| it.recordings.clone()).expect("they are fetched"))
    }

    #[test]
    fn only_listed_hosts_of_the_public_network_are_asked() {
        let list = read(
            "hosts = [\"api.twilio.com\", \"*.carrier.example\", \"127.0.0.1\", \"10.1.0.9\", \"10.1.0.9:8443\", \"[fd00::9]:8443\"]\nnetworks = [\"10.1.0.0/16\"]",
        );
        let list = list.expect("right");
        for (address, expected) in [
            ("https://api.twilio.com/2010/R1.mp3", None),
            ("https://API.twilio.com:443/R1?a=b", None),
            ("https://media.carrier.example:8443/R1", Some(Unlisted::Host)),
            ("https://api.twilio.com:22/R1", Some(Unlisted::Host)),
            ("https://10.1.0.9:8443/R1", None),
            ("https://[fd00::9]:8443/R1", Some(Unlisted::Network)),
            ("https://media.carrier.example/R1", None),
            ("https://10.1.0.9/R1", None),
            ("https://carrier.example/R1", Some(Unlisted::Host)),
            ("https://evilcarrier.example/R1", Some(Unlisted::Host)),
            ("https://api.twilio.com.evil.example/R1", Some(Unlisted::Host)),
            ("https://api.twilio.com@evil.example/", Some(Unlisted::Userinfo)),
            ("https://evil.example@api.twilio.com/", Some(Unlisted::Userinfo)),
            ("http://api.twilio.com/R1", Some(Unlisted::NoUrl)),
            ("file:///etc/passwd", Some(Unlisted::NoUrl)),
            ("REC-0001", Some(Unlisted::NoUrl)),
            ("/R1", Some(Unlisted::NoUrl)),
            ("", Some(Unlisted::NoUrl)),
            ("https://127.0.0.1/R1", Some(Unlisted::Network)),
        ] {
            assert_eq!(list.admits(address).err(), expected, "{address}");
        }
        for (address, reached) in [
            ("8.8.8.8", true),
            ("2400:3200::1", true),
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("::ffff:169.254.169.254", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("192.168.1.1", false),
            ("0.0.0.0", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("255.255.255.255", false),
        ] {
            assert_eq!(list.reaches(address.parse().expect("an address")), reached, "{address}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        for (lines, expected) in [
            ("", "5: accounts.x.recordings: `hosts` is missing"),
            ("hosts = []", "6: accounts.x.recordings.hosts: is empty"),
            ("hosts = [\"https://x\"]", "6: accounts.x.recordings.hosts: \"https://x\" is no host"),
            ("hosts = [\"*.com\"]", "6: accounts.x.recordings.hosts: \"*.com\" is no host"),
            ("hosts = [\"x:port\"]", "6: accounts.x.recordings.hosts: \"x:port\" is no host"),
            ("hosts = [\"*\"]", "6: accounts.x.recordings.hosts: \"*\" is no host"),
            ("hosts = [\"x\"]\nuser = \"u\"", "5: accounts.x.recordings: `user` and `secret` go"),
            (
                "hosts = [\"x\"]\nnetworks = [\"10\"]",
                "7: accounts.x.recordings.networks: \"10\" is",
            ),
            ("hosts = [\"x\"]\nmax_size = \"1 GiB\"", "7: accounts.x.recordings.max_size"),
        ] {
            let problems = read(lines).expect_err("wrong");
            assert!(problems.contains(&format!("f:{expected}")), "{lines}\n{problems}");
        }
    }

    proptest! {
        #[test]
        fn no_address_makes_the_list_panic_or_leads_elsewhere(address in ".{0,60}") {
            let list = read("hosts = [\"*.carrier.example\"]").expect("right");
            if let Ok(url) = list.admits(&address) {
                prop_assert!(url.host().is_some_and(|it| it.to_ascii_lowercase().ends_with(".carrier.example")));
            }
        }
    }
}
