//! What a gateway stored in its directory, moved to a database that nodes share.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "store/bench.rs"]
#[expect(dead_code, reason = "the store's own tests do more with it")]
mod bench;
#[path = "store/ground.rs"]
#[expect(dead_code, reason = "the store's own tests do more with it")]
mod ground;
#[path = "support/postgres/shared.rs"]
mod shared;

use bench::{Bench, account, entry, lane, options, record, record_mut, remember, ring};
use bridge8890::config::Server;
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{LaneName, Level, Outcome, RecordingId, Revision, Secret};
use bridge8890::store::{
    Callback, Concluded, Conclusion, Copied, CopyError, DeadClass, DeadOrder, DeadPage, Filter,
    Hour, Hours, KEY_LEN, KeyRing, LaneOptions, NewRecording, Opaque, OpenError, Operator, Options,
    Order, Place, QuarantineFilter, RecordingSettled, Retention, Settled, Store, Transfer, Trouble,
    migrate,
};
use bridge8890::telemetry::Metrics;
use shared::Database;
use sqlx::{Connection, PgConnection};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;
use tokio::sync::Notify;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn city() -> LaneName {
    LaneName::new("city").expect("a name")
}

fn directory(bench: &Bench) -> PathBuf {
    match bench.place() {
        Place::Directory(directory) => directory,
        Place::Server(_) => panic!("a directory"),
    }
}

/// A database that was just migrated.
async fn database() -> Database {
    let make = async |url: &str| {
        migrate(&place(url), false, |_| ()).await.expect("it migrates");
    };
    Database::copy_of("copying", make).await
}

fn server(url: &str) -> Server {
    url.parse().expect("a URL")
}

fn place(url: &str) -> Place {
    Place::Server(Box::new(server(url)))
}

async fn sql(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("it opens");
    sqlx::raw_sql(statement).execute(&mut connection).await.expect("it runs");
    connection.close().await.expect("it closes");
}

async fn count(url: &str, statement: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("it opens");
    sqlx::query_scalar(statement).fetch_one(&mut connection).await.expect("it counts")
}

async fn transfer(bench: &Bench, url: &str) -> Result<Transfer, CopyError> {
    Transfer::open(&directory(bench), &server(url), ring(), bench.clock.now()).await
}

/// Copies what a bench that is closed has, and lets nodes in.
async fn copy(bench: &Bench, url: &str) -> Copied {
    let mut transfer = transfer(bench, url).await.expect("it may be copied");
    let foreseen = transfer.foresee().await.expect("it counts");
    let copied = transfer.run(bench.clock.now(), |_| ()).await.expect("it is copied");
    assert_eq!(copied, foreseen);
    assert_eq!((copied.unopened, copied.without_audio), (0, 0));
    let compared = transfer.compare().await.expect("both are counted");
    assert!(compared.agree() && compared.counts[1].add_up(), "{compared:?}");
    copied
}

/// A bench whose store is in the database, beside one whose store is in its directory.
async fn node(bench: &Bench, url: &str) -> Result<(Store, Tasks), OpenError> {
    let tasks = Tasks::new();
    let options = Options { lanes: bench.lanes.clone(), ..options(place(url)) };
    let metrics = Metrics::new().expect("a registry");
    let (clock, entropy) = (bench.clock.clone(), bench.entropy.clone());
    let store = Store::open(&options, ring(), clock, entropy, &metrics, &tasks).await?;
    Ok((store, tasks))
}

async fn stop((store, tasks): (Store, Tasks)) {
    drop(store);
    tasks.abort();
    tasks.shut_down(Duration::from_secs(5), |_| ()).await;
}

