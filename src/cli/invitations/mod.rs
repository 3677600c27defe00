//! `invitations`: citizens to be invited, from a file, and what became of it.

mod find;
mod import;
mod look;
mod rejected;
mod send;
mod table;

use std::io::Write;
use std::process::ExitCode;

/// Has citizens invited to rate a call or a case, as the platform does over HTTP, and shows what became of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Import(import::Args),
    Find(find::Find),
    Show(find::Show),
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let all = match &args.what {
        What::Import(args) => import::run(args, out).await?,
        What::Find(args) => find::find(args, out).await?,
        What::Show(args) => find::show(args, out).await?,
    };
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
