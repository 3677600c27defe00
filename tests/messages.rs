//! Messages from a queue to a carrier: every built-in dialect against the stand-in, and what
//! becomes of a message in every mood of it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use bridge8890::clock::{Clock, Entropy};
use bridge8890::config::{self, Environment, Sending};
use bridge8890::dialogue::{News, memory};
use bridge8890::egress::messages::{self, Became, Queue, RecallError};
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{
    AccountName, Content, Message, MessageKey, MessageKind, Msisdn, Secret, Unrated,
};
use bridge8890::standin::sms::{Mood, Options, SmsCarrier, Speech};
use bridge8890::store::{
    DeadClass, LeaseToken, LeasedMessage, MessageLease, Opaque, ReadError, StoreError,
};
use bridge8890::telemetry::{Health, Metrics};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// A queue in memory that does what the store does.
#[derive(Clone)]
struct Memory {
    clock: Clock,
    rows: Arc<Mutex<BTreeMap<MessageKey, Row>>>,
    changed: Arc<watch::Sender<()>>,
}

struct Row {
    due: Timestamp,
    token: i64,
    attempt: u32,
    in_doubt: bool,
    bytes: Option<Vec<u8>>,
    settled: Vec<Became>,
    news: Option<News>,
}

impl Row {
    fn is_over(&self) -> bool {
        matches!(
            self.settled.last(),
            Some(Became::Sent { .. } | Became::Dropped { .. } | Became::Dead { .. })
        )
    }
}

impl Memory {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<MessageKey, Row>> {
        self.rows.lock().expect("nobody panics while holding it")
    }

    fn put(&self, message: &Message, in_doubt: bool) {
        let row = Row {
            due: message.not_before,
            token: 0,
            attempt: u32::from(in_doubt),
            in_doubt,
            bytes: Some(memory::write(message)),
            settled: Vec::new(),
            news: None,
        };
        self.rows().insert(message.key, row);
        self.changed.send_replace(());
    }

    /// Puts one that cannot be opened.
    fn put_sealed(&self, message: &Message) {
        self.put(message, false);
        self.rows().entry(message.key).and_modify(|row| row.bytes = None);
    }

