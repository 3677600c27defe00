//! `check`: what is wrong with a configuration, or what it would run.

use crate::clock::Clock;
use crate::config::{self, Account, Campaign, Config, Destination, Invitations, Problems};
use crate::config::{show_duration, show_size};
use crate::model::{AreaCode, Brand, Direction, Level, TargetType};
use crate::store::Place;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Says what is wrong with a configuration, line by line, or what it would run.
///
/// Exit code 0: nothing is wrong. 1: something is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What `check` has to say.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    /// What is wrong.
    problems: Problems,
    /// What works and should not stay as it is.
    warnings: Problems,
    /// What `serve` would still ask for.
    gaps: Problems,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
}

#[derive(Debug, Serialize)]
struct Summary {
    listen: Vec<String>,
    tls: bool,
    admin: String,
    /// The directory, or the URL without its password.
    store: String,
    /// The name of this node among those that share the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    disk_floor: String,
    /// Where callbacks wait while the database is away, if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    spool: Option<String>,
    accounts: Vec<AccountSummary>,
    campaigns: Vec<CampaignSummary>,
    /// The path at which the platform asks us to invite, if it may.
    invitations: Option<&'static str>,
    destination: DestinationSummary,
    others: Vec<DestinationSummary>,
}

#[derive(Debug, Serialize)]
struct AccountSummary {
    name: String,
    carrier: String,
    title: String,
    secrets: usize,
    offset: String,
    country: String,
    default_campaign: Option<String>,
    /// Where it is called, or the server that we call; `None`: it only sends.
    at: Option<String>,
}

#[derive(Debug, Serialize)]
struct CampaignSummary {
    name: String,
    service_numbers: Vec<String>,
    extensions: BTreeMap<String, AreaCode>,
    brand: Brand,
    scheme: Direction,
    /// The levels of the digits 1, 2, 3 …
    levels: Vec<Level>,
    zero_declines: bool,
    target: TargetType,
    sms_channel_code: Option<u8>,
    ivr_channel_code: Option<u8>,
}

#[derive(Debug, Serialize)]
struct DestinationSummary {
    name: String,
    /// Whether all records go there.
    everything: bool,
    url: String,
    profile: &'static str,
    /// The statuses that make a dead letter.
    final_statuses: Vec<u16>,
    /// How it knows us.
    identity: &'static str,
    key_id: String,
    /// As many as its profile has in one request.
    max_batch: usize,
    concurrency: usize,
    concurrency_min: usize,
    /// Requests a second, if they are limited.
    rate: Option<u32>,
    request_timeout: String,
    gives_up_after: String,
}

/// Runs the command.
///
/// # Errors
/// When `out` cannot be written to.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let report = report(args);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(args: &Args) -> Report {
    match config::load(args.config.as_deref()) {
        Ok(config) => Report {
            ok: true,
            problems: Problems::default(),
            warnings: config.warnings_at(Clock::system().now()),
            gaps: config.gaps.clone(),
            summary: Some(summary(&config)),
        },
        Err(problems) => Report {
            ok: false,
            problems,
            warnings: Problems::default(),
            gaps: Problems::default(),
            summary: None,
        },
    }
}

fn summary(config: &Config) -> Summary {
    Summary {
        listen: config.http.listen.iter().map(ToString::to_string).collect(),
        tls: config.http.tls.is_some(),
        admin: config.admin.listen.to_string(),
        store: Place::of(&config.store).to_string(),
        node: config.store.server.as_ref().map(|server| server.node.clone()),
        disk_floor: show_size(config.store.disk_floor),
        spool: config.store.spool.as_ref().map(|spool| {
            format!("{}, up to {}", spool.directory.display(), show_size(spool.max_bytes))
        }),
        accounts: config.accounts.values().map(|account| account_summary(account)).collect(),
        campaigns: config.campaigns.iter().map(|campaign| campaign_summary(campaign)).collect(),
        invitations: config.invitations.as_ref().map(|_| Invitations::PATH),
        destination: destination_summary(&config.destination),
        others: config.others.iter().map(destination_summary).collect(),
    }
}

fn account_summary(account: &Account) -> AccountSummary {
    AccountSummary {
        name: account.name.to_string(),
        carrier: account.dialect.carrier.clone(),
        title: account.dialect.title.clone(),
        secrets: account.secrets.len(),
        offset: account.offset.to_string(),
        country: account.country.clone(),
        default_campaign: account.default_campaign.clone(),
        at: address(account),
    }
}

