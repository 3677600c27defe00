//! From the file as written to the checked types: the gateway's own sections.

use super::access;
use super::accounts;
use super::campaigns;
use super::changes::Written;
use super::complaints;
use super::destination::{self, destination};
use super::invitations;
use super::problem::{Fault, Problems};
use super::raw::{At, Context, Document, Findings, Section};
use super::store;
use super::{Account, Admin, Config, Environment, Http, Limits, Log, Shutdown, Tls, Watchdog};
use crate::model::AccountName;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// What a wait may be set to.
pub(super) const WAIT: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_hours(1);
/// How long something may be kept.
pub(super) const KEEPING: RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_secs(10 * 31_557_600);

/// Checks the documents, of which earlier ones win.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn check(
    documents: &[Document<'_>],
    environment: &Environment,
) -> Result<Config, Problems> {
    let context = Context::new(environment);
    let config = Section::whole(documents, &context, whole);
    let Findings { problems, warnings, gaps } = context.into_findings();
    match config {
        Some(config) if problems.is_empty() => {
            Ok(Config { warnings, gaps, written: Written::of(documents), ..config })
        }
        _ => Err(problems),
    }
}

fn whole(root: &mut Section<'_>) -> Option<Config> {
    let http = root.table("http", http);
    let admin = root.table("admin", |section| section.text("listen", ADDRESS, address));
    let store = root.table("store", store::store);
    let complaints = root.table("complaints", complaints::complaints).map(Arc::new);
    let campaigns = campaigns::campaigns(root, complaints.as_ref());
    let accounts = accounts::accounts(root, &campaigns, store.as_ref().map(|it| it.dedupe_window));
    can_send(root, &campaigns.needs.senders, &accounts);
    can_ask(root, &campaigns.needs.callers, &accounts);
    let remembered = store.as_ref().map(|it| it.dedupe_window);
    let invited = root.table("invitations", |it| invitations::invitations(it, remembered));
    let destination = root.table("destination", destination);
    let others = destination::others(root, destination.as_ref());
    let log = root.table("log", log);
    let watchdog = root.table("watchdog", watchdog);
    let shutdown = root.table("shutdown", |section| section.duration("grace", WAIT));

    let (listen, http) = http?;
    let admin = admin?;
    apart(root, &listen, &admin);
    together(root, &http, &accounts.values().map(Arc::as_ref).collect::<Vec<_>>());
    if let Some(invited) = &invited {
        let accounts: Vec<_> = accounts.values().collect();
        let found = invitations::clashes(invited, &http, &accounts);
        found.into_iter().for_each(|(place, fault)| root.reject(&place, fault));
    }
    Some(Config {
        http,
        admin: Admin { listen: admin.value },
        store: store?,
        accounts,
        campaigns: campaigns.good,
        invitations: invited.map(|invited| Arc::new(invited.value)),
        complaints: complaints?,
        destination: destination?,
        others,
        log: log?,
        watchdog: watchdog?,
        shutdown: Shutdown { grace: shutdown?.value },
        warnings: Problems::default(),
        gaps: Problems::default(),
        written: Written::default(),
    })
}

/// Those who are to send for a campaign must be able to.
fn can_send(
    root: &Section<'_>,
    senders: &[At<AccountName>],
    accounts: &BTreeMap<AccountName, Arc<Account>>,
) {
    for sender in senders {
        let name = &sender.value;
        if accounts.get(name).is_none_or(|account| account.send.is_none()) {
            let wrong = format!("no account `{name}` can send");
            let right = format!("name one that has [accounts.{name}.send]");
            root.reject(sender, Fault::new(wrong, right));
        }
    }
}

/// Those who ask in calls need a carrier that asks for the steps.
fn can_ask(root: &Section<'_>, callers: &[At<()>], accounts: &BTreeMap<AccountName, Arc<Account>>) {
    let mut routes = accounts.values().flat_map(|account| &account.dialect.routes);
    if routes.any(|route| route.steps.is_some()) {
        return;
    }
    for campaign in callers {
        let wrong = "asks in calls, and no account has a carrier that asks us for the steps of one";
        let right = "add one, docs/calls.md names them, or remove the table `call`";
        root.warn(campaign, Fault::new(wrong, right));
    }
}

const ADDRESS: &str = "\"127.0.0.1:8890\"";

fn address(text: &str) -> Result<SocketAddr, Fault> {
    text.parse().map_err(|_| {
        Fault::new(
            format!("{text:?} is not an IP address with a port"),
            "write for example \"127.0.0.1:8890\", \"0.0.0.0:8890\" or \"[::]:8890\"",
        )
    })
}

