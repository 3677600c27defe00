//! A store under test: in a directory or a database of its own, with a clock that the test moves.

use crate::ground::{Ground, SHARED};
use bridge8890::clock::{Clock, Entropy};
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{
    AccountName, AreaCode, Brand, CallbackSeq, Caller, Channel, Comment, ComplaintKind, Context,
    LaneName, Level, Meaning, MessageId, Outcome, Record, RecordId, RecordSeq, Revision, Rule,
    Scheme, Secret, ServiceNumber, Target, TargetType,
};
use bridge8890::store::{
    Callback, Concluded, ConcludedEntry, Conclusion, DeadClass, DeadCondition, DeadLetter,
    DeadOrder, DeadPage, Entry, KEY_LEN, KeyRing, LaneOptions, Lease, MemoryChange, MessageLane,
    NewMessage, Opaque, Operator, Options, OwnerToken, Place, RawRequest, RecordState, Remembered,
    Replayed, Retention, SendReport, Settled, Settlement, Share, Store, Work,
};
use bridge8890::telemetry::{Metrics, Progress};
use bytes::Bytes;
use jiff::Timestamp;
use std::time::Duration;

/// A store in a directory or a database of its own, with a clock that the test moves.
pub(crate) struct Bench {
    pub(crate) ground: Ground,
    /// In whose name conclusions are drawn.
    pub(crate) owner: Option<OwnerToken>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    /// The lanes from the next opening on.
    pub(crate) lanes: Vec<LaneOptions>,
    pub(crate) open: Option<(Store, Tasks)>,
}

pub(crate) fn ring() -> KeyRing {
    KeyRing::new(&Secret::new(vec![7; KEY_LEN]), &[]).expect("a key")
}

pub(crate) fn lane() -> LaneName {
    LaneName::new("province").expect("a name")
}

pub(crate) fn options(place: Place) -> Options {
    Options {
        place,
        lanes: vec![LaneOptions::of_everything(lane())],
        queue: 1024,
        max_group: 256,
        progress: Progress::new("writer"),
    }
}

impl Bench {
    pub(crate) fn place(&self) -> Place {
        self.ground.place()
    }

    pub(crate) async fn new() -> Bench {
        let clock = Clock::set_to(Timestamp::from_second(1_772_677_230).expect("a time"));
        let ground = Ground::new().await;
        let lanes = vec![LaneOptions::of_everything(lane())];
        let (entropy, owner) = (Entropy::seeded(1), None);
        let mut bench = Bench { ground, owner, clock, entropy, lanes, open: None };
        bench.reopen().await;
        bench
    }

    pub(crate) fn store(&self) -> &Store {
        &self.open.as_ref().expect("it is open").0
    }

    /// Ends the writer where it stands, as a kill would.
    pub(crate) async fn close(&mut self) {
        if let Some((store, tasks)) = self.open.take() {
            drop(store);
            tasks.abort();
            tasks.shut_down(Duration::from_secs(5), |_| ()).await;
        }
    }

    /// Ends the writer where it stands, and opens the store again.
    pub(crate) async fn reopen(&mut self) {
        self.close().await;
        let tasks = Tasks::new();
        let store = Store::open(
            &Options { lanes: self.lanes.clone(), ..options(self.place()) },
            ring(),
            self.clock.clone(),
            self.entropy.clone(),
            &Metrics::new().expect("a registry"),
            &tasks,
        )
        .await
        .expect("it opens");
        let year = Duration::from_secs(366 * 24 * 3600);
        let claim = store.claim(&Work::Dialogue, self.owner, year).await.expect("it claims");
        self.owner = claim.map(|claim| claim.token);
        self.open = Some((store, tasks));
    }

    /// Opens the store again as `reopen` does, when nothing is under a lease any more.
    pub(crate) async fn reopen_when_leases_end(&mut self) {
        if SHARED {
            self.clock.advance(Duration::from_secs(61));
        }
        self.reopen().await;
    }

    pub(crate) fn rating(&self, message: &str, level: Level) -> Callback {
        let now = self.clock.now();
        let record = Record {
            id: self.entropy.record_id(now),
            revision: Revision::FIRST,
            meaning: Meaning::Rating {
                level,
                target: Target { target_type: TargetType::Call, reference: None },
                scheme: Scheme::ASC,
            },
            account: account(),
            channel: Channel::Sms,
            campaign: "hotline".to_owned(),
            brand: Brand::Hotline12345,
            area: AreaCode::new("210100").ok(),
            channel_code: Some(6),
            caller: Some(Caller::read("13940000001", "86")),
            service: Some(ServiceNumber("8890".to_owned())),
            message_id: Some(MessageId(message.to_owned())),
            occurred_at: None,
            received_at: now,
            comment: Comment("等了三天".to_owned()),
            rule: Rule("C2".into()),
            context: Context::default(),
        };
        self.callback(message, Outcome::Rated, vec![record])
    }

