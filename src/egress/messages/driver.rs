//! The loop of an account's messages: sees what is due, leases no more than can be started now,
//! and starts a task for each message, which sends and settles it.

use super::fate::{Attempt, Fate, fate};
use super::pace::Pace;
use super::queue::{Became, Queue};
use super::sender::Sender;
use crate::clock::{Clock, Entropy};
use crate::config::Sending;
use crate::dialogue::{News, memory};
use crate::egress::backoff::{Backoff, BadBackoff};
use crate::egress::lane::{BadLane, Lane, Pass, Slot};
use crate::lifecycle::Tasks;
use crate::model::{Content, Message, segments};
use crate::net::client::ClientError;
use crate::store::{DeadClass, LeaseToken, LeasedMessage, MessageLease, StoreError};
use crate::telemetry::messages::{MessageResult, Messages};
use crate::telemetry::{Metrics, Progress};
use jiff::Timestamp;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// The longest time without looking, should a wake-up be lost.
const POLL: Duration = Duration::from_secs(1);

/// The shortest time between two looks of which the first left nothing due.
const GATHER: Duration = Duration::from_millis(5);

/// What a lease lasts beyond pace and deadline: the time to settle.
const MARGIN: Duration = Duration::from_secs(5);

/// The wait before the store is asked again after it refused.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// Why an account cannot send.
#[derive(Debug, thiserror::Error)]
pub enum MessagesError {
    /// The back-off makes no sense.
    #[error("send.{0}")]
    Backoff(#[from] BadBackoff),
    /// The lane makes no sense.
    #[error("send.{0}")]
    Lane(#[from] BadLane),
    /// No request can be made.
    #[error("send.ca: {0}")]
    Client(#[from] ClientError),
}

/// Sends the messages of one account until the soft stop; those under way are finished.
///
/// # Errors
/// [`MessagesError`] when the account's configuration makes no sense.
pub fn start(
    sending: &Arc<Sending>,
    queue: impl Queue,
    (clock, entropy): (Clock, Entropy),
    (metrics, progress): (&Metrics, Progress),
    tasks: &Tasks,
) -> Result<(), MessagesError> {
    let telemetry = Messages::new(metrics, &sending.account);
    let lane = Lane::fixed(sending.concurrency, &sending.breaker, telemetry, entropy.clone())?;
    let driver = Driver {
        lane: Arc::new(lane),
        pace: Mutex::new(Pace::new(sending.rate)),
        nodes: queue.nodes(),
        queue,
        sender: Sender::new(sending, clock.clone(), entropy.clone())?,
        backoff: Backoff::new(&sending.backoff)?,
        sending: Arc::clone(sending),
        clock,
        entropy,
        tasks: tasks.clone(),
        progress,
    };
    let driver = Arc::new(driver);
    tasks.spawn_watched(&driver.progress.clone(), move || Arc::clone(&driver).run());
    Ok(())
}

struct Driver<Q> {
    lane: Arc<Lane<Messages>>,
    /// Outlives a loop that is replaced, as do the messages that wait for their turn.
    pace: Mutex<Pace>,
    queue: Q,
    nodes: watch::Receiver<u32>,
    sender: Sender,
    backoff: Backoff,
    sending: Arc<Sending>,
    clock: Clock,
    entropy: Entropy,
    tasks: Tasks,
    progress: Progress,
}

/// A lease as its messages need it.
#[derive(Debug, Clone, Copy)]
struct Term {
    token: LeaseToken,
    ends: Instant,
}

impl<Q: Queue> Driver<Q> {
    async fn run(self: Arc<Self>) {
        let mut stopping = pin!(self.tasks.stopping());
        let mut arrivals = self.queue.arrivals();
        loop {
            let slots = tokio::select! {
                biased;
                () = &mut stopping => return,
                slots = self.lane.slots() => slots,
            };
            // Seen before looking, so that nothing is queued unnoticed in between.
            arrivals.borrow_and_update();
            self.progress.begin("leasing what is due");
            let asked = slots.len();
            // A task of its own: a message that is leased and not sent would be given up, since nobody
            // would know that it was not. Who replaces this loop waits for the slots.
            let looked = self.tasks.spawn("lease of messages", Arc::clone(&self).look(slots));
            let found = looked.await.ok().flatten().unwrap_or(Err(StoreError::Closed));
            self.progress.rest();
            let until = match found {
                Ok(0) => self.next_due().await,
                Ok(some) if some == asked => continue,
                Ok(_) => Instant::now() + GATHER,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    self.lane.telemetry.store_failed("lease", &error);
                    Instant::now() + self.store_retry()
                }
            };
            tokio::select! {
                biased;
                () = &mut stopping => return,
                changed = arrivals.changed() => if changed.is_err() { sleep_until(until).await },
                () = sleep_until(until) => {}
            }
        }
    }

    /// Leases what fits into `slots` and starts it. Returns how much that was.
    async fn look(self: Arc<Self>, slots: Vec<Slot<Messages>>) -> Result<usize, StoreError> {
        let nodes = *self.nodes.borrow();
        if nodes == 0 {
            return Ok(0);
        }
        self.pace().share(nodes);
        let turns = self.pace().time_for(slots.len(), Instant::now());
        let lasts = turns + self.sending.request_timeout + MARGIN;
        let now = self.clock.now();
        let until = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
        let ends = Instant::now() + lasts;
        let account = &self.sending.account;
        let MessageLease { token, items, .. } =
            self.queue.lease(account, slots.len(), until).await?;
        let oldest = items.iter().map(|item| now.duration_since(item.queued_at)).max();
        let oldest = oldest.and_then(|oldest| Duration::try_from(oldest).ok());
        self.lane.telemetry.oldest(oldest.unwrap_or_default());
        let found = items.len();
        for (slot, item) in slots.into_iter().zip(items) {
            let pass = self.lane.begin(slot);
            let at = self.pace().take(Instant::now());
            let sent = Arc::clone(&self).send(pass, Term { token, ends }, item, at);
            // The task belongs to `tasks`, and the message to its lease: nobody waits for it here.
            drop(self.tasks.spawn("message to a citizen", sent));
        }
        Ok(found)
    }

    /// Sends a message when its turn comes, and settles it.
    async fn send(
        self: Arc<Self>,
        mut pass: Pass<Messages>,
        term: Term,
        item: LeasedMessage,
        at: Instant,
    ) {
        let read = item.bytes.as_ref().and_then(|bytes| memory::read::<Message>(&bytes.0).ok());
        let Some(message) = read else {
            let reason = "its key is gone, or a newer version of the gateway wrote it".to_owned();
            let became = Became::Dead { class: DeadClass::Rejected, reason };
            return self.settle(term, &item, became, None).await;
        };
        if let Some(became) = self.without_asking(&item, &message) {
            return self.settle(term, &item, became, Some(message)).await;
        }
        match self.queue.may_send(&message, self.clock.now()).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => {
                let became = Became::Dropped { reason: why.name().to_owned() };
                return self.settle(term, &item, became, Some(message)).await;
            }
            Err(error) => {
                self.lane.telemetry.store_failed("may_send", &error);
                sleep(self.store_retry()).await;
                return self.settle(term, &item, Became::Released, Some(message)).await;
            }
        }
        tokio::select! {
            () = sleep_until(at) => {}
            () = self.tasks.stopping() => {
                return self.settle(term, &item, Became::Released, Some(message)).await;
            }
        }
        // A request is over before its lease is: at no time do two senders have one message.
        if Instant::now() + self.sending.request_timeout >= term.ends {
            return self.settle(term, &item, Became::Released, Some(message)).await;
        }
        let (reply, took) = self.sender.send(&message).await;
        let attempt = Attempt {
            number: item.attempt,
            queued_at: item.queued_at,
            expires: message.expires,
            now: self.clock.now(),
            fraction: self.entropy.fraction(),
        };
        let repeatable = self.sending.submission.repeatable;
        let Fate { became, health, result } = fate(&reply, attempt, repeatable, &self.backoff);
        let reason = reason(&became);
        self.lane.telemetry.requested(result, took, reason);
        if let Some(health) = health {
            pass.report(health, reason);
        }
        // The next message need not wait until this one is settled.
        drop(pass);
        self.settle(term, &item, became, Some(message)).await;
    }

    /// What becomes of a message that is not to be sent at all.
    fn without_asking(&self, item: &LeasedMessage, message: &Message) -> Option<Became> {
        if item.in_doubt && !self.sending.submission.repeatable {
            let reason = "an attempt was cut off: it may have been sent".to_owned();
            return Some(Became::Dead { class: DeadClass::Unknown, reason });
        }
        (message.expires <= self.clock.now())
            .then(|| Became::Dropped { reason: "it expired before it was sent".to_owned() })
    }

    /// Settles, and asks again while the lease lasts.
    async fn settle(
        &self,
        term: Term,
        item: &LeasedMessage,
        became: Became,
        message: Option<Message>,
    ) {
        let (result, parts) = (counted(&became), message.as_ref().map_or(0, parts));
        let news = message.and_then(|message| self.news(&became, message));
        while Instant::now() < term.ends {
            let settled = self.queue.settle(term.token, item.id, became.clone(), news.clone());
            match timeout_at(term.ends, settled).await {
                Ok(Ok(ours)) => {
                    match ours {
                        true => self.lane.telemetry.settled(result, parts),
                        false => self.lane.telemetry.lost(),
                    }
                    return;
                }
                Ok(Err(StoreError::Closed)) | Err(_) => break,
                Ok(Err(error)) => {
                    self.lane.telemetry.store_failed("settle", &error);
                    sleep(self.store_retry()).await;
                }
            }
        }
        self.lane.telemetry.lost();
    }

    /// What the dialogue is told, once nothing more will happen to a message by itself.
    fn news(&self, became: &Became, message: Message) -> Option<Vec<u8>> {
        let news = match became {
            Became::Sent { carrier_id } => {
                News::Sent { message, carrier_id: carrier_id.clone(), at: self.clock.now() }
            }
            // The citizen may have it, and answer.
            Became::Dead { class: DeadClass::Unknown, .. } => {
                News::Sent { message, carrier_id: None, at: self.clock.now() }
            }
            Became::Dropped { .. } | Became::Dead { .. } => News::NotSent(message),
            Became::Retry { .. } | Became::Released => return None,
        };
        Some(news.to_bytes())
    }

    /// When to look again unless something is queued first.
    async fn next_due(&self) -> Instant {
        let wait = match self.queue.next_due(&self.sending.account).await {
            Ok(Some(due)) => Duration::try_from(due.duration_since(self.clock.now()))
                .unwrap_or_default()
                .min(POLL),
            Ok(None) => POLL,
            Err(error) => {
                self.lane.telemetry.store_failed("next_due", &error);
                POLL
            }
        };
        Instant::now() + wait.max(GATHER)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // Nothing that changes it can panic half way.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store_retry(&self) -> Duration {
        STORE_RETRY.mul_f64(0.5 + self.entropy.fraction())
    }
}

/// How many SMS a message takes; a template's text is the carrier's, and counts as none.
fn parts(message: &Message) -> usize {
    match &message.content {
        Content::Text(text) => segments(text),
        Content::Template { .. } => 0,
    }
}

fn reason(became: &Became) -> &str {
    match became {
        Became::Sent { .. } | Became::Released => "",
        Became::Retry { reason, .. } | Became::Dropped { reason } | Became::Dead { reason, .. } => {
            reason
        }
    }
}

fn counted(became: &Became) -> MessageResult {
    match became {
        Became::Sent { .. } => MessageResult::Sent,
        Became::Retry { .. } => MessageResult::Retried,
        Became::Released => MessageResult::Released,
        Became::Dropped { .. } => MessageResult::Dropped,
        Became::Dead {
            class:
                DeadClass::Rejected
                | DeadClass::RefusedIn200
                | DeadClass::Unwritable
                | DeadClass::TooLarge,
            ..
        } => MessageResult::Rejected,
        Became::Dead { class: DeadClass::Attempts, .. } => MessageResult::Attempts,
        Became::Dead { class: DeadClass::Age, .. } => MessageResult::Age,
        Became::Dead { class: DeadClass::Unknown | DeadClass::Unreadable, .. } => {
            MessageResult::Unknown
        }
    }
}
