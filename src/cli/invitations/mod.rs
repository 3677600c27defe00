//! `invitations`: citizens to be invited, from a file.

mod import;
mod rejected;
mod send;
mod table;

use std::io::Write;
use std::process::ExitCode;

/// Has citizens invited to rate a call or a case, as the platform does over HTTP.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Import(import::Args),
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let What::Import(args) = &args.what;
    let all = import::run(args, out).await?;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
