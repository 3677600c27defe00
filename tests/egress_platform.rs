//! Batches sent to a stand-in platform over real sockets: what each of its faults is taken for,
//! and that nothing has a second effect.

#![expect(clippy::expect_used, reason = "helpers of tests may fail like tests")]

use bridge8890::clock::{Clock, Entropy};
use bridge8890::config::identity::Identity;
use bridge8890::config::way::Way;
use bridge8890::config::{self, Backoff, Breaker, Destination, Queueing};
use bridge8890::egress::backoff;
use bridge8890::egress::flight::{Flight, Landed};
use bridge8890::egress::native::{Key, Native};
use bridge8890::egress::platform::{Platform, Sent};
use bridge8890::egress::verdict::{ItemVerdict, Verdict};
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{
    AccountName, Brand, Channel, Comment, Context, LaneName, Level, Meaning, MessageId, Record,
    RecordSeq, Revision, Rule, Scheme, Secret, Selection, Target, TargetType,
};
use bridge8890::standin::faults::{Faults, Mishap};
use bridge8890::standin::platform::{OnRecord, Options, StandIn};
use bridge8890::store::{DeadClass, Leased, Settled};
use bridge8890::telemetry::{self, Metrics};
use http::StatusCode;
use jiff::Timestamp;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECRET: &[u8] = b"platform-secret";

struct Far {
    standin: StandIn,
    platform: Platform,
    clock: Clock,
    tasks: Tasks,
}

impl Far {
    async fn with(on_record: Option<OnRecord>) -> Far {
        let clock = Clock::set_to(now());
        let tasks = Tasks::new();
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            secret: Secret::new(SECRET.to_vec()),
            faults: Faults::default(),
            on_record,
        };
        let standin = StandIn::start(options, clock.clone(), &tasks).await.expect("a free port");
        let platform = platform(&destination(&standin, SECRET), &clock);
        Far { standin, platform, clock, tasks }
    }

    async fn new() -> Far {
        Far::with(None).await
    }

    async fn verdict(&self, batch: &[Leased]) -> Verdict {
        verdict(&send(&self.platform, batch).await, batch)
    }

    /// Sends everything until the flight is over, as the lane does.
    async fn fly(&self, batch: Vec<Leased>) -> Landed {
        let backoff = backoff::Backoff::new(&BACKOFF).expect("sense");
        let mut flight = Flight::new(batch);
        let mut landed = Vec::new();
        while let Some(batch) = flight.next_batch() {
            let verdict = self.verdict(&batch).await;
            landed.extend(flight.land(batch, verdict, &backoff, now(), || 0.5));
        }
        landed
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(60),
    max_attempts: 5,
    max_age: Duration::from_secs(3600),
};

fn now() -> Timestamp {
    "2026-03-05T02:20:40Z".parse().expect("a time")
}

fn destination(standin: &StandIn, secret: &[u8]) -> Destination {
    Destination {
        name: LaneName::new("province").expect("a name"),
        only: Selection::default(),
        url: format!("http://{}/base/", standin.local_addr()).parse().expect("a URL"),
        ca: None,
        key_id: "k1".to_owned(),
        secret: Secret::new(secret.to_vec()),
        identity: Identity::default(),
        way: Way::default(),
        queueing: Queueing {
            max_batch: 100,
            max_bytes: 1 << 20,
            max_delay: Duration::ZERO,
            urgent_before: Duration::ZERO,
        },
        profile: config::Profile::Native,
        final_statuses: vec![StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY],
        concurrency: 4,
        concurrency_min: 1,
        rate: None,
        request_timeout: Duration::from_secs(20),
        lease: Duration::from_secs(30),
        backoff: BACKOFF,
        breaker: Breaker { failures: 3, open_for: Duration::from_secs(10) },
    }
}

fn platform(destination: &Destination, clock: &Clock) -> Platform {
    let telemetry =
        telemetry::identity::Identity::new(&Metrics::new().expect("a registry"), &destination.name);
    Platform::new(destination, (clock.clone(), Entropy::seeded(1)), telemetry).expect("a platform")
}

fn native() -> Native {
    Native { finals: vec![StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY] }
}

async fn send(platform: &Platform, batch: &[Leased]) -> Sent {
    platform.send(native().write(batch).request.expect("all of it"), |_| false).await
}

fn verdict(sent: &Sent, batch: &[Leased]) -> Verdict {
    Verdict::of(&sent.answer, |answer| native().read(answer, batch, now()))
}

