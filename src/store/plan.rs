//! What a group comes to: for each event whether it is new, and its place in the order.

use super::callback::Opaque;
use super::case::Ties;
use super::job::{CommitJob, ConcludeJob, Item, NoncePrints, RereadJob, SealedRecord, SealedShare};
use super::keys::{KeyEntry, KeyIndex, KeyKind, Known};
use super::lanes::Passed;
use super::look::Matched;
use super::seal::Fingerprint;
use super::standing::Standing;
use super::{Committed, Concluded, StoreError};
use crate::model::{CallbackSeq, Outcome, Revision};
use std::collections::HashMap;
use uuid::Uuid;

/// The next places in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) callback: i64,
    pub(super) record: i64,
}

/// What an engine looked up of keys before a group: where they lead, and when that arrived.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The callbacks that keys lead to.
    pub(super) seqs: HashMap<Fingerprint, i64>,
    /// When the callbacks arrived that business keys lead to, in milliseconds.
    pub(super) arrivals: HashMap<i64, i64>,
}

/// All that is known of keys: what memory has of them, where an engine keeps them there, and what was looked up.
#[derive(Clone, Copy)]
pub(super) struct KnownKeys<'a> {
    pub(super) recent: Option<&'a KeyIndex>,
    pub(super) found: &'a Found,
}

/// A record row; its place is that in the plan, from the first on.
#[derive(Debug)]
pub(super) struct PlannedRecord {
    pub(super) id: Uuid,
    pub(super) revision: u32,
    pub(super) callback: i64,
    pub(super) received_at: i64,
    pub(super) urgent: bool,
    pub(super) level: Option<u8>,
    pub(super) account: String,
    pub(super) caller: Option<Fingerprint>,
    pub(super) sealed: Vec<u8>,
}

/// A note row.
pub(super) type NoteTuple =
    (i64, i64, String, i64, &'static str, Option<i64>, Option<&'static str>, Option<String>);

/// An event that is held, not yet sealed.
pub(super) struct HeldRow {
    pub(super) callback: i64,
    pub(super) item: i64,
    pub(super) account: String,
    pub(super) received_at: i64,
    pub(super) bytes: Opaque,
}

/// What a group comes to, before it is written.
pub(super) struct Plan {
    pub(super) records: Vec<PlannedRecord>,
    pub(super) first_record: i64,
    pub(super) next_record: i64,
    /// Records and revisions before which others leave the queue.
    pub(super) revised: Vec<(Uuid, u32)>,
    /// Records that are tied to others, or to a day.
    pub(super) tied: Vec<(i64, Ties)>,
    /// Records that some lanes do not want.
    pub(super) passed: Vec<(i64, Passed)>,
    pub(super) notes: Vec<NoteTuple>,
    pub(super) held: Vec<HeldRow>,
    pub(super) keys: Vec<KeyEntry>,
    /// What each callback is told.
    pub(super) committed: Vec<Result<Committed, StoreError>>,
    /// When the newest of it arrived.
    pub(super) received_at: i64,
}

/// The callback that something came from.
#[derive(Clone, Copy)]
struct Source<'a> {
    seq: i64,
    received_at: i64,
    account: &'a str,
}

/// An earlier callback that an event repeats.
#[derive(Clone, Copy)]
struct Repeated {
    callback: i64,
    matched: Matched,
}

/// Decides about the callbacks of a commit group, and gives each its place in the order.
pub(super) fn commits(places: &mut Places, known: KnownKeys<'_>, jobs: &mut [CommitJob]) -> Plan {
    let mut plan = Plan::new(places.record, jobs.len());
    let mut seen = Seen::new(known, jobs.len());
    for job in jobs {
        if job.nonce.is_some_and(|nonce| !seen.admits(nonce, places.callback)) {
            plan.committed.push(Err(StoreError::Replayed));
            continue;
        }
        let source = Source {
            seq: places.callback,
            received_at: job.callback.received_at.as_millisecond(),
            account: job.callback.account.as_str(),
        };
        places.callback += 1;
        plan.received_at = plan.received_at.max(source.received_at);
        let mut fresh = Vec::with_capacity(job.items.len());
        for (item, number) in job.items.iter_mut().zip(0_i64..) {
            let repeated = seen.judge(item, source);
            fresh.push(repeated.is_none());
            plan.item(item, number, source, repeated);
        }
        // What could not be read is noted after the events that could.
        let first = i64::try_from(job.items.len()).unwrap_or(i64::MAX);
        for (_, number) in job.callback.garbled.iter().zip(first..) {
            plan.garbled(number, source, None);
        }
        plan.committed.push(Ok(Committed { seq: CallbackSeq(source.seq), fresh }));
    }
    plan.keys.extend(seen.into_keys());
    places.record = plan.next_record;
    plan
}

/// What a quarantined callback is already noted for.
pub(super) struct Noted {
    /// The place of its first unreadable item: all before it are taken.
    pub(super) first_garbled: i64,
    /// The callbacks that its events repeat.
    pub(super) repeats: Vec<i64>,
}