/// The path of an account that is called; else the server, without what may be secret of its URL.
fn address(account: &Account) -> Option<String> {
    let Some(connect) = &account.access.connect else {
        let is_called = !account.dialect.routes.is_empty();
        return is_called.then(|| account.access.path.clone());
    };
    let server = connect.url.authority().map_or("", |server| server.as_str());
    Some(format!("{}://{server}", connect.url.scheme_str().unwrap_or_default()))
}

fn campaign_summary(campaign: &Campaign) -> CampaignSummary {
    CampaignSummary {
        name: campaign.name.clone(),
        service_numbers: campaign.service_numbers.clone(),
        extensions: campaign.extensions.clone(),
        brand: campaign.brand,
        scheme: campaign.scheme.direction(),
        levels: campaign.scheme.levels().collect(),
        zero_declines: campaign.scheme.zero_declines(),
        target: campaign.target,
        sms_channel_code: campaign.sms_channel_code,
        ivr_channel_code: campaign.ivr_channel_code,
    }
}

fn destination_summary(destination: &Destination) -> DestinationSummary {
    let backoff = &destination.backoff;
    DestinationSummary {
        name: destination.name.to_string(),
        everything: destination.only.is_everything(),
        url: destination.url.to_string(),
        profile: destination.profile.name(),
        final_statuses: destination.final_statuses.iter().map(http::StatusCode::as_u16).collect(),
        identity: destination.identity.name(),
        key_id: destination.key_id.clone(),
        max_batch: destination.queueing.max_batch.min(destination.profile.most_in_a_batch().get()),
        concurrency: destination.concurrency,
        concurrency_min: destination.concurrency_min,
        rate: destination.rate,
        request_timeout: show_duration(destination.request_timeout),
        gives_up_after: format!(
            "{} or {} attempts",
            show_duration(backoff.max_age),
            backoff.max_attempts
        ),
    }
}

fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    for problem in &report.problems {
        writeln!(out, "error: {problem}")?;
    }
    for warning in &report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    for gap in &report.gaps {
        writeln!(out, "before serve: {gap}")?;
    }
    match &report.summary {
        Some(summary) => print_summary(summary, out),
        None => {
            let count = report.problems.len();
            let plural = if count == 1 { "" } else { "s" };
            writeln!(out, "{count} problem{plural}")
        }
    }
}

fn print_summary(summary: &Summary, out: &mut impl Write) -> std::io::Result<()> {
    let scheme = if summary.tls { "https" } else { "http" };
    for address in &summary.listen {
        writeln!(out, "carriers     {scheme}://{address}/callback/ACCOUNT")?;
        if let Some(path) = summary.invitations {
            writeln!(out, "platform     {scheme}://{address}{path}")?;
        }
    }
    writeln!(out, "operators    http://{}", summary.admin)?;
    let Summary { store, node, disk_floor, .. } = summary;
    match node {
        Some(node) => writeln!(out, "store        {store}, as node {node}")?,
        None => writeln!(out, "store        {store}, at least {disk_floor} free")?,
    }
    if let Some(spool) = &summary.spool {
        writeln!(out, "spool        {spool}, at least {disk_floor} free")?;
    }
    if summary.accounts.is_empty() {
        writeln!(out, "accounts     none: every callback is answered 404")?;
    }
    for account in &summary.accounts {
        print_account(account, out)?;
    }
    for campaign in &summary.campaigns {
        print_campaign(campaign, out)?;
    }
    for destination in std::iter::once(&summary.destination).chain(&summary.others) {
        print_destination(destination, out)?;
    }
    writeln!(out, "nothing is wrong")
}

fn print_destination(
    destination: &DestinationSummary,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let what = if destination.everything { "" } else { ", a selection" };
    let DestinationSummary { name, url, profile, identity, .. } = destination;
    writeln!(out, "destination  {name} at {url}, {profile}{what}; knows us by {identity}")?;
    let rate = destination.rate.map(|rate| format!(", {rate} a second at most"));
    let plural = if destination.max_batch == 1 { "" } else { "s" };
    writeln!(
        out,
        "             {} to {} requests of {} record{plural} at once, {} each{}; gives up after {}",
        destination.concurrency_min,
        destination.concurrency,
        destination.max_batch,
        destination.request_timeout,
        rate.unwrap_or_default(),
        destination.gives_up_after
    )
}

