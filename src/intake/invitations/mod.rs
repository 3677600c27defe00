//! Invitations of the platform: believed, checked one by one, committed, and only then answered.
//!
//! A call is kept as a callback of the account `invitations`, with one entry for each good item; its
//! dedupe key is the invitation's id, so the same id again, in this call or a later one, is a repeat.

mod answer;
mod body;
mod fields;
mod item;

pub use answer::{Answer, ItemAnswer, Status};
pub use body::{MOST_ITEMS, Unreadable, write};
pub use fields::Problem;
pub use item::{FIELDS, Premises, read};

use super::Intake;
use super::accept::{kept_headers, retry_after};
use super::calls::Calls;
use super::dialogue::Waiting;
use crate::config::{self, Access, Areas};
use crate::model::{Invitation, InvitationId};
use crate::signature::{Distrust, Verifier};
use crate::store::{Callback, Entry, RawRequest, Share, StoreError};
use crate::telemetry::Metrics;
use crate::telemetry::invitations::InvitationMetrics;
use body::Item;
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Takes invitations over from the listener, or from a command. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Invitations {
    intake: Intake,
    settings: Arc<config::Invitations>,
    verifier: Arc<Verifier>,
    calls: Calls,
    metrics: InvitationMetrics,
}

/// A call, read whole.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Path and query as sent.
    pub target: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a Bytes,
}

/// Why nothing of a call is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is not believed.
    Distrusted(Distrust),
    /// No item can be read from it.
    Unreadable(Unreadable),
    /// It could not be committed; it may come again after this time.
    Busy(Duration),
}

impl Invitations {
    /// Over an intake, for whoever signs as configured.
    #[must_use]
    pub fn new(
        intake: Intake,
        settings: &Arc<config::Invitations>,
        metrics: &Metrics,
    ) -> Invitations {
        let key_id = settings.key_id.as_deref();
        let verifier = Verifier::new(key_id, &settings.secrets, settings.tolerance);
        let verifier = Arc::new(verifier);
        Invitations {
            calls: Calls::new(intake.clone(), Arc::clone(&verifier)),
            intake,
            settings: Arc::clone(settings),
            verifier,
            metrics: InvitationMetrics::new(metrics, &FIELDS),
        }
    }

    /// From where and how the platform may call.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.settings.access
    }

    /// The calls that are left to whoever dials.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Verifies, reads and commits a call, and says what became of each of its items.
    ///
    /// # Errors
    /// [`Refusal`]; nothing of the call is kept.
    pub async fn accept(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        let now = self.intake.now();
        self.verifier
            .verify((call.method, call.target), call.headers, call.body, now)
            .map_err(Refusal::Distrusted)?;
        self.take(call, now).await
    }

    /// The same for a call of our own, which nobody has to sign.
    ///
    /// # Errors
    /// [`Refusal`], other than [`Refusal::Distrusted`].
    pub async fn accept_own(&self, call: &Call<'_>) -> Result<Answer, Refusal> {
        self.take(call, self.intake.now()).await
    }

    async fn take(&self, call: &Call<'_>, now: Timestamp) -> Result<Answer, Refusal> {
        let items = body::items(call.body).map_err(Refusal::Unreadable)?;
        let campaigns = self.intake.campaigns();
        let premises = Premises {
            campaigns: &campaigns,
            accounts: self.intake.accounts(),
            areas: Areas::liaoning(),
            now,
        };
        let checked: Vec<Checked> = items.iter().map(|item| Checked::of(item, premises)).collect();
        let good = checked.iter().filter_map(|it| it.invitation.as_ref().ok());
        let entries: Vec<Entry> = good.map(hold).collect();
        let fresh = match entries.is_empty() {
            true => Vec::new(),
            false => self.commit(call, entries, now).await.map_err(|error| {
                tracing::debug!(%error, "invitations were not stored");
                Refusal::Busy(retry_after(&error))
            })?,
        };
        let answer = Answer::of(checked, fresh);
        self.count(&answer);
        Ok(answer)
    }

    async fn commit(
        &self,
        call: &Call<'_>,
        entries: Vec<Entry>,
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        let callback = Callback {
            account: config::Invitations::account().clone(),
            received_at: now,
            raw: RawRequest {
                method: call.method.to_string(),
                target: call.target.to_owned(),
                headers: kept_headers(call.headers),
                body: call.body.clone(),
            },
            nonce: None,
            entries,
            garbled: Vec::new(),
        };
        Ok(self.intake.store().commit(callback).await?.fresh)
    }

    fn count(&self, answer: &Answer) {
        for item in &answer.results {
            match &item.status {
                Status::Accepted => self.metrics.accepted(),
                Status::Duplicate => self.metrics.duplicate(),
                Status::Rejected { problems } => {
                    self.metrics.rejected(problems.iter().map(|problem| &*problem.field));
                }
            }
        }
    }
}

/// An item that was looked at.
struct Checked {
    /// Its id, as far as it can be told.
    id: Option<String>,
    invitation: Result<Invitation, Vec<Problem>>,
}

impl Checked {
    fn of(item: &Item, premises: Premises<'_>) -> Checked {
        let Ok(object) = item else {
            let right = "write an object with the fields of one invitation";
            let problem = Problem::new(Problem::ITEM, "is no object", right);
            return Checked { id: None, invitation: Err(vec![problem]) };
        };
        let id = object.get("id").and_then(|id| id.as_str());
        let id = id.filter(|id| id.chars().count() <= item::ID_LENGTH);
        Checked { id: id.map(str::to_owned), invitation: read(object, premises) }
    }
}

/// An invitation on its way into the inbox.
fn hold(invitation: &Invitation) -> Entry {
    let InvitationId(id) = &invitation.id;
    let waiting = Waiting::Invited(Box::new(invitation.clone()));
    Entry { dedupe: id.clone(), resend: None, share: Share::Held(waiting.to_bytes()) }
}