fn batch(size: i64) -> Vec<Leased> {
    let entropy = Entropy::seeded(8890);
    let leased = |number: i64| Leased {
        seq: RecordSeq(number),
        attempt: 1,
        queued_at: now(),
        record: Record {
            id: entropy.record_id(now()),
            revision: Revision::FIRST,
            meaning: Meaning::Rating {
                level: Level::VerySatisfied,
                target: Target { target_type: TargetType::Call, reference: None },
                scheme: Scheme::DESC,
            },
            account: AccountName::new("yunpian").expect("a name"),
            channel: Channel::Sms,
            campaign: "default".to_owned(),
            brand: Brand::Hotline8890,
            area: None,
            channel_code: None,
            caller: None,
            service: None,
            message_id: Some(MessageId(format!("m\"{number}"))),
            occurred_at: None,
            received_at: now(),
            comment: Comment::default(),
            rule: Rule("A1".into()),
            context: Context::default(),
        },
    };
    (0..size).map(leased).collect()
}

fn is_each(verdict: &Verdict, wanted: &ItemVerdict) -> bool {
    matches!(verdict, Verdict::Each(verdicts) if verdicts.iter().all(|verdict| verdict == wanted))
}

fn one_in(many: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(many)
}

#[tokio::test]
async fn a_batch_arrives_once_however_often_it_is_sent() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let far = Far::with(Some(Box::new({
        let told = Arc::clone(&told);
        move |seen| {
            let id = seen.message_id.expect("an id").to_owned();
            told.lock().expect("no panic").push((seen.account.to_owned(), id));
        }
    })))
    .await;
    let batch = batch(3);
    assert!(is_each(&far.verdict(&batch).await, &ItemVerdict::Delivered));
    assert!(is_each(&far.verdict(&batch).await, &ItemVerdict::Duplicate));
    let effects = far.standin.totals().effects;
    assert_eq!((effects.accepted, effects.duplicates), (3, 3));
    assert_eq!(far.standin.times_seen(Key::of(&batch[0].record)), 2);
    let expected: Vec<_> =
        (0..3).map(|number| ("yunpian".to_owned(), format!("m\"{number}"))).collect();
    assert_eq!(*told.lock().expect("no panic"), expected);
}

#[tokio::test]
async fn what_befalls_a_request_is_taken_for_what_it_is() {
    let far = Far::new().await;
    let refuse = |status, wait: Option<u64>| Mishap::Refuse {
        status,
        retry_after: wait.map(Duration::from_secs),
    };
    let wait = Duration::from_secs(17);
    let reason = |text: &str| text.to_owned();
    let cases = [
        (refuse(StatusCode::UNAUTHORIZED, None), Verdict::Fault(reason("401: Unauthorized"))),
        (refuse(StatusCode::NOT_FOUND, None), Verdict::Fault(reason("404: Not Found"))),
        (refuse(StatusCode::FOUND, None), Verdict::Fault(reason("302: Found"))),
        (refuse(StatusCode::TOO_MANY_REQUESTS, Some(17)), Verdict::Throttled(wait)),
        (refuse(StatusCode::SERVICE_UNAVAILABLE, Some(17)), Verdict::Throttled(wait)),
        (refuse(StatusCode::BAD_GATEWAY, Some(17)), Verdict::Failed(reason("502: Bad Gateway"))),
        (Mishap::Garbage, Verdict::Unknown(reason("200 with an unreadable body"))),
    ];
    for (mishap, verdict) in cases {
        far.standin.set_faults(Faults { mishap: Some(mishap), ..Faults::default() });
        assert_eq!(far.verdict(&batch(2)).await, verdict, "{mishap:?}");
    }
}

#[tokio::test]
async fn after_an_unknown_outcome_the_same_keys_have_no_second_effect() {
    let far = Far::new().await;
    for (mishap, accepted) in [(Mishap::DropBeforeWork, 0), (Mishap::DropAfterWork, 5)] {
        far.standin.set_faults(Faults { mishap: Some(mishap), ..Faults::default() });
        let verdict = far.verdict(&batch(5)).await;
        assert!(matches!(verdict, Verdict::Unknown(_)), "{mishap:?}: {verdict:?}");
        assert_eq!(far.standin.totals().effects.accepted, accepted);
    }
    far.standin.set_faults(Faults::default());
    let landed = far.fly(batch(5)).await;
    assert!(landed.iter().all(|(_, settled)| *settled == Settled::Delivered), "{landed:?}");
    assert_eq!(far.standin.totals().effects.accepted, 5);
}

#[tokio::test]
async fn what_an_answer_leaves_unclear_has_one_effect_in_the_end() {
    let every = Duration::from_millis(1);
    let cases = [
        (Mishap::RefuseIn200, 0),
        (Mishap::DropInAnswer, 3),
        (Mishap::Riddle, 3),
        (Mishap::Trickle { every }, 3),
    ];
    for (mishap, accepted) in cases {
        let far = Far::new().await;
        far.standin.set_faults(mishap.into());
        let verdict = far.verdict(&batch(3)).await;
        let delivered = is_each(&verdict, &ItemVerdict::Delivered);
        assert_eq!(delivered, matches!(mishap, Mishap::Trickle { .. }), "{mishap:?}: {verdict:?}");
        assert_eq!(far.standin.totals().effects.accepted, accepted, "{mishap:?}");
        far.standin.set_faults(Faults::default());
        far.fly(batch(3)).await;
        assert_eq!(far.standin.totals().effects.accepted, 3, "{mishap:?}");
    }
}

