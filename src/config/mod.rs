//! The checked configuration: every value parsed, every cross-field rule held.
//!
//! The user's file is laid over `config/gateway.toml`, the built-in defaults (`raw`, `values`), and
//! checked into these types (`check`, `accounts`, `destination`), or every problem is reported with
//! its line.

mod access;
mod accounts;
mod areas;
mod calls;
mod campaigns;
mod carriers;
mod changes;
mod check;
mod complaints;
pub mod conversation;
mod destination;
pub mod dialect;
mod environment;
pub mod identity;
mod invitations;
pub mod national;
mod problem;
pub mod profile;
mod queueing;
mod raw;
mod recordings;
#[cfg(test)]
pub(crate) mod samples;
mod sending;
pub mod server;
mod store;
mod units;
mod values;
pub mod way;

pub use access::{
    Access, CertificateRule, Connect, ContentEncoding, Proxies, Subject, SubjectFault,
};
pub use areas::Areas;
pub use calls::{CallFlow, MessageOffer, Prompt, ReasonMenu};
pub use carriers::{built_in, load_built_in};
pub use changes::Changes;
pub use complaints::{Calendar, Complaints};
pub use conversation::Conversation;
pub use environment::Environment;
pub use invitations::Invitations;
pub use national::National;
pub use problem::{Problem, Problems};
pub use profile::Profile;
pub use recordings::{HostRule, RECORDING_DEFAULTS, Recordings, Unlisted};
pub use sending::{SENDING_DEFAULTS, Sending};
pub use server::Server;
pub use store::{Spool, Store};
pub use units::{show_duration, show_size};

use crate::model::{AccountName, AreaCode, Brand, LaneName, Scheme, Secret, Selection, TargetType};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The whole configuration of one gateway.
#[derive(Debug, Clone)]
pub struct Config {
    /// The carriers' listener.
    pub http: Http,
    /// The operators' listener.
    pub admin: Admin,
    /// The store.
    pub store: Store,
    /// The accounts by name.
    pub accounts: BTreeMap<AccountName, Arc<Account>>,
    /// The campaigns.
    pub campaigns: Vec<Arc<Campaign>>,
    /// How the platform asks us to invite; `None`: it may not.
    pub invitations: Option<Arc<Invitations>>,
    /// How complaints are treated, whichever campaign's answer opened them.
    pub complaints: Arc<Complaints>,
    /// Where records go.
    pub destination: Destination,
    /// Where they go besides.
    pub others: Vec<Destination>,
    /// Logging.
    pub log: Log,
    /// Workers that hang.
    pub watchdog: Watchdog,
    /// Shutdown.
    pub shutdown: Shutdown,
    /// What works and should not stay as it is.
    pub warnings: Problems,
    /// What is still open and only a gateway that serves needs: the destination's address and
    /// its signing key, which is empty as long as it is named here.
    pub gaps: Problems,
    /// The values that it was read from.
    written: changes::Written,
}

/// The built-in defaults, as their file has them.
pub const DEFAULTS: &str = include_str!("../../config/gateway.toml");

impl Config {
    /// Everywhere that records go.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination> {
        std::iter::once(&self.destination).chain(&self.others)
    }

    /// The built-in defaults.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test parses the file, which is compiled in")]
    pub fn builtin() -> Config {
        let environment = Environment::given(Path::new(""), &[]);
        let defaults = raw::Document::parse(raw::BUILT_IN, DEFAULTS).expect("it is TOML");
        check::check(&[defaults], &environment).expect("it is right")
    }

    /// Who answers at a path.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Option<(&Arc<Account>, &dialect::Route)> {
        self.accounts.values().find_map(|account| Some((account, account.route_at(path)?)))
    }

    /// What works and should not stay as it is, today: the warnings, and calendars that are missing.
    #[must_use]
    pub fn warnings_at(&self, now: Timestamp) -> Problems {
        let missing = self.complaints.warnings(now);
        Problems::new(self.warnings.iter().chain(&missing).cloned().collect())
    }

    /// Whether nothing is left open that a gateway needs to serve.
    ///
    /// # Errors
    /// What is still open, [`Config::gaps`].
    pub fn ready_to_serve(&self) -> Result<(), &Problems> {
        if self.gaps.is_empty() { Ok(()) } else { Err(&self.gaps) }
    }
}

