//! `invitations import`: a table of invitations, taken by the gateway that serves, or by the store.

use super::rejected::Rejected;
use super::send::Gateway;
use super::table::{Charset, Row, Table};
use crate::app::Import;
use crate::cli::archive;
use crate::clock::{Clock, Entropy};
use crate::config::{self, Areas, Config, Invitations};
use crate::intake::invitations::{self, Answer, Call, Premises, Refusal, Status};
use anyhow::{Context, anyhow, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, Method};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows in one request.
const BATCH: usize = 500;

/// Takes invitations from a CSV file whose header names the fields, as in docs/invitations-api.yaml.
///
/// They are sent to the gateway that serves, signed with the first of invitations.secrets. Where none
/// serves from this store, they are put into the store, and the citizens are asked once one does. An id
/// that came before is a duplicate and changes nothing, so an import may be repeated.
///
/// Rows that are rejected are written beside the file, to FILE.rejected.csv, each with its line and what
/// is wrong with it. That file can be corrected and imported.
///
/// Exit code 0: every row was taken, now or before. 1: some were rejected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 invitations import cases.csv --dry-run --config gateway.toml
  bridge8890 invitations import cases.csv --config gateway.toml
  bridge8890 invitations import 办件.csv --charset gbk --url https://gateway.example --config gateway.toml")]
pub(super) struct Args {
    /// The file.
    file: PathBuf,
    /// The configuration file of the gateway; it must have [invitations].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the file is written.
    #[arg(long, value_enum, default_value = "utf-8")]
    charset: Charset,
    /// The gateway to send to; without it the one that serves from this configuration's store.
    #[arg(long, value_name = "URL", conflicts_with = "dry_run")]
    url: Option<String>,
    /// The roots that vouch for the gateway, PEM; without it, the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Only check the rows by this configuration.
    #[arg(long)]
    dry_run: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    /// Who took them.
    by: &'static str,
    rows: usize,
    accepted: usize,
    duplicate: usize,
    rejected: usize,
    rejected_file: Option<PathBuf>,
}

/// Runs the command. Returns whether every row was taken.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<bool> {
    let config = config::load(args.config.as_deref())?;
    let shown = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| format!("{shown} cannot be read"))?;
    let text = args.charset.decode(&bytes).with_context(|| shown.to_string())?;
    let mut table = Table::open(&text).with_context(|| shown.to_string())?;
    let mut rejected = Rejected::new(table.header())?;
    let mut report =
        Report { by: "", rows: 0, accepted: 0, duplicate: 0, rejected: 0, rejected_file: None };
    let taker = Taker::find(args, &config).await?;
    report.by = taker.name();
    let bar = ProgressBar::new(text.len() as u64).with_style(ProgressStyle::default_bar());
    let taken = take_all(&taker, &mut table, &mut rejected, &mut report, &bar).await;
    bar.finish_and_clear();
    taker.close().await;
    report.rejected = rejected.count();
    report.rejected_file = rejected
        .write(&args.file, args.charset)
        .with_context(|| format!("{shown}.rejected.csv cannot be written"))?;
    let done = report.rows;
    taken.with_context(|| {
        format!("stopped after {done} rows; run it again, what was taken is not taken twice")
    })?;
    print(&report, args.json, out)?;
    Ok(report.rejected == 0)
}

async fn take_all(
    taker: &Taker,
    table: &mut Table<'_>,
    rejected: &mut Rejected,
    report: &mut Report,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    loop {
        let rows = table.next(BATCH)?;
        if rows.is_empty() {
            return Ok(());
        }
        take(taker, &rows, rejected, report).await?;
        report.rows += rows.len();
        bar.set_position(table.position());
    }
}

async fn take(
    taker: &Taker,
    rows: &[Row],
    rejected: &mut Rejected,
    report: &mut Report,
) -> anyhow::Result<()> {
    let items: Vec<Map<String, Value>> =
        rows.iter().filter_map(|row| row.item.clone().ok()).collect();
    let answer = taker.take(&items).await?;
    ensure!(answer.results.len() == items.len(), "not every row was answered");
    let mut statuses = answer.results.into_iter().map(|result| result.status);
    for row in rows {
        let problem = row.item.as_ref().err();
        let told = problem.map(|problem| Status::Rejected { problems: vec![problem.clone()] });
        match told.or_else(|| statuses.next()) {
            Some(Status::Accepted) => report.accepted += 1,
            Some(Status::Duplicate) => report.duplicate += 1,
            Some(Status::Rejected { problems }) => rejected.add(row, &problems)?,
            None => bail!("not every row was answered"),
        }
    }
    Ok(())
}

