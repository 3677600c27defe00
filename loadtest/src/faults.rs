//! `faults`: the platform misbehaves by every built-in program, under load and with kill -9 in between;
//! at the end each acknowledged message is compared with what the platform took.

use crate::crash::{Acknowledged, Comparison, Persistent};
use crate::gateway::{self, Gateway, LEASE, Setup};
use crate::output;
use crate::platform::Platform;
use anyhow::{Context, ensure};
use bridge8890::clock::Clock;
use bridge8890::standin::program::Program;
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Which programs, how long, and by which dice.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  loadtest faults                           all programs; exit status 1 if anything was lost or doubled
  loadtest faults --programs hang,garbage   two of them
  loadtest faults --each 10s --kills 5      longer, and killed more often")]
pub(crate) struct Faults {
    /// How long each phase of a program lasts.
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    each: Duration,
    /// Kills during each program.
    #[arg(long, default_value_t = 2)]
    kills: u32,
    /// Which programs; all unless given.
    #[arg(long, value_delimiter = ',')]
    programs: Vec<String>,
    /// Keep-alive connections of carriers.
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Seed of the moments and of the messages; random unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// The gateway's program; beside this one unless given.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How long what is left of a program may take to be delivered.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a program came to.
#[derive(Debug, Serialize)]
struct Line {
    program: &'static str,
    #[serde(flatten)]
    comparison: Comparison,
    /// Seconds from its end until everything was taken; `None` when that never came.
    drained_after: Option<f64>,
}

/// A program that was played.
struct Played {
    program: &'static str,
    acknowledged: Acknowledged,
    drained_after: Option<f64>,
}

impl Faults {
    /// Runs the programs and prints what they came to; whether nothing was lost or doubled.
    pub(crate) async fn run(self) -> anyhow::Result<bool> {
        let programs = self.chosen()?;
        let seed = self.seed.unwrap_or_else(output::fresh_seed);
        let directory = tempfile::Builder::new().prefix("loadtest-faults-").tempdir_in(".")?;
        let setup = Setup::new(&gateway::binary(self.gateway.clone())?, directory.path())?;
        let told = self.play_all(seed, &setup, &programs).await;
        let told = told.with_context(|| {
            format!("seed {seed}; the store is kept in {}", directory.path().display())
        });
        let lines = match told {
            Ok(lines) => lines,
            Err(error) => {
                let _kept = directory.keep();
                return Err(error);
            }
        };
        let printed =
            if self.json { output::json(&lines) } else { output::line(&shown(seed, &lines)) };
        printed?;
        let clean = lines.iter().all(|line| line.comparison.is_clean());
        if !clean {
            output::line(&format!("the store is kept in {}", directory.keep().display()))?;
        }
        Ok(clean)
    }

    fn chosen(&self) -> anyhow::Result<Vec<(&'static str, Program)>> {
        let all = Program::built_in(self.each);
        let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        for name in &self.programs {
            ensure!(known.contains(&name.as_str()), "no program {name:?}: {}", known.join(", "));
        }
        let wanted =
            |name: &str| self.programs.is_empty() || self.programs.iter().any(|it| it == name);
        Ok(all.into_iter().filter(|(name, _)| wanted(name)).collect())
    }

