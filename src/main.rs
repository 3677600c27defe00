//! The `bridge8890` command: parses arguments and calls the library.

use bridge8890::cli::{self, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(Command::parse())
}