/// A store of several months with something of everything, and keys in two runs and in the log.
async fn installation() -> Bench {
    let mut bench = Bench::new().await;
    bench.lanes.push(LaneOptions::of_everything(city()));
    bench.reopen().await;
    bench.file_keys("first").await;
    bench.clock.advance(40 * DAY);
    bench.file_keys("second").await;
    records(&bench).await;
    dialogue(&bench).await;
    for number in [1, 2] {
        let mut garbled = bench.callback("", Outcome::Noted, Vec::new());
        garbled.entries.clear();
        garbled.garbled = vec![format!("body: bad {number}")];
        bench.store().commit(garbled).await.expect("it commits");
    }
    operators(&bench).await;
    bench.fold().await;
    // The callbacks that the keys of the first run lead to are erased, and the keys are not.
    let keep = Retention { callbacks: 30 * DAY, records: 90 * DAY, keys: 90 * DAY };
    while bench.store().purge(&keep, 10_000).await.expect("it purges") > 0 {}
    bench.clock.advance(DAY);
    // What the ledger does not know yet, and what is under a lease when the gateway stops.
    for message in ["late-1", "late-2"] {
        bench.commit(bench.complaint(message)).await;
    }
    assert!(!bench.lease(3).await.items.is_empty());
    bench
}

/// Records that ended in each way, and some that wait.
async fn records(bench: &Bench) {
    for message in ["dead", "dead-again"] {
        bench.commit(bench.rating(message, Level::Fair)).await;
    }
    bench.bury(DeadClass::Rejected, "400 \0").await;
    let dead = bench.dead(&[]).await;
    bench.replay(&dead[..1]).await;
    let first = bench.rating("first", Level::Dissatisfied);
    let id = record(&first).id;
    bench.commit(first).await;
    for message in ["sent", "again"] {
        bench.commit(bench.rating(message, Level::Satisfied)).await;
    }
    let mut second = bench.rating("second", Level::Satisfied);
    let later = record_mut(&mut second.entries[0]);
    (later.id, later.revision) = (id, Revision(2));
    bench.commit(second).await;
    let lease = bench.lease(2).await;
    bench.settle_all(&lease, Settled::Delivered).await;
    let lease = bench.lease(1).await;
    let due = bench.clock.now() + 2 * DAY;
    bench.settle_all(&lease, Settled::Retry { due, reason: "503".to_owned() }).await;
    for message in ["urgent-1", "urgent-2"] {
        bench.commit(bench.complaint(message)).await;
    }
    assert!(!bench.commit(bench.rating("sent", Level::Satisfied)).await);
}

/// What was held and what is, what is remembered, said, and heard.
async fn dialogue(bench: &Bench) {
    for message in ["held-1", "held-2"] {
        bench.commit(bench.held(message)).await;
    }
    let held = bench.store().inbox(None, 1).await.expect("it reads");
    let rating = bench.rating("concluded", Level::Satisfied);
    let recordings = (1..=3).map(|number| NewRecording {
        id: RecordingId(uuid::Uuid::from_u128(number)),
        account: account(),
        bytes: Opaque(b"https://carrier.example/said.wav".to_vec()),
    });
    let conclusion = Conclusion {
        entries: vec![entry(held[0].callback, Outcome::Rated, &[record(&rating).clone()])],
        memory: vec![remember("13940000001", b"said", Some(bench.clock.now() + DAY))],
        messages: vec![bench.message("sent"), bench.message("leased")],
        recordings: recordings.collect(),
        ..bench.take(1).await
    };
    assert_eq!(bench.conclude(&conclusion).await.fresh(), [true]);
    let store = bench.store();
    let until = bench.clock.now() + MINUTE;
    store.lease_messages(&account(), 1, until).await.expect("it leases");
    let leased = store.lease_recordings(&account(), 2, MINUTE).await.expect("it leases");
    store.keep_audio(leased[0].id, b"RIFF said aloud").await.expect("it is kept");
    let kept = RecordingSettled::Kept { became: Opaque(b"kept".to_vec()) };
    store.settle_recording(leased[0].id, kept).await.expect("it settles");
}

/// What operators ordered, and what a breaker says.
async fn operators(bench: &Bench) {
    let (operator, now) = (bench.operator().await, bench.clock.now());
    let pause = Order::Pause { reason: "theirs".to_owned(), until: now + DAY };
    assert!(operator.order(&city(), &pause, "li", now).await.expect("it is ordered"));
    let trouble = Trouble { cause: "401".to_owned(), since: now, next_probe: None };
    bench.store().note_trouble(&lane(), Some(&trouble)).await.expect("it is noted");
    let filter = QuarantineFilter { limit: 1, ..QuarantineFilter::default() };
    let asked = operator.request_reread(&filter, 60 * DAY, now).await.expect("it asks");
    assert_eq!(asked.callbacks.len(), 1);
    let answers = operator.find(&Filter { limit: 1, ..Filter::default() }).await.expect("it finds");
    let agreed = operator.agreement(b"good");
    let history = operator.history(answers[0].record.as_ref().expect("it opens").id).await;
    let callback = history.expect("it reads")[0].callback.clone().expect("it is kept");
    operator.request_revisions(&[(callback.seq, vec![agreed])], now).await.expect("it asks");
}

