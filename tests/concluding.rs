//! The dialogue worker over a real store: what is held is concluded in groups, and one that cannot
//! be concluded holds up nobody else.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use bridge8890::carrier::{Answer, Call};
use bridge8890::clock::{Clock, Entropy};
use bridge8890::config::{self, Account, Environment};
use bridge8890::dialogue::memory::MemoryKey;
use bridge8890::intake::Intake;
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{AccountName, Msisdn, Secret};
use bridge8890::store::{
    Conclusion, KEY_LEN, KeyRing, MemoryChange, Opaque, Options, Ownership, Place, Remembered,
    Store,
};
use bridge8890::telemetry::{Metrics, Progress};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const CONFIG: &str = r#"
[accounts.vonage]
carrier = "vonage"
allow_http = true
[campaigns.talk]
service_numbers = ["1069*"]
scheme = "asc"
target = "case"
[campaigns.talk.conversation]
second = "last_stands"
"#;

/// A store, and an account through which citizens are heard.
struct Bench {
    _directory: TempDir,
    store: Store,
    intake: Intake,
    account: Arc<Account>,
    tasks: Tasks,
}

impl Bench {
    async fn new() -> Bench {
        let directory = TempDir::new().expect("a directory");
        let (tasks, metrics) = (Tasks::new(), Metrics::new().expect("bounds are fine"));
        let (clock, entropy) = (Clock::system(), Entropy::seeded(1));
        let options = Options {
            place: Place::Directory(directory.path().to_owned()),
            lanes: Vec::new(),
            queue: 1024,
            max_group: 256,
            progress: Progress::new("writer"),
        };
        let ring = KeyRing::new(&Secret::new(vec![1; KEY_LEN]), &[]).expect("a key");
        let opened = Store::open(&options, ring, clock.clone(), entropy.clone(), &metrics, &tasks);
        let store = opened.await.expect("it opens");
        let environment = Environment::given(Path::new(""), &[]);
        let config = config::parse(CONFIG, "gateway.toml", &environment).expect("it is right");
        let name = AccountName::new("vonage").expect("a name");
        let account = Arc::clone(&config.accounts[&name]);
        let sources = (clock, entropy);
        let intake =
            Intake::new(store.clone(), &config.accounts, &config.campaigns, sources, &metrics);
        Bench { _directory: directory, store, intake, account, tasks }
    }

    /// A citizen says something, or a part of it.
    async fn says(&self, caller: u64, id: &str, text: &str, part: &str) {
        let body = format!(
            r#"{{"msisdn":"{caller}","to":"10690088","messageId":"{id}","text":"{text}",
            "type":"unicode"{part},"message-timestamp":"2026-03-05 02:20:30"}}"#
        );
        let target = "/callback/vonage/inbound-sms";
        let json = HeaderValue::from_static("application/json");
        let mut routes = self.account.dialect.routes.iter();
        let call = Call {
            method: &Method::POST,
            route: routes.find(|route| route.name == "inbound-sms").expect("it hears"),
            target,
            query: "",
            url: target,
            headers: &HeaderMap::from_iter([(CONTENT_TYPE, json)]),
            body: &Bytes::from(body),
        };
        assert_eq!(self.intake.accept(&self.account, &call).await, Answer::Accepted);
    }

    async fn remember(&self, caller: u64, bytes: Option<&[u8]>) {
        let number = Msisdn::read(&format!("+{caller}"), "86").expect("a number");
        let to = bytes.map(|bytes| Remembered { bytes: Opaque(bytes.to_vec()), wake_at: None });
        let memory = vec![MemoryChange { key: MemoryKey::Caller(number).text(), to }];
        let conclusion = Conclusion { memory, ..Conclusion::default() };
        self.store.conclude(conclusion).await.expect("it is stored");
    }

    /// Has the worker take up what was said so far, as one group.
    fn work(&self) {
        let worker = self.intake.dialogue_worker(Ownership::for_ever(), Progress::new("dialogue"));
        self.tasks.spawn("dialogue", worker.run(self.tasks.clone()));
    }

    /// Waits until so many are left.
    async fn left(&self, left: i64) {
        while self.store.counts().await.expect("it counts").held != left {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn what_was_said_in_parts_is_joined_within_a_group() {
    let bench = Bench::new().await;
    for (number, text) in [(3, "一直没人管"), (1, "不满意，"), (2, "态度差，")] {
        let part = format!(
            r#","concat":"true","concat-ref":"7","concat-total":"3","concat-part":"{number}""#
        );
        bench.says(8_613_940_000_001, &number.to_string(), text, &part).await;
    }
    bench.work();
    bench.left(0).await;
    let counts = bench.store.counts().await.expect("it counts");
    assert_eq!((counts.records, counts.notes), (2, 3), "a rating and its complaint: {counts:?}");
    bench.tasks.abort();
}

#[tokio::test]
async fn one_that_cannot_be_concluded_holds_up_nobody_else() {
    let bench = Bench::new().await;
    let (first, broken) = (8_613_940_000_000, 8_613_940_000_007);
    for caller in first..first + 40 {
        bench.says(caller, &format!("{caller}"), "1", "").await;
    }
    bench.says(broken, "again", "2", "").await;
    bench.remember(broken, Some(b"no memory")).await;
    bench.work();
    bench.left(2).await;
    assert_eq!(bench.store.counts().await.expect("it counts").records, 39);
    bench.remember(broken, None).await;
    bench.left(0).await;
    assert_eq!(bench.store.counts().await.expect("it counts").records, 41);
    bench.tasks.abort();
}