/// Reads a file over the built-in defaults; without a path, just these.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub fn load(path: Option<&Path>) -> Result<Config, Problems> {
    load_in(path, Environment::process)
}

/// The same for whoever neither sends nor believes anything: secrets need not be there.
///
/// # Errors
/// Everything else that is wrong.
pub fn load_without_secrets(path: Option<&Path>) -> Result<Config, Problems> {
    load_in(path, Environment::without_secrets)
}

fn load_in(
    path: Option<&Path>,
    environment: impl FnOnce(&Path) -> Environment,
) -> Result<Config, Problems> {
    let Some(path) = path else { return Ok(Config::builtin()) };
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|fault| {
        Problems::new(vec![Problem {
            origin: Origin { file: file.clone(), line: 1 },
            key: String::new(),
            wrong: format!("the file cannot be read ({fault})"),
            right: "name a readable UTF-8 file with --config".to_owned(),
        }])
    })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    parse(&text, &file, &environment(directory))
}

/// Reads the text of a file over the built-in defaults.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub fn parse(text: &str, file_name: &str, environment: &Environment) -> Result<Config, Problems> {
    let user = raw::Document::parse(file_name, text)?;
    let defaults = raw::Document::parse(raw::BUILT_IN, DEFAULTS)?;
    check::check(&[user, defaults], environment)
}

/// The carriers' listener.
#[derive(Debug, Clone)]
pub struct Http {
    /// Addresses to listen on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Certificate and key; `None` is plain HTTP.
    pub tls: Option<Tls>,
    /// The gateway as carriers know it, a URL without a slash at its end, for those that sign it.
    /// `None`: by the Host header.
    pub external_url: Option<String>,
    /// The proxies in front.
    pub proxies: Proxies,
    /// Limits of every connection.
    pub limits: Limits,
}

/// Certificate chain and private key, PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The roots that vouch for client certificates, PEM; `None`: nobody is asked for one.
    pub client_ca: Option<PathBuf>,
}

/// What one peer may take from us.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at once, over all listeners.
    pub max_connections: usize,
    /// Requests being worked on at once; more are told to come back.
    pub max_requests: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From the first byte of a request to the end of its headers.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body.
    pub body_timeout: Duration,
    /// A connection without a request.
    pub idle_timeout: Duration,
    /// The largest body, in bytes; a carrier's own cap may be lower.
    pub max_body: usize,
    /// The bytes of bodies held at once; past them carriers are told to come back.
    pub max_buffered: usize,
    /// What a busy answer says in Retry-After.
    pub retry_after: Duration,
}

/// The operators' listener.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Address of metrics and health.
    pub listen: SocketAddr,
}

/// One configured use of a carrier.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name.
    pub name: AccountName,
    /// How it is reached.
    pub access: Access,
    /// How it speaks: its carrier's dialect, with the account's own keys over it.
    pub dialect: Arc<dialect::Dialect>,
    /// The user or key id that goes with its secrets; `None` accepts any.
    pub user: Option<String>,
    /// Its live secrets, any of which may have signed.
    pub secrets: Vec<Secret>,
    /// How far the carrier's clock may be from ours where signatures tell the time; `None`: as
    /// its dialect says.
    pub tolerance: Option<Duration>,
    /// The zone of the carrier's local times.
    pub offset: Offset,
    /// The calling code that national numbers belong to, for example `86`.
    pub country: String,
    /// The campaign for service numbers that no campaign names; `None`: unmatched.
    pub default_campaign: Option<String>,
    /// How it sends messages; `None`: it does not.
    pub send: Option<Arc<Sending>>,
    /// From where its recordings are fetched; `None`: they are not.
    pub recordings: Option<Arc<Recordings>>,
    /// Where in the file it stands.
    pub origin: Origin,
}

