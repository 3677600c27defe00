//! Connections to whichever of the servers may have them, ready for use.

mod readers;

pub(in crate::store) use readers::Patience;

use crate::config::Server;
use crate::config::server::{Host, Session, Tls, TlsMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgRow, PgSslMode};
use sqlx::{ConnectOptions, Row};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// The oldest server that is supported, as `server_version_num` has it.
pub(super) const OLDEST: i32 = 140_000;
/// A connection that was used so lately needs no look before it is used again.
pub(super) const FRESH: Duration = Duration::from_millis(500);
/// What a session must be known by, in one round trip: it is refused or used. Durability is never
/// less than that of the server's own disk, whatever the role's or the database's default.
const LOOK: &str = "SELECT current_setting('server_version_num')::int,
    pg_is_in_recovery(),
    current_setting('transaction_read_only') = 'on',
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' WHEN 'local' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)";
/// By which the server notices that this machine is gone, and lets go of its locks. Not every
/// system that it may run on has them all.
const WATCH: &str = "SELECT set_config('tcp_keepalives_idle', '10', false),
    set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('tcp_user_timeout', '20000', false),
    set_config('client_connection_check_interval', '5000', false)";

/// Opens connections, beginning with the server that gave the last one. Shared by cloning.
#[derive(Debug, Clone)]
pub(in crate::store) struct Connector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hosts: Vec<(Host, PgConnectOptions)>,
    wanted: Session,
    server: Server,
    /// The place in `hosts` of the one that gave the last connection.
    last: AtomicUsize,
    /// Told when that is another one.
    moved: watch::Sender<()>,
    readers: OnceLock<PgPool>,
}

/// Why no server gave a connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file that TLS needs cannot be read.
    #[error("cannot read {file}, which store.url names: {source}; make it readable for this user")]
    File {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The role is not let in.
    #[error(
        "the database lets the gateway not in: {0}; look at the user in store.url, at \
         store.password and at the server's pg_hba.conf"
    )]
    Refused(HostFaults),
    /// There is no such database.
    #[error("there is no such database: {0}; create it, or name another in store.url")]
    NoDatabase(HostFaults),
    /// There is no connection as protected as it has to be.
    #[error(
        "the connection cannot be protected: {0}; look at sslmode and sslrootcert in store.url, \
         and at the server's certificate"
    )]
    Tls(HostFaults),
    /// The server's version is too old.
    #[error("the server is too old: {0}; use PostgreSQL 14 or newer")]
    TooOld(HostFaults),
    /// It has no connection left.
    #[error(
        "the server has no connection left: {0}; raise its max_connections, or lower store.readers \
         or the number of nodes"
    )]
    TooMany(HostFaults),
    /// Servers answer, and none of them takes changes.
    #[error("no server takes changes: {0}; promote one, and look at what manages the failover")]
    NotWritable(HostFaults),
    /// None answers.
    #[error("no server can be reached: {0}; start one, and look at store.url and the network")]
    Unreachable(HostFaults),
}

impl ConnectError {
    /// Whether waiting may help, without anybody changing the configuration.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            ConnectError::TooMany(_) | ConnectError::NotWritable(_) | ConnectError::Unreachable(_)
        )
    }
}

/// Why each of the servers gave none.
#[derive(Debug)]
pub struct HostFaults(Vec<(Host, HostFault)>);

impl fmt::Display for HostFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (host, fault)) in self.0.iter().enumerate() {
            let before = if place == 0 { "" } else { ", " };
            write!(f, "{before}{host}: {fault}")?;
        }
        Ok(())
    }
}

/// Why one server gave none. The later ones say the most of what an operator must change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum HostFault {
    /// It does not answer, or not as PostgreSQL does.
    #[error("{0}")]
    Unreachable(String),
    /// It takes no changes.
    #[error("{0}")]
    NotWritable(&'static str),
    /// It has no connection left.
    #[error("{0}")]
    TooMany(String),
    /// Its version, as `server_version_num` has it.
    #[error("version {major}", major = .0 / 10_000)]
    TooOld(i32),
    /// No connection as protected as it has to be.
    #[error("{0}")]
    Tls(String),
    /// It has no such database.
    #[error("{0}")]
    NoDatabase(String),
    /// It does not let the role in.
    #[error("{0}")]
    Refused(String),
}