/// What operators are told of a store.
async fn answers(operator: &Operator) -> Vec<(&'static str, String)> {
    let all = Filter { limit: 1000, ..Filter::default() };
    let of_caller = Filter { caller: Some("+8613940000001".to_owned()), ..all.clone() };
    let hours = Hours { since: Hour(0), until: Hour(i64::MAX) };
    let found = operator.find(&of_caller).await.expect("it finds");
    assert!(!found.is_empty(), "callers are found");
    let mut told = vec![("of a caller", format!("{found:?}"))];
    for found in operator.find(&all).await.expect("it finds") {
        let id = found.record.as_ref().expect("it opens").id;
        let history = operator.history(id).await.expect("it reads");
        told.push(("a record", format!("{found:?} {history:?}")));
    }
    let page = DeadPage { order: DeadOrder::Oldest, behind: None, limit: 100 };
    let ledger = operator.ledger(hours, None).await.expect("it reads");
    let reconciled = operator.reconcile(hours, |_, _| ()).await.expect("it counts");
    assert!(reconciled.differences.is_empty(), "{reconciled:?}");
    let recording = RecordingId(uuid::Uuid::from_u128(1));
    macro_rules! ask {
        ($($question:expr),*) => {
            $({
                let answer = $question.await.expect(stringify!($question));
                told.push((stringify!($question), format!("{answer:?}")));
            })*
        };
    }
    told.push(("the ledger", format!("{ledger:?} {reconciled:?}")));
    ask!(
        operator.counts(),
        operator.lanes(),
        operator.dead_letters(&[], page),
        operator.replays(10),
        operator.quarantined(10),
        operator.rereads_left(),
        operator.memories(&[], 100),
        operator.message_lanes(),
        operator.dead_messages(10),
        operator.recordings(false, 10),
        operator.audio(recording),
        operator.order_history(None, 10)
    );
    told
}

/// The order in which a lane is sent everything from now on.
async fn order(store: &Store, bench: &Bench) -> Vec<String> {
    let until = bench.clock.now() + MINUTE;
    let lease = store.lease(&lane(), 1000, until).await.expect("it leases");
    bench::messages(&lease)
}

/// Which of these are new to a store.
async fn news(store: &Store, callbacks: Vec<Callback>) -> Vec<bool> {
    let mut fresh = Vec::new();
    for callback in callbacks {
        fresh.extend(store.commit(callback).await.expect("it commits").fresh);
    }
    fresh
}

#[tokio::test]
async fn a_database_answers_as_the_directory_did_and_a_node_goes_on_from_there() {
    let mut bench = installation().await;
    let database = database().await;
    let url = database.url();
    bench.close().await;
    let copied = copy(&bench, &url).await;
    let empty: Vec<_> = copied.tables.iter().filter(|(_, rows)| *rows == 0).collect();
    assert_eq!(empty, [&("ledger_refused", 0)], "there is something of everything");
    months_and_keys(&url).await;

    bench.reopen().await;
    let (store, tasks) = node(&bench, &url).await.expect("nodes are let in");
    let from = answers(&bench.operator().await).await;
    let to = Operator::open(&place(&url), ring()).await.expect("it opens");
    for (ours, theirs) in from.iter().zip(answers(&to).await) {
        // PostgreSQL's texts have no NUL.
        assert_eq!(ours.1.replace("\\0", "\u{fffd}"), theirs.1, "{}", ours.0);
    }
    assert_eq!(store.recall(&["13940000001"]).await.expect("it recalls").len(), 1);
    assert_eq!(store.revisions(10).await.expect("it reads").len(), 1);
    assert_eq!(store.inbox(None, 10).await.expect("it reads").len(), 1);
    assert_eq!(store.untold_recordings(None, 10).await.expect("it reads").len(), 1);

    let waiting = order(&store, &bench).await;
    assert!(waiting.len() > 3, "{waiting:?}");
    assert_eq!(waiting, order(bench.store(), &bench).await);
    let noted = |key: &str| bench.callback(key, Outcome::Noted, Vec::new());
    let keys = ["first 17", "first + 3", "second 65535", "second + 79", "sent", "late-1", "new"];
    let fresh = news(&store, keys.map(noted).into()).await;
    assert_eq!(fresh, [false, false, false, false, false, false, true]);
    assert_eq!(news(bench.store(), keys.map(noted).into()).await, fresh);
    go_on(&bench, &store).await;
    stop((store, tasks)).await;
}