    pub(crate) fn complaint(&self, message: &str) -> Callback {
        let mut callback = self.rating(message, Level::Fair);
        let kind = ComplaintKind::Grievance;
        let mut record = record(&callback).clone();
        record.meaning = Meaning::Complaint {
            kind,
            rating: None,
            deadlines: None,
            tags: Vec::new(),
            recordings: Vec::new(),
        };
        let share = Share::Decided { outcome: Outcome::Complaint, records: vec![record] };
        callback.entries[0].share = share;
        callback
    }

    /// A callback whose event is held.
    pub(crate) fn held(&self, message: &str) -> Callback {
        let mut callback = self.callback(message, Outcome::Noted, Vec::new());
        let event = format!("13940000001 {message}").into_bytes();
        callback.entries[0].share = Share::Held(Opaque(event));
        callback
    }

    pub(crate) fn callback(
        &self,
        dedupe: &str,
        outcome: Outcome,
        records: Vec<Record>,
    ) -> Callback {
        Callback {
            account: account(),
            received_at: self.clock.now(),
            raw: RawRequest {
                method: "POST".to_owned(),
                target: "/callback/aliyun-sms/up".to_owned(),
                headers: vec![("content-type".to_owned(), Bytes::from_static(b"text/plain"))],
                body: Bytes::from(format!("body of {dedupe}")),
            },
            nonce: None,
            entries: vec![Entry {
                dedupe: dedupe.to_owned(),
                resend: None,
                share: Share::Decided { outcome, records },
            }],
            garbled: Vec::new(),
        }
    }

    pub(crate) async fn commit(&self, callback: Callback) -> bool {
        self.store().commit(callback).await.expect("it commits").fresh[0]
    }

    /// A conclusion from the oldest held events, so far of nothing.
    pub(crate) async fn take(&self, events: u32) -> Conclusion {
        let held = self.store().inbox(None, events).await.expect("it reads");
        Conclusion { held: held.iter().map(|one| one.seq).collect(), ..Conclusion::default() }
    }

    pub(crate) async fn conclude(&self, conclusion: &Conclusion) -> Concluded {
        self.store().conclude(self.owned(conclusion.clone())).await.expect("it concludes")
    }

    /// A conclusion as the owner of the dialogue draws it.
    pub(crate) fn owned(&self, conclusion: Conclusion) -> Conclusion {
        Conclusion { owner: self.owner, ..conclusion }
    }

    /// What is remembered under a key.
    pub(crate) async fn recall(&self, key: &str) -> Option<Vec<u8>> {
        let recalled = self.store().recall(&[key]).await.expect("it recalls").remove(0);
        recalled.map(|bytes| bytes.0)
    }

    /// A message that may go out now, and expires in an hour.
    pub(crate) fn message(&self, text: &str) -> NewMessage {
        let now = self.clock.now();
        NewMessage {
            id: self.entropy.message_key(now),
            lane: MessageLane::of(&account()),
            not_before: now,
            expires: now + Duration::from_secs(3600),
            bytes: Opaque(format!("13940000001 {text}").into_bytes()),
        }
    }

    /// Commits keys until those before are filed as a run.
    pub(crate) async fn file_keys(&self, run: &str) {
        let mut crowd = self.callback("", Outcome::Noted, Vec::new());
        let one = crowd.entries.remove(0);
        let entry = |number| Entry { dedupe: format!("{run} {number}"), ..one.clone() };
        crowd.entries = (0..65_536).map(entry).collect();
        self.store().commit(crowd).await.expect("it commits");
        for number in 0..80 {
            self.commit(self.callback(&format!("{run} + {number}"), Outcome::Noted, Vec::new()))
                .await;
        }
    }

    /// Brings the ledger forward until it is up to date.
    pub(crate) async fn fold(&self) {
        // Once to the end of the rotation where it stands, and once through all of it.
        for _ in 0..2 {
            while self.store().fold_ledger(Duration::ZERO).await.expect("it folds") {}
        }
    }

