//! The PostgreSQL server that nodes share: `store.url`, and the keys beside it.

mod url;

pub use url::{UrlFault, is_postgres};

use super::check::WAIT;
use super::environment::Reference;
use super::problem::Fault;
use super::raw::{At, Section};
use crate::model::Secret;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// How long one statement may run.
const STATEMENT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(10);
/// How long the owner of a work may be silent; a shorter lease would change hands over a hiccup.
const LEASE: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_mins(10);
/// Connections of one node for reading.
const READERS: RangeInclusive<u32> = 1..=100;
const EXAMPLE: &str = "\"postgres://bridge8890@db1:5432,db2:5432/bridge8890?sslmode=verify-full\"";

/// A PostgreSQL database, and how a node speaks to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The servers that may have it, in the order in which they are tried.
    pub hosts: Vec<Host>,
    /// The role.
    pub user: String,
    /// Its password; `None`: it needs none.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
    /// How the connection is protected.
    pub tls: Tls,
    /// Which of the servers will do.
    pub session: Session,
    /// The name that the server's views show for the connections; `None`: made from `node`.
    pub application_name: Option<String>,
    /// Further settings of every session, such as `search_path`.
    pub options: Vec<(String, String)>,
    /// The name of this node, which no other has.
    pub node: String,
    /// How long is waited for what.
    pub timeouts: Timeouts,
    /// The connections for reading.
    pub pool: Pool,
    /// How long single-owner work stays with a node that is not heard of.
    pub owner_lease: Duration,
}

/// A server that may have the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name, an address, or the directory of a socket, which begins with a slash.
    pub name: String,
    /// The port.
    pub port: u16,
}

/// How a connection is protected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// What is demanded of it.
    pub mode: TlsMode,
    /// The roots that vouch for the server, PEM, besides the system's.
    pub root: Option<PathBuf>,
    /// The certificate by which the gateway is known, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
}

/// What is demanded of a connection; libpq's `sslmode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// `disable`: no TLS.
    Off,
    /// `prefer`: TLS where the server has it.
    #[default]
    Prefer,
    /// `require`: TLS, with whomever; with a root certificate as `verify-ca`.
    Require,
    /// `verify-ca`: TLS with a certificate that a root vouches for.
    VerifyCa,
    /// `verify-full`: that, for the host that was asked.
    VerifyFull,
}

/// Which server will do; libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Session {
    /// `read-write`: one that takes changes.
    #[default]
    ReadWrite,
    /// `primary`: one that is no standby.
    Primary,
    /// `any`: the first that answers.
    Any,
}

/// How long is waited for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For one server to take a connection and let us in.
    pub connect: Duration,
    /// For one statement.
    pub statement: Duration,
    /// For a lock that another node has.
    pub lock: Duration,
    /// For the next statement of a transaction, until the server ends it.
    pub idle_in_transaction: Duration,
}

/// The connections for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// As many at most.
    pub readers: u32,
    /// How long one is waited for.
    pub acquire: Duration,
}

impl Default for Server {
    /// The values that the built-in defaults have too, and no server.
    fn default() -> Server {
        Server {
            hosts: Vec::new(),
            user: String::new(),
            password: None,
            database: String::new(),
            tls: Tls::default(),
            session: Session::default(),
            application_name: None,
            options: Vec::new(),
            node: "node".to_owned(),
            timeouts: Timeouts {
                connect: Duration::from_secs(2),
                statement: Duration::from_secs(10),
                lock: Duration::from_secs(5),
                idle_in_transaction: Duration::from_secs(3),
            },
            pool: Pool { readers: 4, acquire: Duration::from_secs(5) },
            owner_lease: Duration::from_secs(10),
        }
    }
}

impl Host {
    /// Whether it is the directory of a socket.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Whether what is said to it stays on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address = self.name.parse::<IpAddr>();
        self.is_socket() || self.name == "localhost" || address.is_ok_and(|it| it.is_loopback())
    }
}

/// Reads the keys that say where the server is. `Some(None)`: there is none.
pub(super) fn server(section: &mut Section<'_>) -> Option<Option<At<Server>>> {
    let written = section.text("url", EXAMPLE, |text| match text.split_once(':') {
        Some(("env" | "file", _)) => Reference::read(text).map(Written::Elsewhere),
        _ => Ok(Written::Here(text.to_owned())),
    });
    let password = password(section);
    let node = section.text("node", "\"node-a\"", node_name);
    let timeouts = timeouts(section);
    let pool = Pool {
        readers: section.count("readers", READERS)?.value,
        acquire: section.duration("acquire_timeout", WAIT)?.value,
    };
    let owner_lease = section.duration("owner_lease", LEASE)?.value;
    if written.is_none() && section.has("url") {
        return None;
    }
    let Some(written) = written else { return Some(None) };
    let mut server = match written.value.read(section, &written) {
        Ok(server) => written.with(Server { timeouts: timeouts?, pool, owner_lease, ..server }),
        Err(fault) => {
            section.reject(&written, fault);
            return None;
        }
    };
    if let Some(password) = password {
        if server.value.password.is_some() {
            let fault = Fault::new("the URL holds a password too", "keep it in one place");
            section.reject(&password, fault);
        }
        server.value.password = Some(password.value);
    }
    server.value.node = match node {
        Some(node) => node.value,
        None => own_name(section, &server)?,
    };
    from_here(section, &mut server.value.tls);
    protected(section, &server);
    Some(Some(server))
}

