//! `simulate`: every account's carrier, as its dialect has it, calls a gateway that runs with the
//! same configuration; what it hears is held against what it should hear.

mod line;
mod link;
mod part;
mod report;
mod scenario;

use crate::{output, secrets};
use anyhow::{Context, ensure};
use bridge8890::clock::Entropy;
use bridge8890::config::dialect::Transport;
use bridge8890::config::{self, Account, Config};
use bridge8890::standin::carriers::speaker::KeyPair;
use clap::Args;
use line::Turns;
use part::Part;
use report::{Report, Row};
use scenario::Scenario;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Whose carriers call, where, and what they do.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  loadtest simulate --config loadtest/accounts.toml                  everything, for every account
  loadtest simulate --config gateway.toml --account yunpian --account twilio
  loadtest simulate --config gateway.toml --scenario push --rate 500 --for 1m
  loadtest simulate --config gateway.toml --scenario retry --speed 1  in the carriers' own time

The gateway must run with the same configuration. Secrets come from where the configuration has
them. Accounts that trust public keys (Telnyx) are called if they trust the pair that is made from
$CARRIER_SECRET, or from `test-secret` without it; the table shows the public key to trust.

Exit status: 0 every answer was as it should be, 1 there were surprises or the command failed.")]
pub(crate) struct Simulate {
    /// The gateway's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// An account to play; may be given several times. All unless given.
    #[arg(long = "account", value_name = "NAME")]
    accounts: Vec<String>,
    /// The gateway's address for plain HTTP, on this machine.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8890", value_parser = loopback)]
    target: SocketAddr,
    /// Callbacks a second, over all accounts; bursts come on top.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// How long pushes go on, each kind in each form at least once.
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = span)]
    duration: Duration,
    /// What the carriers do.
    #[arg(long, value_enum, default_value_t = Scenario::All)]
    scenario: Scenario,
    /// How much faster than documented carriers try again.
    #[arg(long, value_name = "TIMES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    speed: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How long everything but pushes may take: some carriers go on for hours, which `--speed` shortens.
const PATIENCE: Duration = Duration::from_mins(10);

impl Simulate {
    /// Plays the carriers and prints what they heard; whether it was all as it should be.
    pub(crate) async fn run(self) -> anyhow::Result<bool> {
        let config = config::load(Some(&self.config))?;
        let accounts = self.chosen(&config)?;
        let scenarios = self.scenario.each();
        let bar = output::bar((accounts.len() * scenarios.len()) as u64)?;
        bar.enable_steady_tick(Duration::from_millis(200));
        let stage = Stage {
            target: self.target,
            external_url: config.http.external_url.clone(),
            keys: KeyPair::of(&secrets::carrier()),
            turns: Turns::new(self.rate),
            pushes: self.duration,
            speed: self.speed,
            run: format!("{:08x}", u32::from_le_bytes(Entropy::system().bytes())),
        };
        let stage = Arc::new(stage);
        let mut parts = JoinSet::new();
        for account in accounts {
            let (stage, bar, scenarios) = (Arc::clone(&stage), bar.clone(), scenarios.clone());
            parts.spawn(async move { play(&account, &stage, &scenarios, &bar).await });
        }
        let all = async {
            let mut rows = Vec::new();
            while let Some(row) = parts.join_next().await {
                rows.push(row?);
            }
            anyhow::Ok(rows)
        };
        let rows = tokio::time::timeout(self.duration + PATIENCE, all).await;
        bar.finish_and_clear();
        let rows = rows.with_context(|| format!("not at an end {PATIENCE:?} after the pushes"))?;
        let report = Report::new(rows?);
        let printed =
            if self.json { output::json(&report) } else { output::line(&report.to_string()) };
        printed?;
        Ok(report.surprises() == 0)
    }

