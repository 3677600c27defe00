//! The loop of a lane: sees what is due, leases no more than can be started now, and starts a
//! task for each batch, which sends and settles it.

use super::backoff::{Backoff, BadBackoff};
use super::batch::{Batching, Size};
use super::flight::{Flight, Landed, released, sift};
use super::lane::{BadLane, Lane, Pass, Slot};
use super::orders::Watch;
use super::platform::{Platform, PlatformError, Sent};
use super::profile::{Profile, Written};
use super::verdict::Verdict;
use crate::clock::{Clock, Entropy};
use crate::config::Destination;
use crate::lifecycle::Tasks;
use crate::model::LaneName;
use crate::store::{
    DeadClass, Lease, LeaseToken, Leased, SendReport, Settled, Settlement, Store, StoreError,
};
use crate::telemetry::egress::{Egress, RecordResult, RequestResult};
use crate::telemetry::identity::Identity;
use crate::telemetry::{Metrics, Progress};
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// The longest time without looking, should a wake-up be lost.
const POLL: Duration = Duration::from_secs(1);

/// The shortest time between two looks of which the first left nothing due. A lone record does
/// not wait for it; a stream of them gathers into batches.
const GATHER: Duration = Duration::from_millis(5);

/// What a lease must last beyond its request's deadline, for the settlement.
const MARGIN: Duration = Duration::from_secs(1);

/// The wait before the store is asked again after it refused.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// What the history says of records that had no turn.
const NO_TURN: &str =
    "not sent: no turn before the lease or the gateway ended, or the lane was held";

/// What the history says of records that lack something.
const NOT_WRITTEN: &str = "not sent: it lacks what the destination's profile needs";

