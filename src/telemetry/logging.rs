//! Logs to standard error, as text for people or one JSON object a line.
//!
//! Numbers, texts and bodies are never passed to a log macro; there is nothing to mask here.

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

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
    /// Nothing is logged any more.
    #[error("the filter cannot be changed: {0}; restart the gateway")]
    Over(#[from] reload::Error),
}

/// What is logged, to be changed while logging. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Filter(reload::Handle<EnvFilter, Registry>);

impl Filter {
    /// Logs what passes `filter` from now on.
    ///
    /// # Errors
    /// [`LoggingError`]; the filter is then as it was.
    pub fn set(&self, filter: &str) -> Result<(), LoggingError> {
        Ok(self.0.reload(parse(filter)?)?)
    }
}

/// Starts logging for the whole process: what passes `filter`, as JSON or text.
///
/// # Errors
/// [`LoggingError`] when the filter is wrong or logging was started before.
pub fn init(filter: &str, json: bool) -> Result<Filter, LoggingError> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if json { lines.json().flatten_event(true).boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(Filter(handle))
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