    /// Waits until nothing more will happen to a message by itself.
    async fn end_of(&self, key: MessageKey) -> (Vec<Became>, Option<News>) {
        for _ in 0..2_000 {
            if let Some(row) = self.rows().get(&key).filter(|row| row.is_over()) {
                return (row.settled.clone(), row.news.clone());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the message has no end: {:?}", self.rows()[&key].settled);
    }
}

impl Queue for Memory {
    async fn lease(
        &self,
        _: &AccountName,
        max: usize,
        until: Timestamp,
    ) -> Result<MessageLease, StoreError> {
        let now = self.clock.now();
        let mut items = Vec::new();
        for (key, row) in self.rows().iter_mut().filter(|(_, row)| !row.is_over()) {
            if row.due <= now && items.len() < max {
                row.in_doubt |= row.token != 0;
                (row.due, row.token, row.attempt) = (until, 7, row.attempt + 1);
                items.push(LeasedMessage {
                    id: *key,
                    attempt: row.attempt,
                    in_doubt: row.in_doubt,
                    queued_at: now,
                    expires: Timestamp::MAX,
                    bytes: row.bytes.clone().map(Opaque),
                });
            }
        }
        Ok(MessageLease { token: LeaseToken(7), until, items })
    }

    async fn settle(
        &self,
        token: LeaseToken,
        message: MessageKey,
        became: Became,
        news: Option<Vec<u8>>,
    ) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let Some(row) = rows.get_mut(&message).filter(|row| row.token == token.0) else {
            return Ok(false);
        };
        (row.token, row.in_doubt) = (0, false);
        row.due = match became {
            Became::Retry { due, .. } => due,
            _ => self.clock.now(),
        };
        row.settled.push(became);
        row.news = news.map(|bytes| News::from_bytes(&bytes).expect("news"));
        Ok(true)
    }

    async fn next_due(&self, _: &AccountName) -> Result<Option<Timestamp>, ReadError> {
        Ok(self.rows().values().filter(|row| !row.is_over()).map(|row| row.due).min())
    }

    async fn may_send(
        &self,
        _: &Message,
        _: Timestamp,
    ) -> Result<Result<(), Unrated>, RecallError> {
        Ok(Ok(()))
    }

    fn arrivals(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn nodes(&self) -> watch::Receiver<u32> {
        watch::Sender::new(1).subscribe()
    }
}

/// A carrier, an account that sends through it, and its queue.
struct Bench {
    carrier: SmsCarrier,
    queue: Memory,
    sending: Arc<Sending>,
    clock: Clock,
    speech: Speech,
    tasks: Tasks,
}

impl Bench {
    async fn new(speech: Speech, secret: &str, repeatable: bool) -> Bench {
        let tasks = Tasks::new();
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            user: "8890".to_owned(),
            secret: Secret::new(b"right".to_vec()),
        };
        let carrier = SmsCarrier::start(options, &tasks).await.expect("it listens");
        let clock = Clock::system();
        let rows = Arc::default();
        let queue = Memory { clock: clock.clone(), rows, changed: Arc::default() };
        let sending = sending(speech, &carrier.url(speech), secret, repeatable);
        let metrics = Metrics::new().expect("a registry");
        let health = Health::new(|| Ok(()));
        messages::start(
            &sending,
            queue.clone(),
            (clock.clone(), Entropy::seeded(1)),
            (&metrics, health.worker("messages")),
            &tasks,
        )
        .expect("it sends");
        Bench { carrier, queue, sending, clock, speech, tasks }
    }

    fn message(&self, number: u128) -> Message {
        let content = match self.speech {
            Speech::Kannel | Speech::Jasmin => Content::Text("请评价，1满意".to_owned()),
            _ => Content::Template {
                code: "T1".to_owned(),
                parameters: vec![("name".to_owned(), "张".to_owned())],
            },
        };
        let now = self.clock.now();
        Message {
            key: MessageKey(Uuid::from_u128(number)),
            account: AccountName::new("x").expect("a name"),
            from: None,
            to: Msisdn::read("13940000001", "86").expect("a number"),
            content,
            kind: MessageKind::Invite,
            campaign: "hotline".to_owned(),
            invitation: None,
            not_before: now,
            expires: now + Duration::from_secs(600),
        }
    }

    /// Sends one message, and waits for its end.
    async fn send(&self) -> (Vec<Became>, Option<News>) {
        let message = self.message(1);
        self.queue.put(&message, false);
        self.queue.end_of(message.key).await
    }

    async fn stop(self) {
        self.tasks.shut_down(Duration::from_secs(5), |_| ()).await;
    }
}

fn sending(speech: Speech, url: &str, secret: &str, repeatable: bool) -> Arc<Sending> {
    let values = match speech {
        Speech::Aliyun => "sign_name = \"沈阳\"",
        Speech::Tencent => "sign_name = \"沈阳\", sdk_app_id = \"1\", region = \"ap-beijing\"",
        Speech::Huawei => "sign_name = \"沈阳\", report_url = \"https://gw.example/report\"",
        Speech::Kannel => "report_url = \"https://gw.example/dlr\"",
        Speech::Jasmin => "report_url = \"https://gw.example/x\"",
    };
    let text = format!(
        "[accounts.x]\ncarrier = \"{}\"\nallow_http = true\ndialect.send.repeatable = {repeatable}\n\
         [accounts.x.send]\nurl = \"{url}\"\nallow_http = true\nuser = \"8890\"\nsecret = \"env:KEY\"\n\
         values = {{ {values} }}\nrate = 1000\nrequest_timeout = \"300ms\"\n\
         backoff = {{ base = \"20ms\", cap = \"20ms\", max_attempts = 5 }}\n\
         breaker = {{ failures = 50, open_for = \"20ms\" }}",
        speech.carrier()
    );
    let environment = Environment::given(Path::new(""), &[("KEY", secret)]);
    let config = config::parse(&text, "gateway.toml", &environment);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    config.accounts.values().next().and_then(|account| account.send.clone()).expect("it sends")
}

fn class(settled: &[Became]) -> Option<DeadClass> {
    match settled.last() {
        Some(Became::Dead { class, .. }) => Some(*class),
        _ => None,
    }
}

#[tokio::test]
async fn every_built_in_carrier_takes_a_message_and_gives_it_its_id() {
    for speech in Speech::ALL {
        let bench = Bench::new(speech, "right", false).await;
        let (settled, news) = bench.send().await;
        let taken = bench.carrier.taken();
        assert_eq!((taken.len(), bench.carrier.unproven()), (1, 0), "{speech:?}: {settled:?}");
        assert!(taken[0].to.ends_with("13940000001"), "{speech:?}");
        assert!(taken[0].content.contains(['张', '满']), "{speech:?}: {}", taken[0].content);
        let key = MessageKey(Uuid::from_u128(1)).to_string();
        let id = if speech == Speech::Kannel { &key } else { &taken[0].id };
        let Some(News::Sent { carrier_id, .. }) = news else { panic!("{speech:?}: {news:?}") };
        assert_eq!(carrier_id.map(|id| id.0).as_ref(), Some(id), "{speech:?}");
        if speech != Speech::Jasmin {
            assert_eq!(taken[0].key.as_ref(), Some(&key), "{speech:?}");
        }
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_secret_is_tried_again_and_given_up() {
    for speech in Speech::ALL {
        let bench = Bench::new(speech, "wrong", false).await;
        let (settled, news) = bench.send().await;
        assert_eq!(class(&settled), Some(DeadClass::Attempts), "{speech:?}");
        assert_eq!(bench.carrier.unproven(), 5, "{speech:?}");
        assert!(bench.carrier.taken().is_empty());
        assert!(matches!(news, Some(News::NotSent(_))));
        bench.stop().await;
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    for speech in Speech::ALL {
        let bench = Bench::new(speech, "right", false).await;
        bench.carrier.set_mood(Mood::Refusing);
        let (settled, _) = bench.send().await;
        assert_eq!(class(&settled), Some(DeadClass::Rejected), "{speech:?}");
        assert_eq!((settled.len(), bench.carrier.requests()), (1, 1), "{speech:?}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_message_waits_out_failures() {
    for speech in Speech::ALL {
        let bench = Bench::new(speech, "right", false).await;
        bench.carrier.set_mood(Mood::Failing);
        let message = bench.message(1);
        bench.queue.put(&message, false);
        while bench.carrier.requests() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.carrier.set_mood(Mood::Well);
        let (settled, _) = bench.queue.end_of(message.key).await;
        assert!(matches!(settled.last(), Some(Became::Sent { .. })), "{speech:?}: {settled:?}");
        assert!(settled.len() > 2 && bench.carrier.taken().len() == 1, "{speech:?}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_message_of_unknown_fate_goes_to_a_person_and_never_twice_to_a_citizen() {
    for mood in [Mood::Hanging, Mood::Dropping, Mood::Babbling] {
        for speech in [Speech::Aliyun, Speech::Tencent, Speech::Huawei, Speech::Jasmin] {
            let bench = Bench::new(speech, "right", false).await;
            bench.carrier.set_mood(mood);
            let (settled, news) = bench.send().await;
            assert_eq!(class(&settled), Some(DeadClass::Unknown), "{mood:?} {speech:?}");
            assert_eq!(bench.carrier.taken().len(), 1, "{mood:?} {speech:?}");
            assert!(matches!(news, Some(News::Sent { carrier_id: None, .. })));
            bench.stop().await;
        }
    }
}

#[tokio::test]
async fn where_the_carrier_knows_our_key_it_is_sent_again() {
    let bench = Bench::new(Speech::Aliyun, "right", true).await;
    bench.carrier.set_mood(Mood::Dropping);
    let message = bench.message(1);
    bench.queue.put(&message, false);
    while bench.carrier.requests() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.carrier.set_mood(Mood::Well);
    let (settled, _) = bench.queue.end_of(message.key).await;
    assert!(matches!(settled.last(), Some(Became::Sent { .. })), "{settled:?}");
    let taken = bench.carrier.taken();
    assert!(taken.len() > 1 && taken.iter().all(|it| it.key == taken[0].key));
    bench.stop().await;
}

#[tokio::test]
async fn an_attempt_that_was_cut_off_is_not_repeated_and_an_expired_message_is_dropped() {
    let bench = Bench::new(Speech::Kannel, "right", false).await;
    let cut_off = bench.message(1);
    let late = Message { expires: bench.clock.now(), ..bench.message(2) };
    bench.queue.put(&cut_off, true);
    bench.queue.put(&late, false);
    let (settled, _) = bench.queue.end_of(cut_off.key).await;
    assert_eq!(class(&settled), Some(DeadClass::Unknown));
    let (settled, news) = bench.queue.end_of(late.key).await;
    assert!(matches!(settled[..], [Became::Dropped { .. }]), "{settled:?}");
    assert!(matches!(news, Some(News::NotSent(_))));
    assert_eq!(bench.carrier.requests(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn many_messages_all_go_once() {
    let bench = Bench::new(Speech::Jasmin, "right", false).await;
    for number in 1..=200 {
        bench.queue.put(&bench.message(number), false);
    }
    for number in 1..=200 {
        bench.queue.end_of(MessageKey(Uuid::from_u128(number))).await;
    }
    assert_eq!(bench.carrier.taken().len(), 200);
    bench.stop().await;
}

#[tokio::test]
async fn a_slow_pace_delays_messages_and_gives_none_up() {
    let bench = Bench::new(Speech::Jasmin, "right", false).await;
    let slow = Arc::new(Sending { rate: 2, concurrency: 16, ..(*bench.sending).clone() });
    let queue =
        Memory { clock: bench.clock.clone(), rows: Arc::default(), changed: Arc::default() };
    for number in 0..18 {
        queue.put(&bench.message(number), false);
    }
    let metrics = Metrics::new().expect("a registry");
    let progress = Health::new(|| Ok(())).worker("messages");
    let sources = (bench.clock.clone(), Entropy::seeded(2));
    messages::start(&slow, queue.clone(), sources, (&metrics, progress), &bench.tasks)
        .expect("it sends");
    for number in 0..18 {
        let (settled, _) = queue.end_of(MessageKey(Uuid::from_u128(number))).await;
        assert!(matches!(settled[..], [Became::Sent { .. }]), "{number}: {settled:?}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn one_that_cannot_be_opened_is_given_up_alone() {
    let bench = Bench::new(Speech::Kannel, "right", false).await;
    let (sealed, other) = (bench.message(1), bench.message(2));
    bench.queue.put_sealed(&sealed);
    bench.queue.put(&other, false);
    let (settled, _) = bench.queue.end_of(sealed.key).await;
    assert_eq!(class(&settled), Some(DeadClass::Rejected));
    let (settled, _) = bench.queue.end_of(other.key).await;
    assert!(matches!(settled[..], [Became::Sent { .. }]), "{settled:?}");
    bench.stop().await;
}
