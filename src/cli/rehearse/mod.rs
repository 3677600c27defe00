//! `rehearse`: plays a conversation with a citizen in the terminal, without network and store.

mod calls;
mod lines;
mod player;
mod shown;
mod stage;
#[cfg(test)]
mod tests;
mod typed;

use super::shown::time;
use crate::clock::Clock;
use crate::config::{self, Campaign, Config};
use crate::model::{AccountName, Msisdn};
use anyhow::{Context, anyhow, ensure};
use jiff::Timestamp;
use lines::Lines;
use player::Player;
use stage::Scene;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use typed::{HELP, Typed};

/// Plays a conversation: type what the citizen would text, see what would be recorded, sent and forwarded,
/// and by which rule.
///
/// Everything is decided by the code that serves, with the campaigns and accounts of the configuration; nothing
/// is sent, stored or listened to, and secrets need not be there. Time stands still until `/wait` lets it
/// pass. `/help` shows what can be typed.
///
/// Exit code 0: played to its end. 2: a line of the script, or the configuration, is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bridge8890 rehearse --campaign hotline-sms --config gateway.toml
  bridge8890 rehearse --campaign hotline-sms --config gateway.toml --at 2026-11-24T21:55:00+08:00 evening.txt
  printf '%s\\n' /invite 不满意 排队5个小时 '/wait 3d' | bridge8890 rehearse --campaign hotline-sms --json")]
pub(super) struct Args {
    /// The campaign that the citizen answers.
    #[arg(long, value_name = "NAME")]
    campaign: String,
    /// The configuration file of the gateway; without it, the built-in defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// When it begins (RFC 3339); now if left out.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// The account that brings what the citizen says; one that leads to the campaign if left out.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// One JSON object for each thing that happens, with records whole.
    #[arg(long)]
    json: bool,
    /// The lines to play, from a file; without it, from the terminal or the standard input.
    script: Option<PathBuf>,
}

/// Who speaks, unless a line says otherwise.
const CITIZEN: &str = "13940000001";

/// Runs the command.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let config = config::load_without_secrets(args.config.as_deref())?;
    let campaign = campaign(&config, &args.campaign)?;
    let only = args.account.as_deref().map(|name| account(&config, name)).transpose()?;
    let lines = Lines::of(campaign, &config, only);
    ensure!(
        lines.texts.is_some() || lines.calls.is_some(),
        "no account brings anything to this campaign; give an account its name as `default_campaign`, \
         or the campaign `service_numbers`"
    );
    let citizen = Msisdn::read(CITIZEN, "86").ok();
    let begins = args.at.unwrap_or_else(|| Clock::system().now());
    let player = Player::new(&config, campaign, lines, citizen, begins);
    let typing = args.script.is_none() && io::stdin().is_terminal();
    let mut session = Session { player, json: args.json, whole: false, typing };
    match &args.script {
        Some(path) => {
            let shown = path.display().to_string();
            let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
            session.play(BufReader::new(file), out).context(shown)?;
        }
        None => session.play(io::stdin().lock(), out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn campaign<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Campaign> {
    let found = config.campaigns.iter().find(|campaign| campaign.name == name);
    found.map(|campaign| &**campaign).ok_or_else(|| {
        let names: Vec<&str> = config.campaigns.iter().map(|it| it.name.as_str()).collect();
        match names.is_empty() {
            true => anyhow!("the configuration has no campaigns; name one that has, with --config"),
            false => anyhow!("there is no campaign {name:?}; there are {}", names.join(", ")),
        }
    })
}

fn account<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a AccountName> {
    let found = config.accounts.keys().find(|known| known.as_str() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = config.accounts.keys().map(AccountName::as_str).collect();
        anyhow!("there is no account {name:?}; there are {}", names.join(", "))
    })
}

/// Lines come in, and what happens goes out.
struct Session<'a> {
    player: Player<'a>,
    json: bool,
    /// Records are shown whole.
    whole: bool,
    /// Somebody types, who may mistype.
    typing: bool,
}

impl Session<'_> {
    fn play(&mut self, mut input: impl BufRead, out: &mut impl Write) -> anyhow::Result<()> {
        if !self.json {
            writeln!(out, "{}", self.player.lines)?;
        }
        if self.typing && !self.json {
            writeln!(out, "/help shows what can be typed, /quit ends")?;
        }
        let mut line = String::new();
        for number in 1.. {
            if self.typing && !self.json {
                write!(out, "{} > ", self.prompt())?;
            }
            out.flush()?;
            line.clear();
            if input.read_line(&mut line)? == 0 {
                break;
            }
            let said = line.trim_end_matches(['\r', '\n']);
            let begins = self.player.stage.now();
            let typed = Typed::read(said);
            if typed != Ok(Typed::Nothing) && !self.typing && !self.json {
                writeln!(out, "{} > {said}", self.prompt())?;
            }
            let played = match typed {
                Ok(Typed::Quit) => break,
                Ok(Typed::Cue(cue)) => self.player.play(cue),
                Ok(typed) => {
                    self.adjust(&typed, out)?;
                    continue;
                }
                Err(unplayable) => Err(unplayable.into()),
            };
            match played {
                Ok(scenes) => self.show(&scenes, begins, (number, said), out)?,
                Err(fault) if self.typing => writeln!(io::stderr(), "{fault}")?,
                Err(fault) => return Err(fault).with_context(|| format!("line {number}")),
            }
        }
        Ok(())
    }

    /// Does what has nothing happen.
    fn adjust(&mut self, typed: &Typed, out: &mut impl Write) -> io::Result<()> {
        match typed {
            Typed::Help if !self.json => writeln!(out, "{HELP}"),
            Typed::Json => {
                self.whole = !self.whole;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn show(
        &self,
        scenes: &[Scene],
        begins: Timestamp,
        line: (usize, &str),
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let mut at = begins;
        for scene in scenes.iter().filter(|scene| !scene.is_quiet()) {
            if self.json {
                shown::json(scene, line, out)?;
                continue;
            }
            if scene.at != at {
                at = scene.at;
                writeln!(out, "{}", time(at))?;
            }
            shown::text(scene, &self.player.stage, self.whole, out)?;
        }
        Ok(())
    }

    fn prompt(&self) -> String {
        format!("{} {}", time(self.player.stage.now()), self.player.speaker())
    }
}
