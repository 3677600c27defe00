//! `records replay --since`: shows what is read otherwise now, and has it recorded.

use super::Args;
use super::filter::fits;
use super::shown::Tally;
use crate::app;
use crate::cli::{archive, confirm};
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::dialogue::{Review, Rules, Side};
use crate::intake;
use crate::model::CallbackSeq;
use crate::store::{Agreement, Operator, Revisable};
use anyhow::bail;
use indicatif::ProgressBar;
use jiff::Timestamp;
use std::io::Write;

/// The callbacks of which answers are to be revised, and what each of those was shown as.
type Wanted = Vec<(CallbackSeq, Vec<Agreement>)>;

/// Runs the command. Returns whether there are differences, and all of them are recorded if they are to be.
pub(super) async fn run(
    config: &Config,
    args: &Args,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    if args.apply && !args.yes {
        confirm::check_somebody_answers(args.json)?;
    }
    let operator = archive::open(&config.store).await?;
    let reader = Reader { config, args, entropy: Entropy::system(), now: Clock::system().now() };
    let wanted = reader.show(&operator, out).await?;
    if !args.apply || wanted.is_empty() {
        return Ok(!wanted.is_empty());
    }
    let question = "Record these differences, and send them to the platform?";
    if !args.yes && !confirm::is_confirmed(question, out)? {
        writeln!(out, "nothing is recorded")?;
        return Ok(false);
    }
    operator.request_revisions(&wanted, reader.now).await?;
    apply(config, &operator, wanted.len() as u64, args.json, out).await?;
    reader.report(&operator, &wanted, out).await
}

/// Has what was asked for recorded, by the gateway that serves or else by this process.
async fn apply(
    config: &Config,
    operator: &Operator,
    callbacks: u64,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let bar = super::bar(callbacks);
    let progress = |read: usize| bar.inc(read as u64);
    if !app::revise(config, Clock::system(), Entropy::system(), progress).await? {
        if !json {
            writeln!(out, "a gateway serves; it records them, by its own configuration")?;
        }
        if !super::is_taken_up(&bar, async || operator.revisions_left().await).await? {
            let withdrawn = operator.withdraw_revisions().await?;
            bail!(
                "the gateway that serves reads nothing again; {withdrawn} callbacks stay as they \
                 are. Look at its log, or stop it and run this command again"
            );
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// Reads stored callbacks by the configuration of the command.
struct Reader<'a> {
    config: &'a Config,
    args: &'a Args,
    entropy: Entropy,
    now: Timestamp,
}

impl Reader<'_> {
    /// Shows all that is read otherwise now, and returns what of it would be recorded.
    async fn show(&self, operator: &Operator, out: &mut impl Write) -> anyhow::Result<Wanted> {
        let Args { since, until, limit, json, .. } = self.args;
        let since = self.kept_since(since.unwrap_or(Timestamp::MIN), out)?;
        let span = (since, until.unwrap_or(Timestamp::MAX));
        let bar = super::bar(operator.callbacks_between(span).await?);
        let (mut tally, mut wanted) = (Tally::default(), Wanted::new());
        let mut after = CallbackSeq::NONE;
        'pages: while let Some((last, page)) = operator.revisable(after, span).await? {
            for revisable in &page {
                if wanted.len() >= usize::try_from(*limit)? {
                    break 'pages;
                }
                let contents = self.show_one(revisable, &mut tally, &bar, out)?;
                if !contents.is_empty() {
                    let agreed = contents.iter().map(|content| operator.agreement(content));
                    wanted.push((revisable.callback.seq, agreed.collect()));
                }
            }
            bar.inc(page.len() as u64);
            after = last;
        }
        bar.finish_and_clear();
        tally.sum_up(*json, out)?;
        if !json && wanted.len() >= usize::try_from(*limit)? {
            writeln!(out, "there may be more: --limit {limit} was reached")?;
        }
        Ok(wanted)
    }

    /// Since when records have all their revisions: one whose newest is erased must not go out again under its number.
    fn kept_since(&self, since: Timestamp, out: &mut impl Write) -> anyhow::Result<Timestamp> {
        let kept = self.now.checked_sub(self.config.store.keep_records).unwrap_or(Timestamp::MIN);
        if since < kept && !self.args.json {
            writeln!(out, "what is older than store.keep_records is left out")?;
        }
        Ok(since.max(kept))
    }

    fn show_one(
        &self,
        revisable: &Revisable,
        tally: &mut Tally,
        bar: &ProgressBar,
        out: &mut impl Write,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        tally.callbacks += 1;
        let mut contents = Vec::new();
        for review in self.reviews(revisable) {
            bar.suspend(|| tally.show(&revisable.callback, &review, self.args.json, out))?;
            if review.writes() {
                contents.push(review.content());
            }
        }
        Ok(contents)
    }

    /// The answers of a callback, as far as they were chosen.
    fn reviews(&self, revisable: &Revisable) -> Vec<Review> {
        let Config { campaigns, accounts, .. } = self.config;
        let rules = Rules { campaigns, accounts };
        let account = revisable.callback.account.as_str();
        let chosen = |side: &Side| fits(&self.args.conditions, account, side);
        let mut reviews =
            intake::review(revisable, rules, &mut || self.entropy.record_id(self.now));
        reviews.retain(|review| chosen(&review.before) || chosen(&review.after));
        reviews
    }

    /// Says what was recorded. Returns whether that is all that was shown.
    async fn report(
        &self,
        operator: &Operator,
        wanted: &Wanted,
        out: &mut impl Write,
    ) -> anyhow::Result<bool> {
        let shown: usize = wanted.iter().map(|(_, agreed)| agreed.len()).sum();
        let mut left = 0;
        for (seq, agreed) in wanted {
            left += match operator.revisable_one(*seq).await? {
                Some(revisable) => self.reviews(&revisable).iter().filter(|it| it.writes()).count(),
                None => agreed.len(),
            };
        }
        let applied = shown.saturating_sub(left);
        if self.args.json {
            writeln!(out, "{}", serde_json::json!({ "applied": applied, "left": left }))?;
            return Ok(left == 0);
        }
        writeln!(out, "{applied} of {shown} answers are revised, and queued for the platform")?;
        if left > 0 {
            writeln!(
                out,
                "{left} are not: the gateway reads them otherwise than this configuration, or \
                 something came in between. Reload or restart it, and run this command again"
            )?;
        }
        Ok(left == 0)
    }
}
