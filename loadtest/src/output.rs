//! What the commands print: results to standard output, progress to standard error.

use bridge8890::clock::Entropy;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::Write;
use std::time::Duration;

/// Prints a line.
///
/// # Errors
/// When standard output is gone.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Prints one JSON object.
///
/// # Errors
/// When standard output is gone.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Says on standard error why a command failed.
#[expect(clippy::print_stderr, reason = "the one place that does")]
pub(crate) fn complain(why: &str) {
    eprintln!("{why}");
}

/// A bar that counts to `length`.
pub(crate) fn bar(length: u64) -> anyhow::Result<ProgressBar> {
    let style = "{msg:20} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
    Ok(ProgressBar::new(length).with_style(ProgressStyle::with_template(style)?))
}

/// A line that says what is being done.
pub(crate) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}

/// A Markdown table whose columns are as wide as their widest cell.
pub(crate) fn table(head: &[&str], lines: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&title| title.to_owned()).collect();
    let columns = head.len();
    let width = |column: usize| {
        let cells = lines.iter().chain([&head]).filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let rule = widths.iter().map(|&width| "-".repeat(width)).collect();
    let mut text = String::new();
    for line in [head.clone(), rule].iter().chain(lines) {
        for (cell, &width) in line.iter().zip(&widths) {
            text.push_str(&format!("| {cell:width$} "));
        }
        text.push_str("|\n");
    }
    text
}

/// A seed that was not used before.
pub(crate) fn fresh_seed() -> u64 {
    u64::from_le_bytes(Entropy::system().bytes())
}