/// Why a destination cannot be forwarded to.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// Batches would be empty.
    #[error("destination.max_batch must be at least 1")]
    NoBatch,
    /// Two senders could have one record at once.
    #[error("destination.lease must be at least 1s longer than destination.request_timeout")]
    LeaseTooShort,
    /// The back-off makes no sense.
    #[error("destination.{0}")]
    Backoff(#[from] BadBackoff),
    /// The lane makes no sense.
    #[error("destination.{0}")]
    Lane(#[from] BadLane),
    /// No request can be made.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

/// Forwards the records of one destination until the soft stop; batches under way are finished.
///
/// # Errors
/// [`EgressError`] when the destination's configuration makes no sense.
pub fn start(
    destination: &Destination,
    store: Store,
    (clock, entropy): (Clock, Entropy),
    (metrics, progress): (&Metrics, Progress),
    tasks: &Tasks,
) -> Result<(), EgressError> {
    if destination.queueing.max_batch == 0 {
        return Err(EgressError::NoBatch);
    }
    let profile = Profile::new(destination);
    let batching = Batching::new(&destination.queueing, destination.profile.most_in_a_batch());
    if destination.lease < destination.request_timeout + MARGIN {
        return Err(EgressError::LeaseTooShort);
    }
    let telemetry = Egress::new(metrics, &destination.name);
    telemetry.batches(batching.limit().records, batching.limit().bytes);
    let lane = Lane::paced(destination, telemetry, entropy.clone())?;
    let (name, lane) = (destination.name.clone(), Arc::new(lane));
    let watch = Arc::new(Watch::new(name.clone(), Arc::clone(&lane), store.clone(), clock.clone()));
    let driver = Arc::new(Driver {
        name,
        lane,
        store,
        profile,
        platform: Platform::new(
            destination,
            (clock.clone(), entropy.clone()),
            Identity::new(metrics, &destination.name),
        )?,
        backoff: Backoff::new(&destination.backoff)?,
        batching: Mutex::new(batching),
        lease: destination.lease,
        clock,
        entropy,
        tasks: tasks.clone(),
        progress,
    });
    let stop = tasks.clone();
    tasks.spawn_watched(&watch.progress(), move || Arc::clone(&watch).run(stop.clone()));
    tasks.spawn_watched(&driver.progress.clone(), move || Arc::clone(&driver).run());
    Ok(())
}

struct Driver {
    name: LaneName,
    lane: Arc<Lane<Egress>>,
    store: Store,
    profile: Profile,
    platform: Platform,
    backoff: Backoff,
    batching: Mutex<Batching>,
    lease: Duration,
    clock: Clock,
    entropy: Entropy,
    tasks: Tasks,
    progress: Progress,
}

/// What a look at the queue found.
enum Found {
    /// As much as could be started: there may be more.
    Plenty,
    /// All that was due.
    Rest,
    /// Nothing, or nothing that may not wait for company until then.
    Nothing(Option<Timestamp>),
}

/// A lease as its batches need it.
#[derive(Debug, Clone, Copy)]
struct Term {
    token: LeaseToken,
    ends: Instant,
}

impl Driver {
    async fn run(self: Arc<Self>) {
        let mut stopping = pin!(self.tasks.stopping());
        let mut commits = self.store.commits();
        loop {
            let slots = tokio::select! {
                biased;
                () = &mut stopping => return,
                slots = self.lane.slots() => slots,
            };
            // Seen before looking, so that nothing is committed unnoticed in between.
            commits.borrow_and_update();
            let looked_at = Instant::now();
            self.progress.begin("leasing what is due");
            let pause = match self.look(slots).await {
                Ok(Found::Plenty) => {
                    // The next slot may be long in coming: a lane that is full, held or paused is no worker that hangs.
                    self.progress.rest();
                    continue;
                }
                Ok(Found::Nothing(until)) => {
                    self.progress.begin("looking when the next is due");
                    let due = self.next_look(until).await;
                    self.progress.rest();
                    tokio::select! {
                        biased;
                        () = &mut stopping => return,
                        _ = commits.changed() => {}
                        () = sleep_until(due) => {}
                    }
                    GATHER
                }
                Ok(Found::Rest) => GATHER,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    self.lane.telemetry.store_failed("lease", &error);
                    self.store_retry()
                }
            };
            self.progress.rest();
            tokio::select! {
                biased;
                () = &mut stopping => return,
                () = sleep_until(looked_at + pause) => {}
            }
        }
    }

    /// Leases what fits into `slots` and starts it.
    async fn look(self: &Arc<Self>, slots: Vec<Slot<Egress>>) -> Result<Found, StoreError> {
        let now = self.clock.now();
        if let Some(nothing) = self.waits_for_company(now).await? {
            return Ok(nothing);
        }
        let most = self.batching().records();
        let asked = slots.len().saturating_mul(most);
        let until = now.checked_add(self.lease).unwrap_or(Timestamp::MAX);
        let ends = Instant::now() + self.lease;
        let Lease { token, items, unreadable, .. } =
            self.store.lease(&self.name, asked, until).await?;
        self.lane.telemetry.oldest(oldest(&items, now));
        for _ in 0..unreadable {
            self.lane.telemetry.settled(RecordResult::Unreadable);
        }
        let found = match items.len() + unreadable {
            0 => Found::Nothing(None),
            some if some < asked => Found::Rest,
            _ => Found::Plenty,
        };
        let mut items = items.into_iter().peekable();
        for slot in slots {
            if items.peek().is_none() {
                break;
            }
            let batch: Vec<Leased> = items.by_ref().take(most).collect();
            let pass = self.lane.begin(slot);
            let batch = Arc::clone(self).forward(pass, Term { token, ends }, batch);
            // The task belongs to `tasks`, and the batch to its lease: nobody waits for it here.
            drop(self.tasks.spawn("batch to the platform", batch));
        }
        Ok(found)
    }

    /// Whether nothing is to be leased yet, because what is due waits for more to go with.
    async fn waits_for_company(&self, now: Timestamp) -> Result<Option<Found>, StoreError> {
        let batching = self.batching().clone();
        if !batching.delays() {
            return Ok(None);
        }
        let due = self.store.due(&self.name, batching.records()).await;
        let due = due.map_err(|error| StoreError::Database(error.to_string()))?;
        if due.since.is_none() {
            // What is committed from here on is looked at anew, or it would go alone.
            return Ok(Some(Found::Nothing(None)));
        }
        Ok(batching.waits_until(&due, now).map(|until| Found::Nothing(Some(until))))
    }

    /// Sends a batch and settles it.
    async fn forward(self: Arc<Self>, mut pass: Pass<Egress>, term: Term, batch: Vec<Leased>) {
        let mut flight = Flight::new(batch);
        let mut unwritten = Landed::new();
        let mut is_whole = true;
        while self.may_send(&mut pass, term).await {
            let Some((batch, request)) = self.write_next(&mut flight, &mut unwritten) else {
                break;
            };
            let size = Size { records: batch.len(), bytes: request.body().len() };
            let sent = self.platform.send(request, |answer| self.profile.disowns(answer)).await;
            let now = self.clock.now();
            let verdict =
                Verdict::of(&sent.answer, |answer| self.profile.read(answer, &batch, now));
            self.learn(&verdict, size, std::mem::take(&mut is_whole));
            let summary = verdict.summary().into_owned();
            self.lane.telemetry.sent(result(&verdict), batch.len(), sent.took, &summary);
            // What says nothing leaves a probe a probe, for the next request of this flight or another.
            if let Some(health) = verdict.health(&batch) {
                pass.report(health, &summary);
            }
            let jitter = || self.entropy.fraction();
            let landed = flight.land(batch, verdict, &self.backoff, now, jitter);
            if flight.is_over() {
                // The next batch need not wait until this one is settled.
                drop(pass);
                self.settle(term, report(&sent, summary), landed).await;
                break;
            }
            self.settle(term, report(&sent, summary), landed).await;
        }
        self.settle(term, self.unsent(NO_TURN), flight.release()).await;
        self.settle(term, self.unsent(NOT_WRITTEN), unwritten).await;
    }

    /// Writes what is to be sent next, no larger than may be, and gives up what cannot be written:
    /// that is settled last, since a request whose turn has come waits for nothing.
    fn write_next(
        &self,
        flight: &mut Flight,
        unwritten: &mut Landed,
    ) -> Option<(Vec<Leased>, Request<Bytes>)> {
        while let Some(batch) = flight.next_batch() {
            let Written { request, unwritable } =
                self.profile.write(&batch, self.clock.now(), &self.entropy);
            let (batch, given_up) = sift(batch, &unwritable);
            unwritten.extend(given_up);
            let Some(request) = request else {
                unwritten.extend(released(&batch));
                continue;
            };
            let size = Size { records: batch.len(), bytes: request.body().len() };
            if self.batching().admits(size) {
                return Some((batch, request));
            }
            flight.halve(batch);
        }
        None
    }

    /// Learns how much the platform takes at once. Of what it refuses, a whole batch tells.
    fn learn(&self, verdict: &Verdict, size: Size, is_whole: bool) {
        let mut batching = self.batching();
        match verdict {
            Verdict::TooLarge { .. } if is_whole => batching.refused(size),
            Verdict::Each(_) => batching.taken(size),
            _ => return,
        }
        self.lane.telemetry.batches(batching.limit().records, batching.limit().bytes);
    }

    fn batching(&self) -> MutexGuard<'_, Batching> {
        // Nothing that changes it can panic half way.
        self.batching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports that nothing was sent, and why.
    fn unsent(&self, why: &str) -> SendReport {
        let (started_at, took) = (self.clock.now(), Duration::ZERO);
        SendReport { started_at, took, status: None, answer: why.to_owned() }
    }

    /// Waits for the next request's turn, and says whether it may still be sent.
    async fn may_send(&self, pass: &mut Pass<Egress>, term: Term) -> bool {
        // A request is over before its lease is: at no time do two senders have one record.
        let Some(latest) = term.ends.checked_sub(self.platform.timeout()) else { return false };
        tokio::select! {
            biased;
            () = pass.turn() => {}
            // Whoever need not wait is finished.
            () = self.tasks.stopping() => return false,
            () = sleep_until(latest) => return false,
        }
        Instant::now() < latest && pass.may_go_on()
    }

    /// Settles, and asks again while the lease lasts. After that the records are due again by
    /// themselves, and go out under the same keys.
    async fn settle(&self, term: Term, report: SendReport, items: Landed) {
        if items.is_empty() {
            return;
        }
        let settlement = Settlement { lane: self.name.clone(), token: term.token, report, items };
        while Instant::now() < term.ends {
            match timeout_at(term.ends, self.store.settle(settlement.clone())).await {
                Ok(Ok(lost)) => {
                    self.lane.telemetry.lost(lost);
                    for (_, settled) in &settlement.items {
                        self.lane.telemetry.settled(record_result(settled));
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
        self.lane.telemetry.lost(settlement.items.len());
    }

    /// When to look again unless something is committed first: when what waits for company has waited long enough, or
    /// when the next is due.
    async fn next_look(&self, until: Option<Timestamp>) -> Instant {
        let due = match until {
            Some(until) => Ok(Some(until)),
            None => self.store.next_due(&self.name).await,
        };
        let wait = match due {
            Ok(Some(due)) => Duration::try_from(due.duration_since(self.clock.now()))
                .unwrap_or_default()
                .min(POLL),
            Ok(None) => POLL,
            Err(error) => {
                self.lane.telemetry.store_failed("next_due", &error);
                POLL
            }
        };
        Instant::now() + wait
    }

    fn store_retry(&self) -> Duration {
        STORE_RETRY.mul_f64(0.5 + self.entropy.fraction())
    }
}

fn report(sent: &Sent, answer: String) -> SendReport {
    SendReport {
        started_at: sent.started_at,
        took: sent.took,
        status: sent.answer.as_ref().ok().map(|answer| answer.status.as_u16()),
        answer,
    }
}

fn oldest(items: &[Leased], now: Timestamp) -> Duration {
    let oldest = items.iter().map(|leased| leased.queued_at).min();
    let age = oldest.map(|oldest| Duration::try_from(now.duration_since(oldest)));
    age.and_then(Result::ok).unwrap_or_default()
}

fn result(verdict: &Verdict) -> RequestResult {
    match verdict {
        Verdict::Each(_) => RequestResult::Answered,
        Verdict::Refused(_) | Verdict::Again(_) => RequestResult::Refused,
        Verdict::RefusedIn200(_) => RequestResult::RefusedIn200,
        Verdict::TooLarge { .. } => RequestResult::TooLarge,
        Verdict::Throttled(_) => RequestResult::Throttled,
        Verdict::Failed(_) => RequestResult::Failed,
        Verdict::Unknown(_) => RequestResult::Unknown,
        Verdict::Fault(_) => RequestResult::Fault,
    }
}

fn record_result(settled: &Settled) -> RecordResult {
    match settled {
        Settled::Delivered => RecordResult::Delivered,
        Settled::Retry { .. } => RecordResult::Retried,
        Settled::Released => RecordResult::Released,
        Settled::Dead { class: DeadClass::Rejected, .. } => RecordResult::Rejected,
        Settled::Dead { class: DeadClass::RefusedIn200, .. } => RecordResult::RefusedIn200,
        Settled::Dead { class: DeadClass::Unwritable, .. } => RecordResult::Unwritable,
        Settled::Dead { class: DeadClass::TooLarge, .. } => RecordResult::TooLarge,
        Settled::Dead { class: DeadClass::Attempts, .. } => RecordResult::Attempts,
        Settled::Dead { class: DeadClass::Age, .. } => RecordResult::Age,
        Settled::Dead { class: DeadClass::Unknown, .. } => RecordResult::Unknown,
        Settled::Dead { class: DeadClass::Unreadable, .. } => RecordResult::Unreadable,
    }
}
