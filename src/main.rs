//! The `bridge8890` command: parses arguments and calls the library.

use bridge8890::cli::{self, Command};
use clap::Parser;
use std::process::ExitCode;

/// Many short-lived buffers cross threads here, which the system's allocator does slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(Command::parse())
}
