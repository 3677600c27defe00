//! From the file as written to the checked types: by which way a destination is reached.

use super::problem::Fault;
use super::raw::{At, Section};
use super::values::text;
use crate::model::Secret;
use http::Uri;
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

/// By which way a destination is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Chain and key of the certificate that we show it, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The only addresses that are connected to; none: any but those that lead nowhere good.
    pub addresses: Vec<IpNet>,
    /// The proxy in between, whose address is then the one that is looked at.
    pub proxy: Option<Proxy>,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its address, `http://HOST:PORT`.
    pub url: Uri,
    /// User and password, if it demands them.
    pub credentials: Option<(String, Secret)>,
}

impl Way {
    /// Whether this address may be connected to.
    #[must_use]
    pub fn reaches(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.addresses.is_empty() {
            return !leads_nowhere_good(address);
        }
        self.addresses.iter().any(|network| network.contains(&address))
    }
}

/// Whether an address is no server's that a name of the platform could rightly lead to: unspecified,
/// multicast, broadcast, link-local (RFC 3927, RFC 4291), and the metadata services of clouds, of
/// which those of AWS and Alibaba Cloud have addresses beside the link-local ones.
fn leads_nowhere_good(address: IpAddr) -> bool {
    const APART: [&str; 8] = [
        "0.0.0.0/8",
        "100.100.100.200/32",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "::/128",
        "fd00:ec2::254/128",
        "fe80::/10",
        "ff00::/8",
    ];
    static NETWORKS: LazyLock<Vec<IpNet>> =
        LazyLock::new(|| APART.iter().filter_map(|network| network.parse().ok()).collect());
    NETWORKS.iter().any(|network| network.contains(&address))
}

/// Reads the keys of a destination that say by which way it is reached.
pub(super) fn way(section: &mut Section<'_>) -> Option<Way> {
    const NETWORK: &str = "\"10.1.0.0/16\"";
    let chain = section.path("client_cert").map(|path| path.value);
    let key = section.path("client_key").map(|path| path.value);
    if chain.is_some() != key.is_some() {
        let right = "write both client_cert = \"…\" and client_key = \"…\", or neither";
        let wrong = "`client_cert` and `client_key` go together";
        section.reject(&section.here(), Fault::new(wrong, right));
    }
    section.demand_items("addresses", &format!("write [{NETWORK}], or leave it out"));
    let addresses = section.list("addresses", &format!("[{NETWORK}]"), |item| {
        let network = text(item, NETWORK)?;
        let address = network.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| network.parse::<IpNet>()).map_err(|_| {
            let right = format!("write \"10.1.2.3\" or {NETWORK}");
            Fault::new(format!("{network:?} is no address or network"), right)
        })
    });
    let values = |list: Vec<At<IpNet>>| list.into_iter().map(|it| it.value).collect();
    Some(Way {
        certificate: chain.zip(key),
        addresses: addresses.map(|list| values(list.value)).unwrap_or_default(),
        proxy: proxy(section),
    })
}

fn proxy(section: &mut Section<'_>) -> Option<Proxy> {
    let url = section.text("proxy", "\"http://proxy:3128\"", |url| {
        let right = "write \"http://HOST:PORT\"; user and password are proxy_user and proxy_secret";
        let fault = |wrong: &str| Err(Fault::new(wrong, right));
        let Ok(url) = url.parse::<Uri>() else { return fault("is not a URL") };
        let userinfo = url.authority().is_some_and(|it| it.as_str().contains('@'));
        match url.scheme_str() {
            Some("http") if !userinfo && url.host().is_some() => Ok(url),
            _ => fault("is no proxy's address"),
        }
    });
    let user = section.text("proxy_user", "\"bridge8890\"", |user| match user.contains(':') {
        true => Err(Fault::new("holds a colon, which Basic cannot carry", "write it without one")),
        false => Ok(user.to_owned()),
    });
    let reference = section.reference("proxy_secret");
    let secret = reference.and_then(|reference| match section.secret(&reference) {
        Ok(secret) => Some(secret),
        Err(fault) => {
            section.leave_open(&reference, fault);
            None
        }
    });
    if section.has("proxy_user") != section.has("proxy_secret") {
        let right = "write both proxy_user = \"…\" and proxy_secret = \"env:NAME\", or neither";
        let wrong = "`proxy_user` and `proxy_secret` go together";
        section.reject(&section.here(), Fault::new(wrong, right));
    }
    let credentials = user.map(|user| user.value).zip(secret);
    Some(Proxy { url: url?.value, credentials })
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, parse};
    use super::*;
    use std::path::Path;

    #[test]
    fn what_is_wrong_is_said_at_its_line() {
        for (line, expected) in [
            ("client_cert = \"a.pem\"", "go together"),
            ("addresses = []", "destination.addresses: is empty"),
            ("addresses = [\"10\"]", "is no address or network"),
            ("proxy = \"https://p:1\"", "is no proxy's address"),
            ("proxy = \"http://u:hunter2@p:1\"", "is no proxy's address"),
            ("proxy_user = \"u\"", "go together"),
        ] {
            let environment = Environment::given(Path::new(""), &[]);
            let problems = parse(&format!("[destination]\n{line}"), "f", &environment);
            let problems = problems.expect_err(line).to_string();
            assert!(problems.contains(expected), "{line}\n{problems}");
            assert!(!problems.contains("hunter2"), "{problems}");
        }
    }

    #[test]
    fn addresses_that_lead_nowhere_good_must_be_listed() {
        let way = |addresses: &[&str]| Way {
            addresses: addresses.iter().map(|it| it.parse().expect("a network")).collect(),
            ..Way::default()
        };
        let open = way(&[]);
        let pinned = way(&["10.1.2.3/32", "169.254.0.0/16"]);
        for (address, by_default, when_listed) in [
            ("10.1.2.3", true, true),
            ("::ffff:10.1.2.3", true, true),
            ("10.1.2.4", true, false),
            ("127.0.0.1", true, false),
            ("2400:3200::1", true, false),
            ("169.254.169.254", false, true),
            ("::ffff:169.254.169.254", false, true),
            ("0.0.0.0", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("fe80::1", false, false),
            ("100.100.100.200", false, false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(open.reaches(address), by_default, "{address}");
            assert_eq!(pinned.reaches(address), when_listed, "{address}");
        }
    }
}