/// Decides about a quarantined callback that was read again. Numbers go on where its unreadable
/// items began, so that those which stay unreadable follow whatever was ever contributed. Tells
/// beside the plan which events are new.
pub(super) fn reread(
    places: &mut Places,
    known: KnownKeys<'_>,
    job: &mut RereadJob,
    mut noted: Noted,
    now: i64,
) -> (Plan, Vec<bool>) {
    let mut plan = Plan::new(places.record, 1);
    let mut seen = Seen::new(known, job.items.len());
    let source = Source {
        seq: job.seq.0,
        received_at: job.received_at.as_millisecond(),
        account: job.account.as_str(),
    };
    // Keys count from now, as this reading may itself be repeated.
    plan.received_at = now;
    let mut number = noted.first_garbled;
    let mut fresh = Vec::with_capacity(job.items.len());
    for item in &mut job.items {
        let repeated = seen.judge(item, source);
        fresh.push(repeated.is_none());
        if repeated.is_some_and(|repeated| noted.holds(source.seq, repeated)) {
            continue;
        }
        plan.item(item, number, source, repeated);
        number += 1;
    }
    for (problem, number) in job.garbled.iter().zip(number..) {
        plan.garbled(number, source, Some(problem.clone()));
    }
    plan.keys.extend(seen.into_keys());
    places.record = plan.next_record;
    (plan, fresh)
}

/// Decides about the conclusions of a group. Tells beside the plan what each comes to.
pub(super) fn conclusions(
    places: &mut Places,
    known: KnownKeys<'_>,
    mut standing: Standing,
    jobs: &mut [ConcludeJob],
    now: i64,
) -> (Plan, Vec<Concluded>) {
    let mut plan = Plan::new(places.record, jobs.len());
    let mut seen = Seen::new(known, jobs.len());
    plan.received_at = now;
    let mut concluded = Vec::with_capacity(jobs.len());
    for job in jobs {
        if !standing.admits(job) {
            concluded.push(Concluded::Void);
            continue;
        }
        let mut fresh = Vec::with_capacity(job.items.len());
        for item in &mut job.items {
            let source = Source {
                seq: item.callback.0,
                received_at: item.received_at.as_millisecond(),
                account: item.account.as_str(),
            };
            let repeated = item.dedupe.and_then(|dedupe| seen.repeats(dedupe));
            fresh.push(repeated.is_none());
            if repeated.is_none() {
                seen.added.extend(item.dedupe.map(|dedupe| (dedupe, source.seq)));
            }
            if repeated.is_some() || item.records.is_empty() {
                let number = standing.next_note(item.callback);
                plan.note(item.outcome, number, source, repeated);
            } else {
                plan.records(std::mem::take(&mut item.records), source);
            }
        }
        concluded.push(Concluded::Done { fresh });
    }
    plan.keys.extend(seen.into_keys());
    places.record = plan.next_record;
    (plan, concluded)
}

impl Noted {
    /// Whether this was contributed before: by the callback itself, or as a repeat of another.
    fn holds(&mut self, callback: i64, repeated: Repeated) -> bool {
        if repeated.callback == callback {
            return true;
        }
        let place = self.repeats.iter().position(|earlier| *earlier == repeated.callback);
        place.map(|place| self.repeats.swap_remove(place)).is_some()
    }
}

impl Plan {
    fn new(first_record: i64, callbacks: usize) -> Plan {
        Plan {
            records: Vec::with_capacity(callbacks),
            first_record,
            next_record: first_record,
            revised: Vec::new(),
            tied: Vec::new(),
            passed: Vec::new(),
            notes: Vec::new(),
            held: Vec::new(),
            keys: Vec::with_capacity(callbacks * 2),
            committed: Vec::with_capacity(callbacks),
            received_at: 0,
        }
    }

    fn item(&mut self, item: &mut Item, number: i64, from: Source<'_>, repeated: Option<Repeated>) {
        match &mut item.share {
            SealedShare::Held(bytes) if repeated.is_none() => self.held.push(HeldRow {
                callback: from.seq,
                item: number,
                account: from.account.to_owned(),
                received_at: from.received_at,
                bytes: std::mem::take(bytes),
            }),
            SealedShare::Held(_) => self.note(Outcome::Held, number, from, repeated),
            SealedShare::Decided { records, .. } if repeated.is_none() && !records.is_empty() => {
                self.records(std::mem::take(records), from);
            }
            SealedShare::Decided { outcome, .. } => self.note(*outcome, number, from, repeated),
        }
    }

    fn note(
        &mut self,
        outcome: Outcome,
        number: i64,
        from: Source<'_>,
        repeated: Option<Repeated>,
    ) {
        let (account, outcome) = (from.account.to_owned(), outcome.name());
        let callback = repeated.map(|earlier| earlier.callback);
        let matched = repeated.map(|earlier| earlier.matched.name());
        self.notes.push((
            from.seq,
            number,
            account,
            from.received_at,
            outcome,
            callback,
            matched,
            None,
        ));
    }