impl Account {
    /// The route of this account that answers at a path; a slash at its end says nothing.
    #[must_use]
    pub fn route_at(&self, path: &str) -> Option<&dialect::Route> {
        let path = path.strip_suffix('/').unwrap_or(path);
        self.dialect.routes.iter().find(|route| self.access.path_of(route) == path)
    }
}

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file, or `built-in defaults`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What the citizen was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its name.
    pub name: String,
    /// The service numbers it answers for, each exact or a prefix written `8890*`.
    pub service_numbers: Vec<String>,
    /// The districts that extensions name, by what follows the prefix of a service number.
    pub extensions: BTreeMap<String, AreaCode>,
    /// Under which name its citizens know the hotline.
    pub brand: Brand,
    /// How digits are read.
    pub scheme: Scheme,
    /// What is rated.
    pub target: TargetType,
    /// The platform's channel code for ratings by SMS.
    pub sms_channel_code: Option<u8>,
    /// The platform's channel code for ratings by keypad; there is no silent default.
    pub ivr_channel_code: Option<u8>,
    /// How it talks with those it asks; `None`: it only reads answers, each for itself.
    pub conversation: Option<Conversation>,
    /// What it asks in a call whose steps we say; `None`: nothing.
    pub call: Option<CallFlow>,
    /// How complaints from its answers are treated.
    pub complaints: Arc<Complaints>,
}

impl Campaign {
    /// Whether what is said in its calls belongs together.
    #[must_use]
    pub fn remembers_calls(&self) -> bool {
        self.conversation.is_some() || self.call.is_some()
    }
}

/// A destination and how it is treated.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Its name: that of its lane.
    pub name: LaneName,
    /// What it is sent.
    pub only: Selection,
    /// The base URL, `https://…`; `http://…` only with `allow_http`.
    pub url: http::Uri,
    /// Extra trusted roots, PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The id of the signing key, sent along.
    pub key_id: String,
    /// The secret that goes with it: the signing key, unless `identity` says otherwise.
    pub secret: Secret,
    /// How it knows that a request is ours.
    pub identity: identity::Identity,
    /// By which way it is reached.
    pub way: way::Way,
    /// How it is spoken to.
    pub profile: Profile,
    /// The statuses by which it refuses a record for good.
    pub final_statuses: Vec<http::StatusCode>,
    /// How what waits for it is ordered and gathered.
    pub queueing: Queueing,
    /// The most requests under way at once.
    pub concurrency: usize,
    /// The fewest that the lane goes down to when the platform fails or is slow.
    pub concurrency_min: usize,
    /// The most requests a second, of whatever kind; `None`: no limit.
    pub rate: Option<u32>,
    /// Deadline of one request.
    pub request_timeout: Duration,
    /// How long a record is ours to send; longer than the deadline by a margin.
    pub lease: Duration,
    /// When a failed record is tried again.
    pub backoff: Backoff,
    /// When the lane stops trying for a while.
    pub breaker: Breaker,
}

/// How records that wait for a destination are ordered and gathered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queueing {
    /// The most records in one request.
    pub max_batch: usize,
    /// The largest body of a request in bytes, unless one record alone is larger.
    pub max_bytes: usize,
    /// How long a record may wait for others to go with; complaints do not.
    pub max_delay: Duration,
    /// How long before the end of its last day to call back a complaint goes before all others.
    pub urgent_before: Duration,
}

/// Exponential back-off with full jitter, bounded in attempts and age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the first delay; it doubles with each attempt.
    pub base: Duration,
    /// The ceiling of every delay.
    pub cap: Duration,
    /// Attempts before a record becomes a dead letter.
    pub max_attempts: u32,
    /// Age at which it becomes one whatever the attempts.
    pub max_age: Duration,
}

/// The breaker of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Consecutive failures that open it.
    pub failures: u32,
    /// How long it stays open before one request may probe.
    pub open_for: Duration,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct Log {
    /// A `tracing` filter, for example `info,bridge8890=debug`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

/// Workers that hang.
#[derive(Debug, Clone)]
pub struct Watchdog {
    /// How long a worker with work to do may make no progress until it is replaced.
    pub after: Duration,
}

/// Shutdown.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// How long open requests and sends may take before they are cut off.
    pub grace: Duration,
}