/// Who takes the rows.
enum Taker {
    /// A gateway that serves.
    Gateway(Box<Gateway>),
    /// The store.
    Store(Box<Import>),
    /// Nobody: they are only checked.
    Nobody(Box<Config>, Clock),
}

impl Taker {
    async fn find(args: &Args, config: &Config) -> anyhow::Result<Taker> {
        let (clock, entropy) = (Clock::system(), Entropy::system());
        if args.dry_run {
            return Ok(Taker::Nobody(Box::new(config.clone()), clock));
        }
        let settings = config.invitations.as_ref().context(
            "the configuration has no [invitations]; name there the key that invitations are signed with",
        )?;
        let sources = (clock, entropy);
        if let Some(url) = &args.url {
            return gateway(url, args.ca.as_deref(), settings, sources);
        }
        // Only a gateway that serves makes or migrates a store.
        archive::open(&config.store).await?;
        let (clock, entropy) = sources.clone();
        match Import::open(config, settings, clock, entropy).await? {
            Some(import) => Ok(Taker::Store(Box::new(import))),
            None => gateway(&address(config)?, args.ca.as_deref(), settings, sources),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Taker::Gateway(_) => "gateway",
            Taker::Store(_) => "store",
            Taker::Nobody(..) => "dry_run",
        }
    }

    async fn take(&self, items: &[Map<String, Value>]) -> anyhow::Result<Answer> {
        match self {
            Taker::Gateway(gateway) => gateway.take(invitations::write(items)).await,
            Taker::Store(import) => {
                let body = Bytes::from(invitations::write(items));
                let (method, target) = (&Method::POST, Invitations::PATH);
                let call = Call { method, target, headers: &HeaderMap::new(), body: &body };
                import.take(&call).await.map_err(|refusal| match refusal {
                    Refusal::Unreadable(why) => why.into(),
                    Refusal::Distrusted(why) => why.into(),
                    Refusal::Busy(_) => anyhow!("the store takes nothing; look at the disk"),
                })
            }
            Taker::Nobody(config, clock) => Ok(check(items, config, clock)),
        }
    }

    async fn close(self) {
        if let Taker::Store(import) = self {
            import.close().await;
        }
    }
}

fn gateway(
    url: &str,
    roots: Option<&Path>,
    settings: &Arc<Invitations>,
    sources: (Clock, Entropy),
) -> anyhow::Result<Taker> {
    Ok(Taker::Gateway(Box::new(Gateway::new(url, roots, settings, sources)?)))
}

/// Where the gateway of this configuration serves.
fn address(config: &Config) -> anyhow::Result<String> {
    if let Some(url) = &config.http.external_url {
        return Ok(url.clone());
    }
    let Some(&address) = config.http.listen.iter().find(|address| address.port() != 0) else {
        bail!("a gateway serves, and the configuration does not tell where; name it with --url");
    };
    let ip = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", SocketAddr::new(ip, address.port())))
}

/// What would become of items if their ids are new.
fn check(items: &[Map<String, Value>], config: &Config, clock: &Clock) -> Answer {
    let premises = Premises {
        campaigns: &config.campaigns,
        accounts: &config.accounts,
        areas: Areas::liaoning(),
        now: clock.now(),
    };
    let status = |item: &Map<String, Value>| match invitations::read(item, premises) {
        Ok(_) => Status::Accepted,
        Err(problems) => Status::Rejected { problems },
    };
    let result = |item| invitations::ItemAnswer { id: None, status: status(item) };
    Answer { results: items.iter().map(result).collect() }
}

fn print(report: &Report, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    let Report { by, rows, accepted, duplicate, rejected, rejected_file } = report;
    match *by {
        "dry_run" => writeln!(out, "{rows} rows: {accepted} are good, {rejected} are not")?,
        _ => writeln!(
            out,
            "{rows} rows: {accepted} accepted, {duplicate} were there before, {rejected} rejected"
        )?,
    }
    if *by == "store" && *accepted > 0 {
        writeln!(out, "no gateway serves; the citizens are asked once one does")?;
    }
    if let Some(file) = rejected_file {
        writeln!(out, "{} has what is wrong with each; correct it and import it", file.display())?;
    }
    Ok(())
}