impl From<Vec<(Host, HostFault)>> for ConnectError {
    fn from(faults: Vec<(Host, HostFault)>) -> ConnectError {
        let worst = faults.iter().map(|(_, fault)| fault).max().cloned();
        let faults = HostFaults(faults);
        match worst {
            Some(HostFault::Refused(_)) => ConnectError::Refused(faults),
            Some(HostFault::NoDatabase(_)) => ConnectError::NoDatabase(faults),
            Some(HostFault::Tls(_)) => ConnectError::Tls(faults),
            Some(HostFault::TooOld(_)) => ConnectError::TooOld(faults),
            Some(HostFault::TooMany(_)) => ConnectError::TooMany(faults),
            Some(HostFault::NotWritable(_)) => ConnectError::NotWritable(faults),
            Some(HostFault::Unreachable(_)) | None => ConnectError::Unreachable(faults),
        }
    }
}

impl Connector {
    /// A connector for these servers; nothing is asked of them yet.
    ///
    /// # Errors
    /// [`ConnectError::File`].
    pub(in crate::store) fn new(server: &Server) -> Result<Connector, ConnectError> {
        let Tls { root, certificate, key, .. } = &server.tls;
        for path in [root, certificate, key].into_iter().flatten() {
            std::fs::File::open(path).map_err(|source| ConnectError::File {
                file: path.display().to_string(),
                source,
            })?;
        }
        let hosts = server.hosts.iter().map(|host| (host.clone(), options(server, host)));
        Ok(Connector(Arc::new(Inner {
            hosts: hosts.collect(),
            wanted: server.session,
            server: server.clone(),
            last: AtomicUsize::new(0),
            moved: watch::Sender::new(()),
            readers: OnceLock::new(),
        })))
    }

    /// The name of this node.
    pub(super) fn node(&self) -> &str {
        &self.0.server.node
    }

    /// A connection to the first server that will do, each tried once. Whoever waits on it later
    /// must bound that wait: a machine that vanished answers nothing, and says so to nobody.
    ///
    /// # Errors
    /// [`ConnectError`], with what each server said.
    pub(in crate::store) async fn connect(&self) -> Result<PgConnection, ConnectError> {
        let Inner { hosts, wanted, last, .. } = &*self.0;
        let first = last.load(Ordering::Relaxed);
        let order = hosts.iter().enumerate().cycle().skip(first).take(hosts.len());
        let mut faults = Vec::new();
        for (place, (host, _)) in order {
            match self.connect_to(place, *wanted).await {
                Ok(connection) => {
                    self.follow(place);
                    return Ok(connection);
                }
                Err(fault) => faults.push((host.clone(), fault)),
            }
        }
        Err(faults.into())
    }

    /// A connection to each of the servers, whether it takes changes or not.
    pub(super) async fn connect_to_each(&self) -> Vec<(Host, Result<PgConnection, HostFault>)> {
        let mut each = Vec::new();
        for (place, (host, _)) in self.0.hosts.iter().enumerate() {
            each.push((host.clone(), self.connect_to(place, Session::Any).await));
        }
        each
    }

    async fn connect_to(&self, place: usize, wanted: Session) -> Result<PgConnection, HostFault> {
        let patience = self.0.server.timeouts.connect;
        let Some((_, options)) = self.0.hosts.get(place) else {
            return Err(HostFault::Unreachable("is none of the hosts".to_owned()));
        };
        let session = async {
            let mut connection = options.connect().await.map_err(|error| fault(&error))?;
            make_ready(&mut connection, wanted).await?;
            Ok(connection)
        };
        timeout(patience, session).await.unwrap_or_else(|_| {
            Err(HostFault::Unreachable(format!("no answer within {patience:?}")))
        })
    }

    /// Whether a connection that was quiet for a while still does.
    pub(super) async fn still_serves(&self, connection: &mut PgConnection) -> bool {
        let Inner { wanted, server, .. } = &*self.0;
        let look = timeout(server.timeouts.connect, look(connection, *wanted)).await;
        matches!(look, Ok(Ok(())))
    }

    /// The readers go where the last connection went, and nobody waits for the server before.
    fn follow(&self, place: usize) {
        let Inner { hosts, last, readers, moved, .. } = &*self.0;
        let before = last.swap(place, Ordering::Relaxed);
        if let (true, Some((host, options))) = (before != place, hosts.get(place)) {
            tracing::warn!(%host, "another server has the database now");
            if let Some(readers) = readers.get() {
                readers.set_connect_options(options.clone());
            }
            moved.send_replace(());
        }
    }
}

