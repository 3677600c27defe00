//! The question that a command asks before it changes something.

use anyhow::bail;
use std::io::{IsTerminal, Write};

/// Fails where nobody could answer.
pub(super) fn check_somebody_answers(json: bool) -> anyhow::Result<()> {
    if json || !std::io::stdin().is_terminal() {
        bail!("--apply asks before it changes anything; say --yes where nobody can answer");
    }
    Ok(())
}

/// Asks, and waits for the answer.
pub(super) fn is_confirmed(question: &str, out: &mut impl Write) -> anyhow::Result<bool> {
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