/// History lies in its months, and each key, where its callback is erased, is as old as its run: the bench begins in March,
/// and what came behind the first run went into the second.
async fn months_and_keys(url: &str) {
    let rest = "SELECT (SELECT count(*) FROM callback_page_rest) + (SELECT count(*) FROM note_rest)
        + (SELECT count(*) FROM record_rest) + (SELECT count(*) FROM send_rest)
        + (SELECT count(*) FROM attempt_rest) + (SELECT count(*) FROM dedupe_key_rest)";
    assert_eq!(count(url, rest).await, 0);
    assert_eq!(count(url, "SELECT count(*) FROM dedupe_key_2026_03").await, 65_536);
    assert!(count(url, "SELECT count(*) FROM dedupe_key_2026_04").await > 65_536 + 80);
    assert_eq!(count(url, "SELECT count(*) FROM record WHERE caller IS NULL").await, 0);
}

/// A node adds one of each, and nothing of it is in the way of what was copied.
async fn go_on(bench: &Bench, store: &Store) {
    let before = store.counts().await.expect("it counts");
    bench.clock.advance(35 * DAY);
    assert_eq!(news(store, vec![bench.complaint("from now on")]).await, [true]);
    let owner =
        store.claim(&bridge8890::store::Work::Dialogue, None, DAY).await.expect("it claims");
    let held = store.inbox(None, 10).await.expect("it reads");
    let conclusion = Conclusion {
        owner: owner.map(|claim| claim.token),
        held: held.iter().map(|one| one.seq).collect(),
        messages: vec![bench.message("new")],
        ..Conclusion::default()
    };
    assert_ne!(store.conclude(conclusion).await.expect("it concludes"), Concluded::Void);
    let until = bench.clock.now() + MINUTE;
    let lease = store.lease(&lane(), 1000, until).await.expect("it leases");
    let items = lease.items.iter().map(|item| (item.seq, Settled::Delivered)).collect();
    let report = bridge8890::store::SendReport {
        started_at: bench.clock.now(),
        took: Duration::ZERO,
        status: Some(200),
        answer: String::new(),
    };
    let settlement =
        bridge8890::store::Settlement { lane: lane(), token: lease.token, report, items };
    assert_eq!(store.settle(settlement).await.expect("it settles"), 0);
    for _ in 0..2 {
        while store.fold_ledger(Duration::ZERO).await.expect("it folds") {}
    }
    let after = store.counts().await.expect("it counts");
    assert_eq!((after.records, after.held), (before.records + 1, 0));
    assert!(after.add_up() && after.delivered > before.delivered, "{after:?}");
}

#[tokio::test]
async fn a_copy_that_broke_off_is_refused_by_nodes_and_begun_anew() {
    let mut bench = Bench::new().await;
    for number in 0..50 {
        bench.commit(bench.rating(&format!("m{number}"), Level::Fair)).await;
    }
    bench.close().await;
    let database = database().await;
    let url = database.url();
    let (begun, mut broken) = (Notify::new(), transfer(&bench, &url).await.expect("it may"));
    tokio::select! {
        biased;
        () = begun.notified() => {}
        done = broken.run(bench.clock.now(), |step| {
            if step.table == "outbox" {
                begun.notify_one();
            }
        }) => panic!("it was not to end: {done:?}"),
    }
    let other = transfer(&bench, &url).await.expect_err("the directory is taken");
    assert!(matches!(other, CopyError::Running(_)), "{other}");
    drop(broken);
    for refused in [
        node(&bench, &url).await.map(drop).expect_err("it is not whole"),
        Operator::open(&place(&url), ring()).await.map(drop).expect_err("it is not whole"),
    ] {
        assert!(matches!(refused, OpenError::Copying(_)), "{refused}");
    }
    let again = async || transfer(&bench, &url).await;
    let opened = tokio::time::timeout(MINUTE, async {
        // The server takes a moment to see that we are gone.
        loop {
            match again().await {
                Err(CopyError::UnderWay) => tokio::time::sleep(Duration::from_millis(50)).await,
                other => break other,
            }
        }
    });
    drop(opened.await.expect("soon").expect("it may be copied"));
    copy_when_free(&bench, &url).await;
    let (store, tasks) = node(&bench, &url).await.expect("nodes are let in");
    assert_eq!(store.pending(), 50);
    stop((store, tasks)).await;
}