/// The URL as it is written.
#[derive(Clone)]
enum Written {
    Here(String),
    Elsewhere(Reference),
}

impl Written {
    fn read(&self, section: &Section<'_>, place: &At<Written>) -> Result<Server, Fault> {
        let parse = |url: &str| {
            let server = url.parse::<Server>();
            server.map_err(|UrlFault { wrong, right }| Fault { wrong, right })
        };
        match self {
            Written::Here(url) => match parse(url)? {
                server if server.password.is_some() => Err(Fault::new(
                    "holds a password, and a secret itself never stands in this file",
                    "keep it elsewhere and write password = \"env:NAME\" beside it, or keep the \
                     whole URL there and write url = \"env:NAME\"",
                )),
                server => Ok(server),
            },
            Written::Elsewhere(reference) => {
                let secret = section.secret(&place.with(reference.clone()))?;
                let url = std::str::from_utf8(secret.reveal()).map_err(|_| {
                    Fault::new(
                        "points to something that is no URL",
                        format!("keep {EXAMPLE} there"),
                    )
                })?;
                parse(url)
            }
        }
    }
}

fn password(section: &mut Section<'_>) -> Option<At<Secret>> {
    let reference = section.reference("password")?;
    let text = |secret: Secret| match std::str::from_utf8(secret.reveal()) {
        Ok(_) => Ok(secret),
        Err(_) => Err(Fault::new("points to something that is no text", "keep the password there")),
    };
    match section.secret(&reference).and_then(text) {
        Ok(secret) => Some(reference.with(secret)),
        Err(fault) => {
            section.reject(&reference, fault);
            None
        }
    }
}

fn timeouts(section: &mut Section<'_>) -> Option<Timeouts> {
    let connect = section.duration("connect_timeout", WAIT);
    let statement = section.duration("statement_timeout", STATEMENT)?;
    let lock = section.duration("lock_timeout", STATEMENT)?;
    let idle = section.duration("idle_in_transaction_timeout", STATEMENT)?;
    if lock.value > statement.value {
        let wrong = "a statement that waits for a lock would end before its wait does";
        let right = "make store.statement_timeout at least as long as store.lock_timeout";
        section.conflict(&lock, &statement, Fault::new(wrong, right));
    }
    if idle.value > lock.value {
        let wrong = "a node that stops in the middle would hold up the others for longer than they \
                     wait";
        let right = "make store.lock_timeout at least as long as store.idle_in_transaction_timeout";
        section.conflict(&idle, &lock, Fault::new(wrong, right));
    }
    Some(Timeouts {
        connect: connect?.value,
        statement: statement.value,
        lock: lock.value,
        idle_in_transaction: idle.value,
    })
}

/// A name that stands in logs, in metrics and in the server's views.
fn node_name(name: &str) -> Result<String, Fault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=63).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name.to_owned());
    }
    let right = "write up to 63 letters, digits, hyphens, underscores and dots, node = \"node-a\"";
    Err(Fault::new(format!("{name:?} is no name of a node"), right))
}

/// The name of this machine, for a node without one of its own.
fn own_name(section: &Section<'_>, url: &At<Server>) -> Option<String> {
    match node_name(&section.environment().host_name()) {
        Ok(name) => Some(name),
        Err(Fault { wrong, right }) => {
            section.reject(url, Fault::new(format!("`node` is missing, and {wrong}"), right));
            None
        }
    }
}

/// Relative paths start where the file's others do.
fn from_here(section: &Section<'_>, tls: &mut Tls) {
    for path in [&mut tls.root, &mut tls.certificate, &mut tls.key].into_iter().flatten() {
        *path = section.environment().path(path);
    }
}

/// Warns of what is said to other machines without protection that was not chosen.
fn protected(section: &Section<'_>, server: &At<Server>) {
    let Server { hosts, tls, .. } = &server.value;
    let Some(away) = hosts.iter().find(|host| !host.is_local()) else { return };
    match tls.mode {
        TlsMode::Prefer => section.warn(
            server,
            Fault::new(
                format!("without `sslmode` the way to {away} may be unencrypted"),
                "write sslmode=verify-full with sslrootcert=FILE, or sslmode=disable if it may be",
            ),
        ),
        TlsMode::VerifyCa => section.warn(
            server,
            Fault::new(
                "sslmode=verify-ca takes the certificate of any host that a root vouches for",
                "write sslmode=verify-full",
            ),
        ),
        TlsMode::Off | TlsMode::Require | TlsMode::VerifyFull => {}
    }
}

#[cfg(test)]
mod tests;