    fn records(&mut self, records: Vec<SealedRecord>, from: Source<'_>) {
        for mut record in records {
            let ties = std::mem::take(&mut record.ties);
            if !ties.are_none() {
                self.tied.push((self.next_record, ties));
            }
            self.record(&mut record, from);
        }
    }

    fn record(&mut self, record: &mut SealedRecord, from: Source<'_>) {
        let seq = self.next_record;
        self.next_record += 1;
        if let Some(print) = record.caller {
            self.keys.push(KeyEntry { kind: KeyKind::Caller, print, seq });
        }
        let (revision, received_at) = (record.revision.0, from.received_at);
        self.records.push(PlannedRecord {
            id: record.id.0,
            revision,
            callback: from.seq,
            received_at,
            urgent: record.urgent,
            level: record.level,
            account: from.account.to_owned(),
            caller: record.caller,
            sealed: std::mem::take(&mut record.sealed),
        });
        if record.passed != Passed::default() {
            self.passed.push((seq, record.passed));
        }
        if record.revision > Revision::FIRST {
            self.revised.push((record.id.0, revision));
        }
    }

    fn garbled(&mut self, number: i64, from: Source<'_>, problem: Option<String>) {
        let (account, outcome) = (from.account.to_owned(), Outcome::Garbled.name());
        self.notes.push((
            from.seq,
            number,
            account,
            from.received_at,
            outcome,
            None,
            None,
            problem,
        ));
    }
}

/// Which keys were seen: in this group, in memory, or in filed runs.
struct Seen<'a> {
    known: KnownKeys<'a>,
    /// What this group adds.
    added: HashMap<Fingerprint, i64>,
    /// When callbacks of this group arrived, as far as business keys lead to them.
    arrivals: HashMap<i64, i64>,
}

impl<'a> Seen<'a> {
    fn new(known: KnownKeys<'a>, events: usize) -> Seen<'a> {
        Seen { known, added: HashMap::with_capacity(events), arrivals: HashMap::new() }
    }

    /// The callback that a key leads to.
    fn leads_to(&self, print: Fingerprint) -> Option<i64> {
        let earlier = self.added.get(&print).or_else(|| self.known.found.seqs.get(&print)).copied();
        earlier.or_else(|| match self.known.recent?.look_up(print) {
            Known::Seen(seq) => Some(seq),
            Known::New | Known::Perhaps(_) => None,
        })
    }

    /// Whether a token is new or says what it said before; a new one is remembered.
    fn admits(&mut self, nonce: NoncePrints, callback: i64) -> bool {
        let known = self.leads_to(nonce.token).is_some();
        if !known {
            self.added.insert(nonce.token, callback);
            self.added.insert(nonce.content, callback);
        }
        !known || self.leads_to(nonce.content).is_some()
    }

    /// Which earlier callback an event repeats, if it does. Its keys are known from now on.
    fn judge(&mut self, item: &Item, from: Source<'_>) -> Option<Repeated> {
        if let Some(repeated) = self.repeats(item.dedupe) {
            return Some(repeated);
        }
        let resent = self.resent(item, from);
        // Repeats of a resent event lead to the callback that counted, like the event itself.
        self.added.insert(item.dedupe, resent.unwrap_or(from.seq));
        resent.map(|callback| Repeated { callback, matched: Matched::Resend })
    }

    /// Which earlier callback an event repeats by this dedupe key.
    fn repeats(&self, dedupe: Fingerprint) -> Option<Repeated> {
        let callback = self.leads_to(dedupe)?;
        Some(Repeated { callback, matched: Matched::Id })
    }

    /// Which callback told of the same under another id, within the window. When none did, the
    /// business key leads here from now on, unless a callback read again is older than what it
    /// leads to.
    fn resent(&mut self, item: &Item, from: Source<'_>) -> Option<i64> {
        let resend = item.resend.as_ref()?;
        let earlier = self.leads_to(resend.print);
        let near = earlier.filter(|earlier| {
            let arrival = self.arrivals.get(earlier).copied();
            let arrival = arrival.or_else(|| self.known.found.arrivals.get(earlier).copied());
            // A clock that was set back must not stretch the window.
            arrival.is_some_and(|arrival| {
                u128::from(from.received_at.abs_diff(arrival)) <= resend.window.as_millis()
            })
        });
        if near.is_none() && earlier.is_none_or(|earlier| earlier < from.seq) {
            self.added.insert(resend.print, from.seq);
            self.arrivals.insert(from.seq, from.received_at);
        }
        near
    }

    fn into_keys(self) -> impl Iterator<Item = KeyEntry> {
        let entry = |(print, seq)| KeyEntry { kind: KeyKind::Dedupe, print, seq };
        self.added.into_iter().map(entry)
    }
}
