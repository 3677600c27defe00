//! The commands: one file each.
//!
//! Exit codes: 0 done; 1 done, and the answer is no (something is wrong, not found, or does not
//! add up); 2 could not be done.

mod archive;
mod carrier;
mod check;
mod condition;
mod confirm;
mod copy;
mod dead;
mod demo;
mod doctor;
mod invitations;
mod lane;
mod ledger;
mod messages;
mod migrate;
mod nodes;
mod period;
mod reconcile;
mod recordings;
mod records;
mod rehearse;
mod reply;
mod serve;
mod shown;

use clap::{Parser, Subcommand};
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

/// Gateway between the carriers' voice and SMS callbacks and the provincial rating platform.
#[derive(Debug, Parser)]
#[command(
    name = "bridge8890",
    version,
    after_help = "\
Examples:
  bridge8890 demo                          see everything work, with nothing else installed
  bridge8890 check --config gateway.toml   what is wrong with this configuration?
  bridge8890 doctor --config gateway.toml  can this machine run it?
  bridge8890 serve --config gateway.toml   run it
  bridge8890 reply --scheme asc 不满意      how would this reply be read?
  bridge8890 rehearse --campaign NAME      what would be said to a citizen, and what recorded?

Exit codes: 0 done; 1 done, and the answer is no; 2 could not be done."
)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Serve(serve::Args),
    Demo(demo::Args),
    Check(check::Args),
    Doctor(doctor::Args),
    Migrate(migrate::Args),
    Copy(copy::Args),
    Carrier(carrier::Args),
    Invitations(invitations::Args),
    Records(records::Args),
    Dead(dead::Args),
    Lane(lane::Args),
    Ledger(ledger::Args),
    Reconcile(reconcile::Args),
    Messages(messages::Args),
    Recordings(recordings::Args),
    Nodes(nodes::Args),
    Reply(reply::Args),
    Rehearse(rehearse::Args),
}

/// Runs a command, with its answer on the standard output and its failure on the standard error.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = dispatch(command, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => code,
        Err(error) if closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where a command fails aloud")]
            {
                eprintln!("bridge8890: {}", one_line(&error));
            }
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: Command, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match command.what {
        What::Check(args) => check::run(&args, out),
        What::Reply(args) => reply::run(args, out),
        What::Rehearse(args) => rehearse::run(&args, out),
        What::Serve(args) => runtime()?.block_on(serve::run(&args)),
        What::Demo(args) => runtime()?.block_on(demo::run(&args, out)),
        What::Doctor(args) => runtime()?.block_on(doctor::run(&args, out)),
        What::Migrate(args) => runtime()?.block_on(migrate::run(&args, out)),
        What::Copy(args) => runtime()?.block_on(copy::run(&args, out)),
        What::Carrier(args) => runtime()?.block_on(carrier::run(&args, out)),
        What::Invitations(args) => runtime()?.block_on(invitations::run(&args, out)),
        What::Records(args) => runtime()?.block_on(records::run(&args, out)),
        What::Dead(args) => runtime()?.block_on(dead::run(&args, out)),
        What::Messages(args) => runtime()?.block_on(messages::run(&args, out)),
        What::Recordings(args) => runtime()?.block_on(recordings::run(&args, out)),
        What::Nodes(args) => runtime()?.block_on(nodes::run(&args, out)),
        What::Ledger(args) => runtime()?.block_on(ledger::run(&args, out)),
        What::Reconcile(args) => runtime()?.block_on(reconcile::run(&args, out)),
        What::Lane(args) => runtime()?.block_on(lane::run(&args, out)),
    }
}

/// One core is left to the database's own thread.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = cores.saturating_sub(1).max(1);
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}

/// An error and its causes, of which our own errors name many themselves.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.contains(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line
}

/// Whether the reader of our output went away, as `| head` does.
fn closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot listen: {source}; free the port")]
    struct Refused {
        source: io::Error,
    }

    #[test]
    fn a_cause_is_named_once() {
        let refused = || Refused { source: io::Error::other("in use") };
        let error = anyhow::Error::new(refused());
        assert_eq!(one_line(&error), "cannot listen: in use; free the port");
        let error = Err::<(), _>(refused()).context("http.listen").expect_err("it was refused");
        assert_eq!(one_line(&error), "http.listen: cannot listen: in use; free the port");
    }
}