    async fn play_all(
        &self,
        seed: u64,
        setup: &Setup,
        programs: &[(&'static str, Program)],
    ) -> anyhow::Result<Vec<Line>> {
        let platform = Platform::remembering(setup.platform).await?;
        let mut dice = StdRng::seed_from_u64(seed);
        let mut gateway = setup.start_ready().await?;
        let mut played = Vec::new();
        let mut acknowledged = 0;
        let spinner = output::spinner();
        for (program, phases) in programs {
            spinner.set_message(format!("program {program}"));
            let seed = dice.random();
            let (again, told) =
                self.play(setup, gateway, &platform, phases, (seed, &mut dice)).await?;
            gateway = again;
            acknowledged += u64::try_from(told.ids.len())?;
            let drained_after = drained(&platform, acknowledged).await;
            played.push(Played { program, acknowledged: told, drained_after });
        }
        // A double effect may hide behind a lease that a kill left.
        spinner.set_message("waiting for what may still come");
        sleep(LEASE + Duration::from_secs(2)).await;
        spinner.finish_and_clear();
        platform.totals().checked()?;
        gateway.kill().await?;
        Ok(compared(played, &platform.effects()))
    }

    /// Plays a program under load, and kills the gateway at random moments of it.
    async fn play(
        &self,
        setup: &Setup,
        mut gateway: Gateway,
        platform: &Platform,
        program: &Program,
        (seed, dice): (u64, &mut StdRng),
    ) -> anyhow::Result<(Gateway, Acknowledged)> {
        let enough = CancellationToken::new();
        let mut carriers = JoinSet::new();
        for stream in 0..self.connections {
            let carrier = Persistent::new(seed, stream, setup.http, Clock::system());
            carriers.spawn(carrier.send_until(enough.clone()));
        }
        let mut kills: Vec<Duration> =
            (0..self.kills).map(|_| program.lasts().mul_f64(dice.random())).collect();
        kills.sort_unstable();
        let begin = Instant::now();
        platform.stand_in().play(program.clone());
        for at in kills {
            tokio::time::sleep_until(begin + at).await;
            gateway.kill().await?;
            gateway = setup.start_ready().await?;
        }
        tokio::time::sleep_until(begin + program.lasts()).await;
        enough.cancel();
        let mut acknowledged = Acknowledged::default();
        while let Some(carrier) = carriers.join_next().await {
            acknowledged.merge(carrier?);
        }
        Ok((gateway, acknowledged))
    }
}

/// Seconds until so many effects are there.
async fn drained(platform: &Platform, effects: u64) -> Option<f64> {
    let begin = Instant::now();
    while platform.totals().effects < effects {
        if begin.elapsed() >= PATIENCE {
            return None;
        }
        sleep(Duration::from_millis(20)).await;
    }
    Some(begin.elapsed().as_secs_f64())
}

/// Each program's messages against their effects. A carrier goes on until a message is acknowledged, so
/// each effect is of one of them.
fn compared(played: Vec<Played>, effects: &[String]) -> Vec<Line> {
    let line = |Played { program, acknowledged, drained_after }: Played| {
        let own: HashSet<&str> = acknowledged.ids.iter().map(String::as_str).collect();
        let effects: Vec<String> =
            effects.iter().filter(|id| own.contains(id.as_str())).cloned().collect();
        Line { program, comparison: Comparison::of(&acknowledged.ids, &effects), drained_after }
    };
    played.into_iter().map(line).collect()
}

fn shown(seed: u64, lines: &[Line]) -> String {
    let cells = |line: &Line| {
        let Comparison { acknowledged, delivered, lost, double } = line.comparison;
        let drained = line.drained_after.map_or("never".to_owned(), |after| format!("{after:.2}"));
        let counts = [acknowledged, delivered, lost, double].map(|count| count.to_string());
        [vec![line.program.to_owned()], counts.to_vec(), vec![drained]].concat()
    };
    let sum = |count: fn(&Comparison) -> usize| -> usize {
        lines.iter().map(|line| count(&line.comparison)).sum()
    };
    let head = ["program", "accepted", "taken", "lost", "double", "drained s"];
    let table = output::table(&head, &lines.iter().map(cells).collect::<Vec<_>>());
    let (lost, double) = (sum(|it| it.lost), sum(|it| it.double));
    let standing = if lost + double == 0 { "reached" } else { "missed" };
    format!(
        "seed {seed}\n{table}lost {lost} and double {double} in all; must be 0 and 0: {standing}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_answers_for_its_own_messages() {
        let played = |program, ids: &[&str]| Played {
            program,
            acknowledged: Acknowledged {
                ids: ids.iter().map(|id| (*id).to_owned()).collect(),
                ..Acknowledged::default()
            },
            drained_after: Some(1.0),
        };
        let effects = ["a", "c", "c"].map(str::to_owned);
        let lines = compared(vec![played("hang", &["a", "b"]), played("down", &["c"])], &effects);
        let found: Vec<_> = lines
            .iter()
            .map(|line| (line.program, line.comparison.lost, line.comparison.double))
            .collect();
        assert_eq!(found, [("hang", 1, 0), ("down", 0, 1)]);
        assert!(shown(1, &lines).contains("lost 1 and double 1"), "{}", shown(1, &lines));
    }
}
