//! From the keys as written to how an account is reached.

use super::super::dialect::{Dialect, Transport};
use super::super::problem::{Fault, listed};
use super::super::raw::{At, Section};
use super::super::values::text;
use super::{Access, CertificateRule, Connect, ContentEncoding, Proxies, Subject};
use http::{HeaderName, Uri};
use ipnet::IpNet;
use std::net::IpAddr;

const NETWORK: &str = "\"117.78.29.0/24\"";
const CERTIFICATE: &str = "\"subject:CN=gateway.carrier.example\"";
const ENCODING: &str = "\"gzip\"";
const EXTERNAL_URL: &str = "\"https://gateway.8890.example\"";
const CONNECT: &str = "\"wss://asterisk.example:8089/ari/events?app=hotline&subscribeAll=true\"";

/// The keys of an account. What it is for is told by its dialect, where that could be read.
pub(in crate::config) fn access(
    name: &str,
    section: &mut Section<'_>,
    dialect: Option<&Dialect>,
) -> Option<Access> {
    let path = section.text("path", "\"/common/sms\"", path);
    let allow_http = section.flag("allow_http").is_some_and(|allowed| allowed.value);
    let sources = networks(section, "sources");
    section.demand_items("sources", "name an address, or leave the key out to be called from all");
    let certificates = list(section, "client_certificates", CERTIFICATE, certificate);
    section.demand_items("client_certificates", "name a certificate, or leave the key out");
    let external_url = external_url(section);
    let content_encodings = list(section, "content_encodings", ENCODING, encoding);
    let connect = connect(section, dialect, allow_http);
    // Of a bad one it is not known whether it would be called.
    if connect.is_none() && section.has("connect") {
        return None;
    }
    Some(Access {
        path: path.map_or_else(|| format!("/callback/{name}"), |path| path.value),
        external_url,
        sources,
        client_certificates: certificates,
        allow_http,
        content_encodings,
        connect,
    })
}

/// The keys by which the platform calls us, at this path.
pub(in crate::config) fn platform(section: &mut Section<'_>, path: &str) -> Access {
    let allow_http = section.flag("allow_http").is_some_and(|allowed| allowed.value);
    let sources = networks(section, "sources");
    section.demand_items("sources", "name an address, or leave the key out to be called from all");
    Access { path: path.to_owned(), sources, allow_http, ..Access::default() }
}

/// The keys of the proxies in front.
pub(in crate::config) fn proxies(section: &mut Section<'_>) -> Option<Proxies> {
    Some(Proxies {
        trusted: networks(section, "trusted_proxies"),
        forwarded: section.text("forwarded_header", "\"x-forwarded-for\"", header)?.value,
        forwarded_proto: section
            .text("forwarded_proto_header", "\"x-forwarded-proto\"", header)?
            .value,
    })
}

/// The key `external_url`, without a slash at the end.
pub(in crate::config) fn external_url(section: &mut Section<'_>) -> Option<String> {
    section.text("external_url", EXTERNAL_URL, base).map(|url| url.value)
}

fn networks(section: &mut Section<'_>, key: &'static str) -> Vec<IpNet> {
    list(section, key, NETWORK, network)
}

fn list<T>(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    read: fn(&str) -> Result<T, Fault>,
) -> Vec<T> {
    let items = section.list(key, &format!("[{example}]"), |item| read(text(item, example)?));
    items.into_iter().flat_map(|items| items.value).map(|item: At<T>| item.value).collect()
}

fn network(text: &str) -> Result<IpNet, Fault> {
    let network = text.parse::<IpNet>().ok();
    network.or_else(|| Some(text.parse::<IpAddr>().ok()?.into())).ok_or_else(|| {
        let wrong = format!("{text:?} is neither an IP address nor a network");
        Fault::new(wrong, format!("write for example {NETWORK} or \"2001:db8::1\""))
    })
}

fn certificate(text: &str) -> Result<CertificateRule, Fault> {
    let fault = |wrong: String| {
        Fault::new(
            wrong,
            format!("write \"sha256:\" and 64 hex digits, or for example {CERTIFICATE}"),
        )
    };
    match text.split_once(':') {
        Some(("sha256", digits)) => {
            // `openssl x509 -fingerprint` writes colons between the bytes.
            let bytes = hex::decode(digits.trim().replace(':', "")).ok();
            let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
            let wrong = || fault(format!("{digits:?} is not the SHA-256 of a certificate"));
            bytes.map(CertificateRule::Fingerprint).ok_or_else(wrong)
        }
        Some(("subject", name)) => match Subject::read(name) {
            Ok(subject) => Ok(CertificateRule::Subject(subject)),
            Err(problem) => Err(fault(format!("{name:?} is not a subject: {problem}"))),
        },
        _ => Err(fault(format!("{text:?} names no certificate"))),
    }
}

fn encoding(text: &str) -> Result<ContentEncoding, Fault> {
    ContentEncoding::named(text).ok_or_else(|| {
        let names = listed(ContentEncoding::NAMES.map(|(name, _)| name));
        Fault::new(format!("{text:?} cannot be unpacked here"), format!("name some of {names}"))
    })
}

fn header(text: &str) -> Result<HeaderName, Fault> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        Fault::new(format!("{text:?} is not a header's name"), "write for example \"x-real-ip\"")
    })
}