fn print_account(account: &AccountSummary, out: &mut impl Write) -> std::io::Result<()> {
    let AccountSummary { name, carrier, secrets, offset, country, at, .. } = account;
    let plural = if *secrets == 1 { "" } else { "s" };
    let campaign = match &account.default_campaign {
        Some(campaign) => format!(", else campaign {campaign}"),
        None => String::new(),
    };
    let at = at.as_ref().map_or_else(|| "only sends".to_owned(), |at| format!("at {at}"));
    writeln!(
        out,
        "account      {name}: {carrier}, {secrets} secret{plural}, {offset}, +{country}{campaign}; {at}"
    )
}

fn print_campaign(campaign: &CampaignSummary, out: &mut impl Write) -> std::io::Result<()> {
    let digits = 1..=campaign.levels.len();
    let best = match campaign.scheme {
        Direction::Asc => (digits.start(), campaign.levels.first()),
        Direction::Desc => (digits.end(), campaign.levels.last()),
    };
    let (digit, title) = (best.0, best.1.map(|level| level.title()).unwrap_or_default());
    let zero = if campaign.zero_declines { ", 0 declines" } else { "" };
    let target = match campaign.target {
        TargetType::Call => "a call",
        TargetType::Case => "a case",
    };
    let code = |code: Option<u8>| code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    writeln!(
        out,
        "campaign     {}: {} of {}; {} levels, {digit} is {title}{zero}; rates {target}; channel codes sms {}, ivr {}",
        campaign.name,
        campaign.service_numbers.join(", "),
        campaign.brand.name(),
        campaign.levels.len(),
        code(campaign.sms_channel_code),
        code(campaign.ivr_channel_code),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, json: bool) -> (ExitCode, String) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("gateway.toml");
        std::fs::write(&file, text).expect("written");
        let mut out = Vec::new();
        let args = Args { config: Some(file), json };
        let code = run(&args, &mut out).expect("a vector takes everything");
        (code, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_right_file_is_summed_up() {
        let (code, out) = check(
            "[accounts.ali]\ncarrier = \"aliyun-sms\"\ndefault_campaign = \"c\"\nallow_http = true\n[campaigns.c]\n\
             service_numbers = [\"8890*\"]\nscheme = \"desc\"\ntarget = \"call\"\n\
             [destination]\nrate = 50\nconcurrency_min = 2",
            false,
        );
        assert_eq!(code, ExitCode::SUCCESS, "{out}");
        for part in [
            "before serve: ",
            "http://127.0.0.1:8890/callback/ACCOUNT",
            "ali: aliyun-sms, 0 secrets, +08, +86, else campaign c",
            "c: 8890* of 8890; 5 levels, 5 is 非常满意; rates a call; channel codes sms none, ivr none",
            "; knows us by hmac-sha256",
            "2 to 16 requests of 100 records at once, 10s each, 50 a second at most; gives up after 14days",
            "nothing is wrong",
        ] {
            assert!(out.contains(part), "{part:?} is not in\n{out}");
        }
    }

    #[test]
    fn a_destination_that_takes_one_record_a_request_is_said_to() {
        let (code, out) = check(
            "[destinations.city]\nurl = \"https://city.example/\"\nprofile = \"template\"\nmax_batch = 50\n\
             identity.scheme = \"none\"\nonly.kinds = [\"rating\"]\n[destinations.city.template]\npath = \"/r\"\n\
             rating.json = '{\"id\":\"${key}\"}'\n\
             answer = { format = \"json\", code = \"code\", success = [\"0\"] }",
            false,
        );
        assert_eq!(code, ExitCode::SUCCESS, "{out}");
        for part in [
            "city at https://city.example/, template, a selection; knows us by none",
            "1 to 16 requests of 1 record at once",
            "1 to 16 requests of 100 records at once",
        ] {
            assert!(out.contains(part), "{part:?} is not in\n{out}");
        }
    }

    #[test]
    fn an_unknown_carrier_is_a_problem_at_its_account() {
        let (code, out) = check("\n[accounts.a]\ncarrier = \"yunpain\"", false);
        assert_eq!(code, ExitCode::FAILURE);
        assert!(
            out.contains("gateway.toml:3: accounts.a.carrier: unknown carrier `yunpain`"),
            "{out}"
        );
        assert!(out.contains("yunpian"), "{out}");
        assert!(out.ends_with("1 problem\n"), "{out}");
    }

    #[test]
    fn json_holds_problems_with_their_places() {
        let (code, out) = check("[http]\nlisen = []", true);
        assert_eq!(code, ExitCode::FAILURE);
        let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(report["ok"], false);
        assert_eq!(report["problems"][0]["line"], 2);
        assert_eq!(report["problems"][0]["key"], "http.lisen");
    }
}