async fn copy_when_free(bench: &Bench, url: &str) {
    for _ in 0..600 {
        match transfer(bench, url).await {
            Err(CopyError::UnderWay) => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => break,
        }
    }
    copy(bench, url).await;
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_and_says_why() {
    let mut bench = Bench::new().await;
    bench.commit(bench.rating("m1", Level::Fair)).await;
    let database = database().await;
    let url = database.url();
    let refused = async |bench: &Bench| transfer(bench, &url).await.map(drop).expect_err("refused");
    let running = refused(&bench).await;
    assert!(matches!(running, CopyError::Running(_)), "{running}");
    bench.close().await;

    let other = KeyRing::new(&Secret::new(vec![8; KEY_LEN]), &[]).expect("a key");
    let (from, now) = (directory(&bench), bench.clock.now());
    let wrong = Transfer::open(&from, &server(&url), other, now).await.map(drop);
    let wrong = wrong.expect_err("it does not open");
    assert!(matches!(wrong, CopyError::From(OpenError::Key(_))), "{wrong}");
    let nowhere = from.join("nowhere");
    let missing = Transfer::open(&nowhere, &server(&url), ring(), now).await.map(drop);
    assert!(matches!(missing, Err(CopyError::From(OpenError::Missing(_)))), "{missing:?}");
    assert!(!nowhere.exists(), "nothing is made");

    let serving = node(&bench, &url).await.expect("it is empty");
    let served = refused(&bench).await;
    assert!(matches!(served, CopyError::Served(_)), "{served}");
    serving.0.commit(bench.rating("m2", Level::Fair)).await.expect("it commits");
    stop(serving).await;
    bench.clock.advance(MINUTE);
    let full = refused(&bench).await;
    assert!(matches!(full, CopyError::NotEmpty("callback_page")), "{full}");
    sql(&url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    let unmigrated = refused(&bench).await;
    assert!(matches!(unmigrated, CopyError::To(OpenError::Empty)), "{unmigrated}");
}

#[tokio::test]
async fn the_command_tells_what_it_would_copy_and_what_it_copied() {
    let mut bench = Bench::new().await;
    bench.commit(bench.rating("m1", Level::Fair)).await;
    let database = database().await;
    let from = format!("sqlite:{}", directory(&bench).display());
    let run = |more: &[&str]| run(&["copy", "--from", &from, "--to", &database.url()], more);
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let running = run(&[]);
    assert_eq!(running.status.code(), Some(2));
    assert!(said(&running).contains("a gateway serves from"), "{}", said(&running));
    bench.close().await;
    let dry = run(&["--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", said(&dry));
    assert!(String::from_utf8_lossy(&dry.stdout).contains("           1  record\n"), "{dry:?}");
    let done = run(&["--json"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!((&report["copied"], &report["agree"]), (&true.into(), &true.into()), "{report}");
    assert_eq!(
        (&report["tables"]["record"], &report["counts"][1]["pending"]),
        (&1.into(), &1.into())
    );
    let again = run(&[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("the database is not empty"), "{}", said(&again));
}

/// Runs the program under the bench's data key.
fn run(arguments: &[&str], more: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("a.toml");
    std::fs::write(&config, "[store]\nkey = \"env:KEY\"\n").expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bridge8890"));
    command.args(arguments).args(more).arg("--config").arg(&config);
    command.env("KEY", "07".repeat(KEY_LEN)).output().expect("it runs")
}