/// A path below which an account answers. It is compared with paths as they are sent, so it is
/// written as it stands in the URL.
fn path(text: &str) -> Result<String, Fault> {
    let good = |segment: &str| {
        let sign = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
        !matches!(segment, "" | "." | "..") && segment.bytes().all(sign)
    };
    let text = text.strip_suffix('/').unwrap_or(text);
    match text.strip_prefix('/') {
        None if text.is_empty() => Ok(String::new()),
        Some(segments) if segments.split('/').all(good) => Ok(text.to_owned()),
        _ => Err(Fault::new(
            format!("{text:?} is not the path of a URL"),
            "write it as it stands in the URL, for example \"/hooks/huawei\", or \"\" for the root",
        )),
    }
}

fn base(text: &str) -> Result<String, Fault> {
    let fault = |wrong: &str| {
        Err(Fault::new(wrong, format!("write what carriers call, for example {EXTERNAL_URL}")))
    };
    let url = match without_secrets(text) {
        Ok(url) => url,
        Err(wrong) => return fault(wrong),
    };
    match url.scheme_str() {
        Some("https" | "http") if url.query().is_none() => {}
        Some("https" | "http") => return fault("holds a query, which comes with each call"),
        _ => return fault("is not an https:// URL"),
    }
    Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
}

/// A URL with a host and without userinfo or fragment. It is not repeated in errors, since it may
/// hold a password.
fn without_secrets(text: &str) -> Result<Uri, &'static str> {
    let url = text.parse::<Uri>().map_err(|_| "is not a URL")?;
    if url.host().is_none_or(str::is_empty) {
        return Err("names no host");
    }
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("holds a user or password; these stand in `user` and `secrets`");
    }
    if text.contains('#') {
        return Err("holds a fragment, which is never sent");
    }
    Ok(url)
}

fn connect(
    section: &mut Section<'_>,
    dialect: Option<&Dialect>,
    allow_http: bool,
) -> Option<Connect> {
    let url = section.text("connect", CONNECT, |text| socket_url(text, allow_http));
    let ca = section.path("connect_ca");
    let Some(url) = url else {
        if let Some(ca) = ca.filter(|_| !section.has("connect")) {
            let fault = Fault::new(
                "vouches for nobody without `connect`",
                format!("write connect = {CONNECT}, or take it out"),
            );
            section.reject(&ca, fault);
        }
        return None;
    };
    if let Some(dialect) = dialect.filter(|dialect| dialect.transport != Transport::WebSocket) {
        let wrong = format!("there is nothing to connect to: `{}` calls us", dialect.carrier);
        section.reject(&url, Fault::new(wrong, "take `connect` out"));
    }
    if section.has("user") != section.has("secrets") {
        let wrong = "is opened with a user and a password, of which one is missing";
        let right = "write both `user` and `secrets`, of which the first is sent, or neither";
        section.reject(&url, Fault::new(wrong, right));
    }
    Some(Connect { url: url.value, ca: ca.map(|ca| ca.value) })
}

fn socket_url(text: &str, allow_http: bool) -> Result<Uri, Fault> {
    let example = || format!("write for example {CONNECT}");
    let url = without_secrets(text).map_err(|wrong| Fault::new(wrong, example()))?;
    match url.scheme_str() {
        Some("wss") => Ok(url),
        Some("ws") if allow_http => Ok(url),
        Some("ws") => Err(Fault::new(
            "sends a password and personal data in the clear over ws://",
            "write wss://, or set allow_http = true for a carrier on this machine",
        )),
        _ => Err(Fault::new("is not a wss:// URL", example())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_as_it_stands_in_the_url() {
        for (written, read) in
            [("", ""), ("/", ""), ("/common/sms", "/common/sms"), ("/a/%E4%B8%AD/", "/a/%E4%B8%AD")]
        {
            assert_eq!(path(written), Ok(read.to_owned()), "{written}");
        }
        for bad in ["common", "/a//b", "//", "/a b", "/a?b", "/a#b", "/a/../b", "/./a", "/中"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_are_single_addresses_too() {
        assert_eq!(network("192.0.2.7"), network("192.0.2.7/32"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::1/128"));
        for bad in ["", "192.0.2", "192.0.2.0/33", "carrier.example", "192.0.2.7:80"] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn certificates_are_named_by_fingerprint_or_subject() {
        let digits = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        let fingerprint = Ok(CertificateRule::Fingerprint([0xab; 32]));
        assert_eq!(certificate(&format!("sha256:{digits}")), fingerprint);
        assert_eq!(certificate(&format!("sha256:{colons}")), fingerprint);
        assert!(matches!(certificate("subject:CN=a,O=b"), Ok(CertificateRule::Subject(_))));
        for bad in ["", "a", "sha256:ab", "sha1:ab", "subject:a", "CN=a"] {
            assert!(certificate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_hold_no_secret_and_nothing_that_each_call_brings() {
        assert_eq!(base("https://g.example/"), Ok("https://g.example".to_owned()));
        assert_eq!(base("https://g.example:8443/a"), Ok("https://g.example:8443/a".to_owned()));
        for bad in ["g.example", "https://", "ftp://g", "https://g/?a", "https://g/#a", "/a"] {
            assert!(base(bad).is_err(), "{bad}");
        }
        let fault = base("https://user:hunter2@g.example").expect_err("it holds a password");
        assert!(!fault.wrong.contains("hunter2"), "{}", fault.wrong);
        assert!(socket_url("wss://a:8089/ari/events?app=h", false).is_ok());
        assert!(socket_url("ws://a/", true).is_ok());
        let plain = socket_url("ws://a/", false).expect_err("in the clear");
        assert!(plain.right.contains("allow_http"), "{}", plain.right);
        assert!(socket_url("https://a/", false).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,40}") {
            std::hint::black_box((
                path(&text).is_ok(),
                network(&text).is_ok(),
                certificate(&text).is_ok(),
                base(&text).is_ok(),
                socket_url(&text, true).is_ok(),
            ));
        }
    }
}
