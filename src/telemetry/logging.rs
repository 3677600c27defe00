//! Logs to standard error, as text for people or one JSON object a line.
//!
//! Numbers, texts and bodies are never passed to a log macro; there is nothing to mask here.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error("log.filter `{filter}`: {source}; write for example `info,bridge8890=debug`")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong.
        source: ParseError,
    },
    /// Something else in this process logs already.
    #[error("logging was started twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the whole process: what passes `filter`, as JSON or text.
///
/// # Errors
/// [`LoggingError`] when the filter is wrong or logging was started before.
pub fn init(filter: &str, json: bool) -> Result<(), LoggingError> {
    let filter = parse(filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        lines.json().flatten_event(true).finish().try_init()?;
    } else {
        lines.finish().try_init()?;
    }
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::try_new(filter)
        .map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_named() {
        assert!(parse("info,bridge8890=debug").is_ok());
        let error = parse("bridge8890=loud").expect_err("not a level").to_string();
        assert!(error.starts_with("log.filter `bridge8890=loud`"), "{error}");
    }
}