    fn chosen(&self, config: &Config) -> anyhow::Result<Vec<Arc<Account>>> {
        let known: BTreeSet<&str> = config.accounts.keys().map(|name| name.as_str()).collect();
        for name in &self.accounts {
            ensure!(
                known.contains(name.as_str()),
                "{} has no account {name:?}",
                self.config.display()
            );
        }
        let wanted = |account: &&Arc<Account>| {
            let mut names = self.accounts.iter();
            self.accounts.is_empty() || names.any(|name| name == account.name.as_str())
        };
        let chosen: Vec<_> = config.accounts.values().filter(wanted).cloned().collect();
        ensure!(!chosen.is_empty(), "{} has no accounts", self.config.display());
        Ok(chosen)
    }
}

/// What all parts share.
#[derive(Debug)]
struct Stage {
    target: SocketAddr,
    external_url: Option<String>,
    keys: KeyPair,
    turns: Turns,
    pushes: Duration,
    speed: u32,
    /// In front of every id, so that no two runs share one.
    run: String,
}

impl Stage {
    /// The gateway as carriers know it, where it says nothing else.
    fn url(&self) -> String {
        self.external_url.clone().unwrap_or_else(|| format!("http://{}", self.target))
    }
}

async fn play(
    account: &Account,
    stage: &Stage,
    scenarios: &[Scenario],
    bar: &indicatif::ProgressBar,
) -> Row {
    let mut row = Row::of(account);
    if let Some(why) = out_of_reach(account) {
        row.skipped = Some(why.to_owned());
        bar.inc(scenarios.len() as u64);
        return row;
    }
    let mut part = Part::new(account, stage, row);
    for scenario in scenarios {
        bar.set_message(format!("{} {}", account.name, scenario.name()));
        match account.dialect.transport {
            Transport::Http => part.play(*scenario).await,
            Transport::WebSocket => part.play_link(*scenario).await,
        }
        bar.inc(1);
    }
    part.row()
}

/// Why an account cannot be called from here.
fn out_of_reach(account: &Account) -> Option<&'static str> {
    let access = &account.access;
    if access.connect.is_some() {
        return Some("the gateway calls this carrier");
    }
    if !access.allow_http {
        return Some("no `allow_http`: not called over plain HTTP");
    }
    if !access.client_certificates.is_empty() {
        return Some("wants a client certificate");
    }
    let here = [IpAddr::from([127, 0, 0, 1]), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
    let admitted = here.iter().any(|address| access.admits(*address));
    (!admitted).then_some("not called from this machine by its `sources`")
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "expected an address like 127.0.0.1:8890".to_owned())?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("only a gateway on this machine is played with; use 127.0.0.1".to_owned()),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match span <= Duration::from_hours(1) {
        true => Ok(span),
        false => Err("at most 1h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge8890::config::Environment;
    use bridge8890::standin::carriers::accounts;
    use std::path::Path;

    #[test]
    fn the_accounts_to_try_it_on_are_those_of_all_carriers_and_all_can_be_played() {
        let variables = accounts::variables(secrets::CARRIER);
        let mut variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        variables.push((secrets::PLATFORM_VARIABLE, secrets::PLATFORM));
        let environment = Environment::given(Path::new(""), &variables);
        let text = include_str!("../../accounts.toml");
        let config = config::parse(text, "accounts.toml", &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(config.ready_to_serve().is_ok());
        let names: Vec<&str> = config.accounts.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, config::built_in().map(|(key, _)| key).collect::<Vec<_>>());
        assert!(text.ends_with(&accounts::configuration(&names)), "as the stand-ins have it");
        assert!(config.accounts.values().all(|account| out_of_reach(account).is_none()));
    }

    #[test]
    fn nobody_elses_gateway_is_called() {
        assert!(loopback("127.0.0.1:8890").is_ok());
        assert!(loopback("[::1]:8890").is_ok());
        for other in ["192.0.2.1:8890", "[2001:db8::1]:8890", "0.0.0.0:8890", "gateway:8890"] {
            assert!(loopback(other).is_err(), "{other}");
        }
    }
}
