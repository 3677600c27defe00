//! `doctor`: whether this machine can run the gateway, and what to do where it cannot.

mod distribution;
mod network;
mod server;
mod spool;
mod storage;
mod tls;

use crate::clock::Clock;
use crate::config::Config;
use crate::store::{KeyRing, OpenError, Operator, Place, data_key};
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Says whether this machine can run the gateway. It changes nothing.
///
/// Exit code 0: it can, maybe with warnings. 1: it cannot.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One thing looked at.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    status: Status,
    /// What was looked at.
    what: &'static str,
    /// How it stands.
    says: String,
    /// What to do about it; empty when all is well.
    cure: String,
}

impl Finding {
    fn ok(what: &'static str, says: impl Into<String>) -> Finding {
        Finding { status: Status::Ok, what, says: says.into(), cure: String::new() }
    }

    fn warn(what: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Finding {
        Finding { status: Status::Warn, what, says: says.into(), cure: cure.into() }
    }

    fn fail(what: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Finding {
        Finding { status: Status::Fail, what, says: says.into(), cure: cure.into() }
    }
}

/// Runs the command.
///
/// # Errors
/// When `out` cannot be written to.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let findings = examine(args).await;
    let can = findings.iter().all(|finding| finding.status != Status::Fail);
    if args.json {
        let report = serde_json::json!({ "ok": can, "findings": findings });
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        print(&findings, out)?;
    }
    Ok(if can { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examine(args: &Args) -> Vec<Finding> {
    let clock = Clock::system();
    let earlier = clock.now();
    let (mut findings, config) = configuration(args);
    if let Some(config) = config {
        match Place::of(&config.store) {
            Place::Directory(_) => {
                findings.extend(storage::examine(&config.store));
                findings.extend(database_check(&config).await);
            }
            Place::Server(server) => {
                findings.extend(server::examine(&server, &clock).await);
                if let Some(spool) = &config.store.spool {
                    findings.extend(spool::examine(spool, config.store.disk_floor).await);
                }
            }
        }
        findings.extend(distribution::examine(&config.store).await);
        findings.extend(network::listeners(&config));
        findings.extend(tls::examine(&config, clock.now()));
        for destination in config.destinations() {
            findings.push(network::destination(destination).await);
        }
    }
    findings.push(time(earlier, clock.now()));
    findings
}

/// The database of a directory, and its schema.
async fn database_check(config: &Config) -> Option<Finding> {
    const WHAT: &str = "database";
    let settings = &config.store;
    let place = Place::of(settings);
    let key = match data_key::load(&place, settings.key.as_ref()) {
        Ok(key) => key,
        // The data key has a finding of its own.
        Err(_) => return None,
    };
    let opened = match KeyRing::new(&key, &settings.old_keys) {
        Ok(ring) => Operator::open(&place, ring).await,
        Err(error) => Err(error.into()),
    };
    Some(match opened {
        Ok(operator) => match operator.lanes().await {
            Ok(_) => Finding::ok(WHAT, "it opens with the data key, and its schema is known"),
            Err(error) => Finding::fail(WHAT, error.to_string(), "restore it from a backup"),
        },
        Err(OpenError::OlderSchema) => {
            Finding::ok(WHAT, "an older version left it; the next start migrates it")
        }
        Err(OpenError::Missing(_)) => Finding::ok(WHAT, "none yet; the first start makes one"),
        Err(error) => Finding::fail(WHAT, error.to_string(), "mend that before serving"),
    })
}

fn configuration(args: &Args) -> (Vec<Finding>, Option<Config>) {
    const WHAT: &str = "configuration";
    let config = match crate::config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(problems) => {
            let fail = |problem: &crate::config::Problem| {
                let says = format!("{}: {}: {}", problem.origin, problem.key, problem.wrong);
                Finding::fail(WHAT, says, problem.right.clone())
            };
            return (problems.iter().map(fail).collect(), None);
        }
    };
    let shown = match &args.config {
        Some(file) => file.display().to_string(),
        None => "the built-in defaults".to_owned(),
    };
    let mut findings = vec![Finding::ok(WHAT, format!("nothing is wrong with {shown}"))];
    findings.extend(config.warnings.iter().map(|warning| {
        let says = format!("{}: {}: {}", warning.origin, warning.key, warning.wrong);
        Finding::warn(WHAT, says, warning.right.clone())
    }));
    findings.extend(config.gaps.iter().map(|gap| {
        let says = format!("{}: {}: {}", gap.origin, gap.key, gap.wrong);
        Finding::fail(WHAT, says, gap.right.clone())
    }));
    (findings, Some(config))
}

/// Whether the clock can be right: a wrong one makes wrong deadlines and refused signatures.
fn time(earlier: Timestamp, now: Timestamp) -> Finding {
    const WHAT: &str = "clock";
    /// The program is not older than 2026-01-01.
    const BUILT: i64 = 1_767_225_600;
    const CURE: &str = "set the clock and keep it set by NTP";
    if now.as_second() < BUILT || now.as_second() > BUILT + 50 * 31_557_600 {
        return Finding::fail(WHAT, format!("it says {now}"), CURE);
    }
    if now < earlier {
        return Finding::fail(WHAT, format!("it went back from {earlier} to {now}"), CURE);
    }
    Finding::ok(WHAT, format!("{now:.0}"))
}

fn print(findings: &[Finding], out: &mut impl Write) -> std::io::Result<()> {
    for Finding { status, what, says, cure } in findings {
        let status = match status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        writeln!(out, "{status}  {what:<13}  {says}")?;
        if !cure.is_empty() {
            writeln!(out, "      {:<13}  → {cure}", "")?;
        }
    }
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    let (fails, warns) = (count(Status::Fail), count(Status::Warn));
    let verdict = if fails == 0 { "this machine can run it" } else { "not yet" };
    writeln!(out, "{verdict}: {fails} failed, {warns} warned, of {}", findings.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_clock_before_the_program_or_going_back_is_wrong() {
        let now = at("2026-03-05T02:20:30Z");
        assert_eq!(time(now, now), Finding::ok("clock", "2026-03-05T02:20:30Z"));
        for (earlier, now) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"),
            ("2026-03-05T02:20:30Z", "2026-03-05T02:20:29Z"),
            ("2100-01-01T00:00:00Z", "2100-01-01T00:00:01Z"),
        ] {
            assert_eq!(time(at(earlier), at(now)).status, Status::Fail, "{now}");
        }
    }

    #[tokio::test]
    async fn every_failure_says_what_to_do_and_the_exit_code_tells() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("gateway.toml");
        // Port 9 of a loopback address that nobody serves: refused at once, no network needed.
        let text = "[http]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
                    [destination]\nurl = \"https://127.0.0.9:9/\"\n[store]\ndisk_floor = \"16 MiB\"";
        std::fs::write(&file, text).expect("written");
        let args = Args { config: Some(file), json: true };
        let mut out = Vec::new();
        let code = run(&args, &mut out).await.expect("a vector takes everything");
        assert_eq!(code, ExitCode::FAILURE);
        let report: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        let findings = report["findings"].as_array().expect("an array");
        let failed: Vec<&str> = findings
            .iter()
            .filter(|finding| finding["status"] == "fail")
            .inspect(|finding| assert_ne!(finding["cure"], "", "{finding}"))
            .filter_map(|finding| finding["what"].as_str())
            .collect();
        assert_eq!(failed, ["configuration", "destination"], "{findings:#?}");
        assert!(!directory.path().join("data").exists(), "it changes nothing");
    }
}
