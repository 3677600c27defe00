//! The URL of a database, in libpq's words: several hosts, and parameters after the question mark.
//!
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>. What is
//! said of a mistake repeats nothing of what may be a password that was not escaped.

use super::{Host, Server, Session, Tls, TlsMode};
use crate::config::problem::listed;
use crate::model::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of a host that names none.
const PORT: u16 = 5432;
/// More hosts than this are a mistake, and each may cost its timeout.
const MOST_HOSTS: usize = 16;
/// What stands for a password.
const MASK: &str = "***";
/// The parameters that are understood.
const KNOWN: [&str; 9] = [
    "application_name",
    "host",
    "options",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
];
const MODES: [(&str, TlsMode); 5] = [
    ("disable", TlsMode::Off),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];
const SESSIONS: [(&str, Session); 3] =
    [("read-write", Session::ReadWrite), ("primary", Session::Primary), ("any", Session::Any)];
/// What is escaped: whatever could be taken for a part of the URL's own.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What is wrong with a URL, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}; {right}")]
pub struct UrlFault {
    /// What is wrong. Holds nothing that may be a password.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

impl UrlFault {
    fn new(wrong: impl Into<String>, right: impl Into<String>) -> UrlFault {
        UrlFault { wrong: wrong.into(), right: right.into() }
    }
}

/// Whether this is meant to be the URL of a PostgreSQL database.
#[must_use]
pub fn is_postgres(url: &str) -> bool {
    scheme_off(url).is_some()
}

fn scheme_off(url: &str) -> Option<&str> {
    url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))
}

impl FromStr for Server {
    type Err = UrlFault;

    /// Reads a URL; what stands in keys beside it has its default.
    fn from_str(url: &str) -> Result<Server, UrlFault> {
        let Some(rest) = scheme_off(url) else {
            return Err(UrlFault::new(
                "does not begin with postgres://",
                "write \"postgres://user@host:5432/database\"",
            ));
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user_info, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        let parameters = Parameters::read(query)?;
        let password = password.map(|it| plain(it, "the password")).transpose()?;
        Ok(Server {
            hosts: parameters.hosts(hosts)?,
            user: named(user, "user", "the role that the gateway logs in as")?,
            password: password.map(|password| Secret::new(password.into_bytes())),
            database: named(database, "database", "it after the host, \"…@host:5432/bridge8890\"")?,
            tls: parameters.tls()?,
            session: parameters.one_of("target_session_attrs", &SESSIONS)?.unwrap_or_default(),
            application_name: parameters.get("application_name").map(str::to_owned),
            options: parameters.options()?,
            ..Server::default()
        })
    }
}

/// The user or the database: a gateway that guesses them writes to another database some day.
fn named(text: &str, what: &str, right: &str) -> Result<String, UrlFault> {
    match plain(text, &format!("the {what}"))? {
        name if name.is_empty() => {
            Err(UrlFault::new(format!("names no {what}"), format!("name {right}")))
        }
        name => Ok(name),
    }
}

/// A part without its escapes. A NUL would end it early on its way to the server.
fn plain(part: &str, what: &str) -> Result<String, UrlFault> {
    let bytes = part.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    let whole = escapes.map(|(at, _)| at).all(|at| is_hex(at + 1) && is_hex(at + 2));
    match percent_decode_str(part).decode_utf8() {
        Ok(text) if whole && !text.chars().any(char::is_control) => Ok(text.into_owned()),
        _ => Err(UrlFault::new(
            format!("{what} holds a control character or an escape that is none"),
            "write every character that is neither letter nor digit as % and two hex digits",
        )),
    }
}

/// What stands after the question mark, without its escapes.
struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    fn read(query: &str) -> Result<Parameters, UrlFault> {
        let mut read: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let known = || format!("known are {}", listed(KNOWN.iter().copied()));
            let Some(name) = KNOWN.iter().find(|known| **known == name) else {
                return Err(match name {
                    "password" | "user" | "dbname" => UrlFault::new(
                        format!("has `{name}` among its parameters"),
                        "write \"postgres://user:password@host:5432/database\"",
                    ),
                    "connect_timeout" => UrlFault::new(
                        "has `connect_timeout` among its parameters",
                        "write it as a key beside `url`, connect_timeout = \"2s\"",
                    ),
                    // What follows a password with a raw question mark is its rest.
                    _ => UrlFault::new("has a parameter that is not known", known()),
                });
            };
            let value = plain(value, &format!("`{name}`"))?;
            if value.is_empty() {
                let right = "give it a value, or leave it out";
                return Err(UrlFault::new(format!("`{name}` is empty"), right));
            }
            if read.iter().any(|(other, _)| other == name) {
                return Err(UrlFault::new(format!("`{name}` stands twice"), "write it once"));
            }
            read.push((name, value));
        }
        Ok(Parameters(read))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, UrlFault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(UrlFault::new(
                format!("`{name}` is {value:?}"),
                format!("write one of {}", listed(words.iter().map(|(word, _)| *word))),
            )),
        }
    }

    /// The hosts, of the authority or of the parameter, each with its port.
    fn hosts(&self, authority: &str) -> Result<Vec<Host>, UrlFault> {
        let mut hosts = Vec::new();
        let named = self.get("host");
        if let Some(names) = named.filter(|_| authority.is_empty()) {
            for name in names.split(',') {
                hosts.push((name.to_owned(), None));
            }
        } else if named.is_some() {
            let right = "name them before the slash, or as `host`";
            return Err(UrlFault::new("names its hosts twice", right));
        } else {
            for part in authority.split(',') {
                hosts.push(host(part)?);
            }
        }
        if hosts.iter().any(|(name, _)| name.is_empty()) {
            let right = "write \"postgres://user@host:5432/database\"";
            return Err(UrlFault::new("names a host that is empty", right));
        }
        if hosts.len() > MOST_HOSTS {
            let right = format!("name {MOST_HOSTS} at most");
            return Err(UrlFault::new(format!("names {} hosts", hosts.len()), right));
        }
        let usual = self.ports(hosts.len())?;
        let whole = hosts.into_iter().zip(usual);
        Ok(whole.map(|((name, own), usual)| Host { name, port: own.unwrap_or(usual) }).collect())
    }

    /// The ports of as many hosts that name none themselves.
    fn ports(&self, hosts: usize) -> Result<Vec<u16>, UrlFault> {
        let Some(ports) = self.get("port") else { return Ok(vec![PORT; hosts]) };
        let ports = ports.split(',').map(port).collect::<Result<Vec<u16>, UrlFault>>()?;
        match *ports.as_slice() {
            [port] => Ok(vec![port; hosts]),
            _ if ports.len() == hosts => Ok(ports),
            _ => Err(UrlFault::new(
                format!("names {} ports and {hosts} hosts", ports.len()),
                "name one port for all, or one for each",
            )),
        }
    }

    fn tls(&self) -> Result<Tls, UrlFault> {
        let path = |name| self.get(name).map(PathBuf::from);
        let tls = Tls {
            mode: self.one_of("sslmode", &MODES)?.unwrap_or_default(),
            // The system's own are asked anyway.
            root: path("sslrootcert").filter(|it| it.as_os_str() != "system"),
            certificate: path("sslcert"),
            key: path("sslkey"),
        };
        if tls.certificate.is_some() != tls.key.is_some() {
            let right = "write both, or neither";
            return Err(UrlFault::new("`sslcert` and `sslkey` go together", right));
        }
        Ok(tls)
    }

    /// Settings of the session, `-c name=value` one after the other.
    fn options(&self) -> Result<Vec<(String, String)>, UrlFault> {
        let Some(options) = self.get("options") else { return Ok(Vec::new()) };
        let mut words = options.split_ascii_whitespace();
        let mut settings = Vec::new();
        while let Some(word) = words.next() {
            let setting = match word.strip_prefix("-c") {
                Some("") => words.next(),
                other => other,
            };
            let setting = setting.and_then(|setting| setting.split_once('='));
            let Some((name, value)) = setting.filter(|(name, _)| is_setting(name)) else {
                return Err(UrlFault::new(
                    "`options` is no list of settings",
                    "write options=-c%20search_path%3Dbridge, with a further -c for each",
                ));
            };
            settings.push((name.to_owned(), value.to_owned()));
        }
        Ok(settings)
    }
}