#[tokio::test]
async fn a_wish_to_be_left_alone_may_be_a_date() {
    let far = Far::new().await;
    let wait = Duration::from_secs(60);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    far.standin.set_faults(Mishap::RefuseUntil { status, wait }.into());
    let verdict = far.verdict(&batch(1)).await;
    let Verdict::Throttled(asked) = verdict else { panic!("{verdict:?}") };
    assert!(asked >= wait && asked < wait + Duration::from_secs(1), "{asked:?}");
}

#[tokio::test]
async fn a_narrow_platform_takes_one_after_the_other_and_keeps_what_it_took() {
    let far = Far::new().await;
    let narrow = Faults { records_per_second: NonZeroU32::new(20), ..Faults::default() };
    far.standin.set_faults(narrow);
    let mut destination = destination(&far.standin, SECRET);
    destination.request_timeout = Duration::from_millis(300);
    let impatient = platform(&destination, &far.clock);
    while far.standin.totals().effects.accepted < 10 {
        drop(send(&impatient, &batch(10)).await);
    }
    assert_eq!(far.standin.totals().effects.accepted, 10);
    assert!(far.standin.totals().requests > 1, "one deadline is too short for all of them");
}

#[tokio::test]
async fn a_hanging_platform_costs_no_more_than_the_deadline() {
    let far = Far::new().await;
    let hang = Faults { mishap: Some(Mishap::Hang), ..Faults::default() };
    far.standin.set_faults(hang);
    let mut destination = destination(&far.standin, SECRET);
    destination.request_timeout = Duration::from_millis(50);
    let sent = send(&platform(&destination, &far.clock), &batch(1)).await;
    let verdict = verdict(&sent, &batch(1));
    assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
    assert!(sent.took >= destination.request_timeout);
}

#[tokio::test]
async fn a_platform_that_is_down_holds_the_lane_and_comes_back() {
    let far = Far::new().await;
    assert!(is_each(&far.verdict(&batch(1)).await, &ItemVerdict::Delivered));
    far.standin.set_faults(Faults { down: true, ..Faults::default() });
    // The pooled connection may be seen to break first.
    while !matches!(far.verdict(&batch(1)).await, Verdict::Fault(_)) {}
    let worn = batch(1).into_iter().map(|leased| Leased { attempt: 1000, ..leased }).collect();
    assert_eq!(far.fly(worn).await, [(RecordSeq(0), Settled::Released)]);
    far.standin.set_faults(Faults::default());
    while matches!(far.verdict(&batch(1)).await, Verdict::Fault(_)) {}
    assert!(is_each(&far.verdict(&batch(1)).await, &ItemVerdict::Duplicate));
}

#[tokio::test]
async fn a_wrong_signature_is_a_fault() {
    let far = Far::new().await;
    let stranger = platform(&destination(&far.standin, b"another"), &far.clock);
    let sent = send(&stranger, &batch(1)).await;
    assert_eq!(verdict(&sent, &batch(1)), Verdict::Fault("401: Unauthorized".to_owned()));
    far.clock.advance(Duration::from_secs(600));
    let late = Clock::set_to(now());
    let sent = send(&platform(&destination(&far.standin, SECRET), &late), &batch(1)).await;
    assert!(matches!(verdict(&sent, &batch(1)), Verdict::Fault(_)));
    assert_eq!(far.standin.totals().unsigned, 2);
}

#[tokio::test]
async fn only_what_is_refused_alone_dies() {
    let far = Far::new().await;
    let poison = Faults { poison_every: one_in(16), max_batch: Some(40), ..Faults::default() };
    let reject = Faults { reject_every: one_in(16), ..Faults::default() };
    let is_bad = |leased: &Leased| poison.poisons(Key::of(&leased.record));
    let bad: Vec<RecordSeq> =
        batch(100).iter().filter(|leased| is_bad(leased)).map(|leased| leased.seq).collect();
    assert!(!bad.is_empty() && bad.len() < 20);
    for faults in [poison, reject] {
        far.standin.set_faults(faults);
        let mut dead = Vec::new();
        for (seq, settled) in far.fly(batch(100)).await {
            match settled {
                Settled::Delivered => {}
                Settled::Dead { class: DeadClass::Rejected, .. } => dead.push(seq),
                other => panic!("{seq}: {other:?}"),
            }
        }
        assert_eq!(dead, bad);
    }
}