fn options(server: &Server, host: &Host) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&host.name)
        .port(host.port)
        .username(&server.user)
        .database(&server.database)
        .ssl_mode(ssl_mode(&server.tls))
        .disable_statement_logging();
    if let Some(password) = &server.password {
        // Both places that it may come from are read as text.
        options = options.password(&String::from_utf8_lossy(password.reveal()));
    }
    let Tls { root, certificate, key, .. } = &server.tls;
    let given = |path: &Option<PathBuf>| path.clone();
    if let Some(root) = given(root) {
        options = options.ssl_root_cert(root);
    }
    if let (Some(certificate), Some(key)) = (given(certificate), given(key)) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    let name = server.application_name.clone();
    let name = name.unwrap_or_else(|| format!("bridge8890 {}", server.node));
    let own = server.options.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let milliseconds = |timeout: Duration| timeout.as_millis().to_string();
    let timeouts = &server.timeouts;
    let ours = [
        ("statement_timeout", milliseconds(timeouts.statement)),
        ("lock_timeout", milliseconds(timeouts.lock)),
        ("idle_in_transaction_session_timeout", milliseconds(timeouts.idle_in_transaction)),
        // A bitmap is made of all that is due before the first of it is taken; an index is walked in order.
        ("enable_bitmapscan", "off".to_owned()),
        // What a server that has not counted its rows yet thinks long is over before it is compiled.
        ("jit", "off".to_owned()),
    ];
    options.application_name(&name).options(own.chain(ours))
}

fn ssl_mode(tls: &Tls) -> PgSslMode {
    match tls.mode {
        TlsMode::Off => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require if tls.root.is_some() => PgSslMode::VerifyCa,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    }
}

/// Looks at a new session, and sets what the server does not know from its start.
async fn make_ready(connection: &mut PgConnection, wanted: Session) -> Result<(), HostFault> {
    look(connection, wanted).await?;
    if let Err(error) = sqlx::raw_sql(WATCH).execute(connection).await {
        tracing::debug!(%error, "the server cannot watch over its connections");
    }
    Ok(())
}

/// Looks whether a session will do.
async fn look(connection: &mut PgConnection, wanted: Session) -> Result<(), HostFault> {
    let row = sqlx::raw_sql(LOOK).fetch_one(connection).await.map_err(|error| fault(&error))?;
    let said = Said::read(&row).map_err(|error| fault(&error))?;
    said.will_do(wanted)
}

/// What a session says of its server.
struct Said {
    version: i32,
    in_recovery: bool,
    read_only: bool,
}

impl Said {
    fn read(row: &PgRow) -> Result<Said, sqlx::Error> {
        Ok(Said {
            version: row.try_get(0)?,
            in_recovery: row.try_get(1)?,
            read_only: row.try_get(2)?,
        })
    }

    fn will_do(&self, wanted: Session) -> Result<(), HostFault> {
        match wanted {
            _ if self.version < OLDEST => Err(HostFault::TooOld(self.version)),
            Session::ReadWrite | Session::Primary if self.in_recovery => {
                Err(HostFault::NotWritable("is a standby"))
            }
            Session::ReadWrite if self.read_only => Err(HostFault::NotWritable("is read-only")),
            Session::ReadWrite | Session::Primary | Session::Any => Ok(()),
        }
    }
}

/// What an error says of its server. The codes are those of PostgreSQL's appendix A.
fn fault(error: &sqlx::Error) -> HostFault {
    match error {
        sqlx::Error::Database(said) => {
            let message = said.message().to_owned();
            match said.code().as_deref() {
                Some("28000" | "28P01" | "42501") => HostFault::Refused(message),
                Some("3D000") => HostFault::NoDatabase(message),
                Some("53300") => HostFault::TooMany(message),
                _ => HostFault::Unreachable(message),
            }
        }
        sqlx::Error::Tls(said) => HostFault::Tls(said.to_string()),
        sqlx::Error::Configuration(said) => HostFault::Tls(said.to_string()),
        sqlx::Error::Io(said) if said.get_ref().is_some_and(|it| it.is::<rustls::Error>()) => {
            HostFault::Tls(said.to_string())
        }
        sqlx::Error::Io(said) => HostFault::Unreachable(said.to_string()),
        other => HostFault::Unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
