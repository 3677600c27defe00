//! A configuration that is read again while serving: taken over, or the old one stays.

use super::Gateway;
use crate::config::{Changes, Config, Problems};
use crate::telemetry::logging::Filter;
use crate::telemetry::reload::Reload;
use jiff::Timestamp;

impl Gateway {
    /// Takes over what a configuration, read again, says otherwise: for the next callbacks, all of
    /// it at once. If it is wrong, or some of it needs a restart, everything stays as it is. The
    /// log says what, key by key.
    pub fn reload(&mut self, newer: Result<Config, Problems>, filter: &Filter) {
        let newer = newer.and_then(|config| match config.ready_to_serve() {
            Ok(()) => Ok(config),
            Err(gaps) => Err(gaps.clone()),
        });
        let outcome = match newer {
            Ok(newer) => self.take_over(newer, filter),
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(
                    problems = problems.len(),
                    "the configuration is wrong; the old one stays"
                );
                Reload::Wrong
            }
        };
        self.reloads.reloaded(outcome, self.clock.now());
    }

    fn take_over(&mut self, newer: Config, filter: &Filter) -> Reload {
        let Changes { live, restart } = self.config.changes(&newer);
        if !restart.is_empty() {
            tracing::warn!(
                keys = restart.join(", "),
                "these keys need a restart; the old configuration stays as a whole"
            );
            return Reload::NeedsRestart;
        }
        if live.is_empty() {
            tracing::info!("the configuration was read again and is the same");
            return Reload::Unchanged;
        }
        if let Err(error) = filter.set(&newer.log.filter) {
            tracing::error!(%error, "the log's filter stays; so does the old configuration");
            return Reload::Wrong;
        }
        self.intake.take_campaigns(&newer.campaigns);
        self.config = newer;
        tracing::info!(changed = live.join(", "), "the configuration was read again and holds now");
        warn(&self.config, self.clock.now());
        Reload::Applied
    }
}

/// Logs what works and should not stay as it is.
pub fn warn(config: &Config, now: Timestamp) {
    for warning in &config.warnings_at(now) {
        tracing::warn!("{warning}");
    }
}
