//! `lane pause`, `resume`, `probe` and `history`: what operators order of a lane.

use crate::cli::archive::Archive;
use crate::cli::shown::time;
use crate::clock::Clock;
use crate::model::LaneName;
use crate::store::{LONGEST_PAUSE, Order, OrderLine, Trouble, USUAL_PAUSE};
use anyhow::{Context, bail};
use jiff::Timestamp;
use std::io::Write;
use std::time::Duration;

/// The most characters of a reason or a name.
const MOST_CHARACTERS: usize = 200;

/// Which lane, and who orders it.
#[derive(Debug, clap::Args)]
pub(super) struct Lane {
    #[command(flatten)]
    archive: Archive,
    /// The lane, as `lane status` names it.
    #[arg(value_name = "NAME", value_parser = lane_name)]
    name: LaneName,
    /// Who orders it, for the history; without it, the login name.
    #[arg(long, value_name = "WHO", value_parser = line)]
    by: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Pause {
    #[command(flatten)]
    lane: Lane,
    /// Why, for other operators. It is not sealed: no citizen's number or words.
    #[arg(long, value_name = "TEXT", value_parser = line)]
    reason: String,
    /// When it ends by itself, 7 days at most; without it, after 24 hours.
    #[arg(long = "for", value_name = "TIME", value_parser = pause_length)]
    lasts: Option<Duration>,
}

#[derive(Debug, clap::Args)]
pub(super) struct History {
    #[command(flatten)]
    archive: Archive,
    /// Of this lane alone.
    #[arg(value_name = "NAME", value_parser = lane_name)]
    name: Option<LaneName>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// One JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

/// Pauses a lane. Returns whether there is one of this name.
pub(super) async fn pause(args: &Pause, out: &mut impl Write) -> anyhow::Result<bool> {
    let now = Clock::system().now();
    let until = now.checked_add(args.lasts.unwrap_or(USUAL_PAUSE)).context("--for is too long")?;
    let order = Order::Pause { reason: args.reason.clone(), until };
    if !give(&args.lane, &order, now, out).await? {
        return Ok(false);
    }
    writeln!(out, "{} is paused until {}; its records wait", args.lane.name, time(until))?;
    Ok(true)
}

/// Ends a pause. Returns whether there was one.
pub(super) async fn resume(args: &Lane, out: &mut impl Write) -> anyhow::Result<bool> {
    let now = Clock::system().now();
    let orders = args.archive.open().await?.lane_orders(args.name.as_str()).await?;
    let was_paused = orders.pause_at(now).is_some();
    if !give(args, &Order::Resume, now, out).await? {
        return Ok(false);
    }
    let said = if was_paused { "is not paused any more" } else { "was not paused" };
    writeln!(out, "{} {said}", args.name)?;
    Ok(was_paused)
}

/// Has a lane's breaker try now. Returns whether it held the lane.
pub(super) async fn probe(args: &Lane, out: &mut impl Write) -> anyhow::Result<bool> {
    let now = Clock::system().now();
    let operator = args.archive.open().await?;
    let trouble = operator.trouble(args.name.as_str()).await?;
    let is_paused = operator.lane_orders(args.name.as_str()).await?.pause_at(now).is_some();
    if !give(args, &Order::Probe, now, out).await? {
        return Ok(false);
    }
    match &trouble {
        None => writeln!(out, "{} is not held by its breaker", args.name)?,
        Some(_) if is_paused => {
            writeln!(out, "{} is told to try once its pause is over", args.name)?;
        }
        Some(Trouble { cause, .. }) => {
            writeln!(out, "{} is told to try now; it holds because of: {cause}", args.name)?;
        }
    }
    Ok(trouble.is_some())
}

/// Lists orders, newest first. Returns whether there are any.
pub(super) async fn history(args: &History, out: &mut impl Write) -> anyhow::Result<bool> {
    let operator = args.archive.open().await?;
    let lines = operator.order_history(args.name.as_ref(), args.limit).await?;
    for line in &lines {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(line)?)?;
            continue;
        }
        let OrderLine { lane, at, by, order } = line;
        let said = match order {
            Order::Pause { reason, until } => format!("paused until {}: {reason}", time(*until)),
            Order::Resume => "resumed".to_owned(),
            Order::Probe => "told to probe".to_owned(),
        };
        writeln!(out, "{}  {lane}  {said}, by {by}", time(*at))?;
    }
    if lines.is_empty() && !args.json {
        writeln!(out, "nothing was ordered")?;
    }
    Ok(!lines.is_empty())
}

/// Writes an order down. Returns whether there is such a lane.
async fn give(
    args: &Lane,
    order: &Order,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let by = args.by.clone().or_else(login_name);
    let Some(by) = by else { bail!("nobody is logged in; say who you are with --by") };
    let known = args.archive.open().await?.order(&args.name, order, &by, now).await?;
    if !known {
        writeln!(out, "no lane is named {}; `lane status` names them", args.name)?;
    }
    Ok(known)
}

/// Who is at the keyboard: behind sudo, which the commands are usually run with, the one who called it.
fn login_name() -> Option<String> {
    ["SUDO_USER", "LOGNAME", "USER"]
        .into_iter()
        .find_map(|name| line(&std::env::var(name).ok()?).ok())
}

fn lane_name(text: &str) -> Result<LaneName, String> {
    LaneName::new(text).map_err(|_| "write 1 to 64 of a-z, 0-9 and inner `-`".to_owned())
}

/// Words that stay on one line, whoever prints them.
fn line(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("write something, on one line".to_owned());
    }
    if text.chars().count() > MOST_CHARACTERS {
        return Err(format!("write at most {MOST_CHARACTERS} characters"));
    }
    Ok(text.to_owned())
}

fn pause_length(text: &str) -> Result<Duration, String> {
    let lasts = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if lasts < Duration::from_secs(1) || lasts > LONGEST_PAUSE {
        return Err("write 1s to 7d, for example 2h".to_owned());
    }
    Ok(lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_has_an_end_within_reason() {
        assert_eq!(pause_length("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(pause_length("7d"), Ok(LONGEST_PAUSE));
        for wrong in ["", "0s", "8d", "soon", "-1h"] {
            assert!(pause_length(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(line(" 平台维护 ").as_deref(), Ok("平台维护"));
        for wrong in ["", " ", "a\nb", "\u{1b}[2J", &"x".repeat(MOST_CHARACTERS + 1)] {
            assert!(line(wrong).is_err(), "{wrong:?}");
        }
    }
}