fn is_setting(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    !name.is_empty() && name.bytes().all(fits)
}

/// A host, and its port if it names one. An IPv6 address stands in brackets.
fn host(part: &str) -> Result<(String, Option<u16>), UrlFault> {
    let (name, own) = match part.strip_prefix('[').and_then(|part| part.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':').or(Some(rest))),
        None => match part.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (part, None),
        },
    };
    let own = own.filter(|own| !own.is_empty()).map(port).transpose()?;
    Ok((plain(name, "a host")?, own))
}

fn port(text: &str) -> Result<u16, UrlFault> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
        UrlFault::new(
            "a port is no number from 1 to 65535",
            "write \"host:5432\"; a password with : / ? or @ in it needs them as %3A %2F %3F %40",
        )
    })
}

impl fmt::Display for Server {
    /// The URL, with three stars for its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        let part = |text: &str| escaped(text).replace('/', "%2F");
        write!(f, "postgres://{}", part(&self.user))?;
        if self.password.is_some() {
            write!(f, ":{MASK}")?;
        }
        for (place, host) in self.hosts.iter().enumerate() {
            let before = if place == 0 { '@' } else { ',' };
            match host.is_ipv6() {
                true => write!(f, "{before}{host}")?,
                false => write!(f, "{before}{}:{}", part(&host.name), host.port)?,
            }
        }
        write!(f, "/{}", part(&self.database))?;
        for (place, (name, value)) in self.parameters().into_iter().enumerate() {
            let before = if place == 0 { '?' } else { '&' };
            write!(f, "{before}{name}={}", escaped(&value))?;
        }
        Ok(())
    }
}

impl Server {
    /// What a URL says of it after the question mark.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut said = Vec::new();
        if self.session != Session::default() {
            let words = SESSIONS.iter().filter(|(_, session)| *session == self.session);
            said.extend(words.map(|(word, _)| ("target_session_attrs", (*word).to_owned())));
        }
        if self.tls.mode != TlsMode::default() {
            let words = MODES.iter().filter(|(_, mode)| *mode == self.tls.mode);
            said.extend(words.map(|(word, _)| ("sslmode", (*word).to_owned())));
        }
        for (name, path) in [
            ("sslrootcert", &self.tls.root),
            ("sslcert", &self.tls.certificate),
            ("sslkey", &self.tls.key),
        ] {
            said.extend(path.as_ref().map(|path| (name, path.display().to_string())));
        }
        said.extend(self.application_name.clone().map(|name| ("application_name", name)));
        if !self.options.is_empty() {
            let settings = self.options.iter().map(|(name, value)| format!("-c {name}={value}"));
            said.push(("options", settings.collect::<Vec<_>>().join(" ")));
        }
        said
    }
}

impl Host {
    fn is_ipv6(&self) -> bool {
        self.name.parse::<Ipv6Addr>().is_ok()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_ipv6() {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

#[cfg(test)]
mod tests;