    /// Erases all that is older than `keep` and in the ledger, which is all.
    pub(crate) async fn purge(&self, keep: Duration) {
        self.fold().await;
        let keep = Retention { callbacks: keep, records: keep, keys: keep };
        while self.store().purge(&keep, 1000).await.expect("it purges") > 0 {}
    }

    /// Changes the database behind the store's back.
    pub(crate) async fn sql(&self, sql: &'static str) {
        self.ground.sql(sql).await;
    }

    /// Whether this stands anywhere in what is stored, as it is.
    pub(crate) async fn holds_in_the_clear(&self, secret: &str) -> bool {
        let holds = |part: &Vec<u8>| part.windows(secret.len()).any(|it| it == secret.as_bytes());
        self.ground.everything().await.iter().any(holds)
    }

    pub(crate) async fn lease(&self, max: usize) -> Lease {
        let until = self.clock.now() + Duration::from_secs(60);
        self.store().lease(&lane(), max, until).await.expect("it leases")
    }

    pub(crate) async fn settle(&self, lease: &Lease, items: Vec<(RecordSeq, Settled)>) -> usize {
        let settlement = Settlement {
            lane: lane(),
            token: lease.token,
            report: SendReport {
                started_at: self.clock.now(),
                took: Duration::from_millis(3),
                status: Some(200),
                answer: String::new(),
            },
            items,
        };
        self.store().settle(settlement).await.expect("it settles")
    }

    pub(crate) async fn settle_all(&self, lease: &Lease, verdict: Settled) -> usize {
        let items = lease.items.iter().map(|item| (item.seq, verdict.clone())).collect();
        self.settle(lease, items).await
    }

    /// Gives up all that is due.
    pub(crate) async fn bury(&self, class: DeadClass, reason: &str) {
        let lease = self.lease(100).await;
        self.settle_all(&lease, Settled::Dead { class, reason: reason.to_owned() }).await;
    }

    /// Dead letters of which all of this holds, the first to die first.
    pub(crate) async fn dead(&self, conditions: &[DeadCondition]) -> Vec<DeadLetter> {
        let page = DeadPage { order: DeadOrder::Oldest, behind: None, limit: 100 };
        self.operator().await.dead_letters(conditions, page).await.expect("it reads")
    }

    /// Puts dead letters back, in a run of its own.
    pub(crate) async fn replay(&self, letters: &[DeadLetter]) -> Replayed {
        let places: Vec<_> = letters.iter().map(|letter| letter.place).collect();
        let (operator, now) = (self.operator().await, self.clock.now());
        let run = operator.begin_replay("li", "all", now).await.expect("it begins");
        operator.replay(run, &places, now).await.expect("it replays")
    }

    pub(crate) async fn operator(&self) -> Operator {
        Operator::open(&self.place(), ring()).await.expect("it opens")
    }

    pub(crate) async fn state(&self, id: RecordId) -> RecordState {
        let history = self.operator().await.history(id).await.expect("it reads");
        history.last().expect("it is there").state.clone()
    }
}

/// The first record of the first event.
pub(crate) fn record(callback: &Callback) -> &Record {
    match &callback.entries[0].share {
        Share::Decided { records, .. } => records.first(),
        Share::Held(_) => None,
    }
    .expect("a record")
}

/// The first record of an event, to be changed.
pub(crate) fn record_mut(entry: &mut Entry) -> &mut Record {
    match &mut entry.share {
        Share::Decided { records, .. } => records.first_mut(),
        Share::Held(_) => None,
    }
    .expect("a record")
}

/// What a conclusion makes of a callback.
pub(crate) fn entry(callback: CallbackSeq, outcome: Outcome, records: &[Record]) -> ConcludedEntry {
    ConcludedEntry {
        account: account(),
        callback,
        received_at: records.first().map_or(Timestamp::UNIX_EPOCH, |record| record.received_at),
        dedupe: None,
        outcome,
        records: records.to_vec(),
    }
}

/// Has a key lead to a value from now on.
pub(crate) fn remember(key: &str, value: &[u8], wake_at: Option<Timestamp>) -> MemoryChange {
    let to = Some(Remembered { bytes: Opaque(value.to_vec()), wake_at });
    MemoryChange { key: key.to_owned(), to }
}

pub(crate) fn account() -> AccountName {
    AccountName::new("aliyun-sms").expect("a name")
}

pub(crate) fn messages(lease: &Lease) -> Vec<String> {
    let message = |item: &bridge8890::store::Leased| {
        item.record.message_id.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    lease.items.iter().map(message).collect()
}