fn http(section: &mut Section<'_>) -> Option<(Vec<At<SocketAddr>>, Http)> {
    let listen = section.list("listen", &format!("[{ADDRESS}]"), |item| {
        address(super::values::text(item, ADDRESS)?)
    })?;
    section.demand_items("listen", &format!("write at least one address, [{ADDRESS}]"));
    let external_url = access::external_url(section);
    let proxies = access::proxies(section);
    let tls = section.table("tls", tls);
    let limits = section.table("limits", limits)?;
    let addresses = listen.value.iter().map(|address| address.value).collect();
    Some((listen.value, Http { listen: addresses, tls, external_url, proxies: proxies?, limits }))
}

fn tls(section: &mut Section<'_>) -> Option<Tls> {
    let certificate = section.path("certificate");
    let key = section.path("key");
    let client_ca = section.path("client_ca").map(|path| path.value);
    section.demand("certificate", "name the PEM file of the chain, leaf first");
    section.demand("key", "name the PEM file of the certificate's private key");
    Some(Tls { certificate: certificate?.value, key: key?.value, client_ca })
}

fn limits(section: &mut Section<'_>) -> Option<Limits> {
    let seconds = |from, to| Duration::from_secs(from)..=Duration::from_secs(to);
    Some(Limits {
        max_connections: section.count("max_connections", 1..=1_000_000)?.value,
        max_requests: section.count("max_requests", 1..=1_000_000)?.value,
        handshake_timeout: section.duration("handshake_timeout", WAIT)?.value,
        header_timeout: section.duration("header_timeout", WAIT)?.value,
        body_timeout: section.duration("body_timeout", WAIT)?.value,
        idle_timeout: section.duration("idle_timeout", WAIT)?.value,
        max_body: bytes(section.size("max_body", 1 << 10..=64 << 20)?.value),
        max_buffered: bytes(section.size("max_buffered", 64 << 10..=16 << 30)?.value),
        retry_after: section.duration("retry_after", seconds(1, 3600))?.value,
    })
}

/// A size that is bounded far below what an address space holds.
fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// What a hang is set to, at least, without a warning: a store that somebody else writes to lets a worker
/// wait for 5 s, twice if another group is before its own.
const SURELY_A_HANG: Duration = Duration::from_secs(15);

fn watchdog(section: &mut Section<'_>) -> Option<Watchdog> {
    let after = section.duration("after", Duration::from_secs(1)..=Duration::from_hours(1))?;
    if after.value < SURELY_A_HANG {
        let wrong = "so short that a store which is merely busy looks like a hang";
        section.warn(&after, Fault::new(wrong, "write 15s or more"));
    }
    Some(Watchdog { after: after.value })
}

fn log(section: &mut Section<'_>) -> Option<Log> {
    let filter =
        section.text("filter", "\"info\"", |filter| match EnvFilter::builder().parse(filter) {
            Ok(_) if !filter.is_empty() => Ok(filter.to_owned()),
            _ => Err(Fault::new(
                format!("{filter:?} is not a log filter"),
                "write a level (error, warn, info, debug, trace), or levels by module such as \
                 \"info,bridge8890::egress=debug\"",
            )),
        })?;
    Some(Log { filter: filter.value, json: section.flag("json")?.value })
}

/// Reports accounts that take each other's path, or that the listener cannot serve.
fn together(root: &Section<'_>, http: &Http, accounts: &[&Account]) {
    let problems = [
        access::clashes(accounts),
        access::unreachable(http, accounts),
        access::uncertified(http, accounts),
    ];
    problems.into_iter().flatten().for_each(|(place, fault)| root.reject(&place, fault));
    let warnings = access::signed_without_url(http, accounts);
    warnings.into_iter().for_each(|(place, fault)| root.warn(&place, fault));
}

/// Reports listeners that would take each other's address.
fn apart(root: &Section<'_>, http: &[At<SocketAddr>], admin: &At<SocketAddr>) {
    let all: Vec<&At<SocketAddr>> = http.iter().chain([admin]).collect();
    for (place, later) in all.iter().enumerate() {
        let earlier = all.iter().take(place).find(|earlier| clash(earlier.value, later.value));
        if let Some(earlier) = earlier {
            let wrong = format!("{} is already taken by {}", later.value, earlier.key);
            root.conflict(later, earlier, Fault::new(wrong, "give each listener its own port"));
        }
    }
}

fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let everywhere = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || everywhere)
}
