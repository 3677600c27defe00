//! `carrier`: which carriers there are, how an account speaks, and what would be made of a request.

mod decode;
mod list;
mod recorded;
mod sends;
mod show;

use std::io::Write;
use std::process::ExitCode;

/// Lists the carriers, shows how one speaks, and says what would be made of a request.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    List(list::Args),
    Show(show::Args),
    Decode(decode::Args),
}

/// Runs the command.
pub(super) async fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match &args.what {
        What::List(args) => list::run(args, out),
        What::Show(args) => show::run(args, out),
        What::Decode(args) => decode::run(args, out).await,
    }
}
