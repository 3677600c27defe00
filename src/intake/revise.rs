//! Reads stored callbacks again by today's rules, and records what operators want revised of them.
//!
//! The dialogue worker does it between two conclusions: it is the only one who writes memory, and what is
//! remembered of a rating must go along with its revisions. Nothing is sent to a citizen by it.

use super::dialogue::{ConcludeError, changed, recall};
use super::quarantine::decode;
use crate::carrier::Turn;
use crate::clock::{Clock, Entropy};
use crate::config::{self, Account, Campaign};
use crate::dialogue::{self, Kept, Known, ReadAgain, Review, Rules};
use crate::model::{AccountName, Outcome, Question, Record, RecordId};
use crate::store::{
    AskedRevision, Concluded, ConcludedEntry, Conclusion, Ownership, Revisable, Store,
    StoredCallback,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// The answers of a stored callback, read again by these rules. `new_id` is called for each record that may be new.
pub fn review(
    Revisable { callback, traces }: &Revisable,
    rules: Rules<'_>,
    new_id: &mut dyn FnMut() -> RecordId,
) -> Vec<Review> {
    // The platform's calls for invitations are no answers.
    if callback.account == *config::Invitations::account() {
        return Vec::new();
    }
    let account = rules.accounts.get(&callback.account);
    let read = account.and_then(|account| Some((account, decode(account, callback)?)));
    let Some((account, decoded)) = read else {
        return vec![Review::keeping(traces, callback.seq, Kept::Unreadable)];
    };
    // Only the first question of a call is answered with a rating.
    let later = |turn: Turn| turn.step.is_some_and(|step| step.question != Question::Rating);
    if decoded.turn.is_some_and(later) {
        return vec![Review::keeping(traces, callback.seq, Kept::Conversation)];
    }
    let garbled = !decoded.garbled.is_empty();
    if garbled && callback.garbled.is_empty() {
        return vec![Review::keeping(traces, callback.seq, Kept::Unreadable)];
    }
    let read = ReadAgain {
        seq: callback.seq,
        account,
        received_at: callback.received_at,
        events: &decoded.events,
        is_whole: !garbled && callback.garbled.is_empty(),
    };
    dialogue::review(read, traces, rules, new_id)
}

/// Reads again what operators ask for.
#[derive(Debug, Clone)]
pub struct Reviser {
    pub(super) store: Store,
    pub(super) ownership: Ownership,
    pub(super) campaigns: watch::Receiver<Arc<[Arc<Campaign>]>>,
    pub(super) accounts: Arc<BTreeMap<AccountName, Arc<Account>>>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

impl Reviser {
    /// Takes up the oldest requests, at most so many. Returns how many there were. Nobody else may write memory
    /// meanwhile.
    ///
    /// # Errors
    /// [`ConcludeError`]; what was not read is still asked for.
    pub async fn take_up(&self, limit: u32) -> Result<usize, ConcludeError> {
        let asked = self.store.revisions(limit).await?;
        let mut written = 0;
        for one in &asked {
            written += match self.revise(one).await {
                Err(error) if error.is_of_one() => {
                    tracing::error!(%error, callback = %one.seq, "this callback is not read again");
                    self.end(one, &[]).await?
                }
                done => done?,
            };
        }
        if !asked.is_empty() {
            tracing::info!(
                callbacks = asked.len(),
                revisions = written,
                "callbacks were read again"
            );
        }
        Ok(asked.len())
    }

    /// Writes what an operator was shown of a callback, as far as it comes to the same here and now. Returns how many
    /// records that was.
    async fn revise(&self, asked: &AskedRevision) -> Result<usize, ConcludeError> {
        let Some(revisable) = &asked.revisable else { return self.end(asked, &[]).await };
        let campaigns = self.campaigns.borrow().clone();
        let rules = Rules { campaigns: &campaigns, accounts: &self.accounts };
        let now = self.clock.now();
        let reviews = review(revisable, rules, &mut || self.entropy.record_id(now));
        let agreed = reviews.iter().filter(|it| self.store.is_agreed(asked, &it.content()));
        self.end(asked, &agreed.collect::<Vec<_>>()).await
    }

    async fn end(&self, asked: &AskedRevision, agreed: &[&Review]) -> Result<usize, ConcludeError> {
        let owner = Some(self.ownership.token()?);
        let mut known = Known::nothing();
        recall(&self.store, dialogue::remembering(agreed), &mut known).await?;
        let changes = dialogue::remember_amended(&mut known, agreed);
        let records: Vec<Record> = agreed.iter().flat_map(|it| it.written()).cloned().collect();
        let written = records.len();
        let callback = asked.revisable.as_ref().map(|revisable| &revisable.callback);
        let entries = callback.and_then(|callback| entry(callback, records)).into_iter().collect();
        let memory = changes.into_iter().map(changed).collect();
        let revised = Some(asked.seq);
        let conclusion = Conclusion { owner, entries, memory, revised, ..Conclusion::default() };
        let concluded = self.store.conclude(conclusion).await?;
        Ok(if concluded == Concluded::Void { 0 } else { written })
    }
}

/// The records of a callback, queued as of now; nothing where there are none.
fn entry(callback: &StoredCallback, records: Vec<Record>) -> Option<ConcludedEntry> {
    (!records.is_empty()).then(|| ConcludedEntry {
        account: callback.account.clone(),
        callback: callback.seq,
        received_at: callback.received_at,
        dedupe: None,
        outcome: Outcome::Rated,
        records,
    })
}
