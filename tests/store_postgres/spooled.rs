//! The spool: what it accepts while the database is away is there once afterwards, whatever happened between.

use crate::bench::{Bench, options, ring};
use bridge8890::lifecycle::Tasks;
use bridge8890::model::{Level, Outcome};
use bridge8890::store::{
    Callback, Depth, Kept, Nonce, OpenError, SpoolOptions, Store, StoreError, Unwell, spooled_in,
};
use bridge8890::telemetry::{Metrics, Progress};
use bytes::Bytes;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Every turn fails until it is back.
const AWAY: &str = "ALTER TABLE place RENAME TO gone";
const BACK: &str = "ALTER TABLE gone RENAME TO place";

/// A node with a spool in a directory of its own.
struct Node {
    store: Store,
    tasks: Tasks,
}

impl Node {
    async fn try_start(bench: &Bench, spool: &Path, max_bytes: u64) -> Result<Node, OpenError> {
        let (tasks, metrics) = (Tasks::new(), Metrics::new().expect("a registry"));
        let (clock, entropy) = (bench.clock.clone(), bench.entropy.clone());
        let options = options(bench.place());
        let store = Store::open(&options, ring(), clock, entropy, &metrics, &tasks).await?;
        let spool = SpoolOptions { directory: spool.to_owned(), max_bytes };
        let store = store.with_spool(&spool, &metrics, &tasks).await?;
        store.empty_spool(&Progress::new("spool"), &tasks);
        Ok(Node { store, tasks })
    }

    async fn start(bench: &Bench, spool: &Path) -> Node {
        Node::try_start(bench, spool, 1 << 30).await.expect("it starts")
    }

    /// Ends it where it stands, as a kill would.
    async fn kill(self) {
        drop(self.store);
        self.tasks.abort();
        self.tasks.shut_down(Duration::from_secs(5), |_| ()).await;
    }

    fn depth(&self) -> Depth {
        self.store.spooled().expect("it has a spool")
    }

    async fn accept(&self, callback: Callback) -> Kept {
        self.store.accept(callback).await.expect("it is kept")
    }

    async fn spools(&self, callback: Callback) {
        assert_eq!(self.accept(callback).await, Kept::Spooled);
    }

    async fn holds(&self, callbacks: u64) {
        while self.depth().callbacks != callbacks {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Callbacks, records and repeats in the database.
async fn counts(bench: &Bench) -> (i64, i64, i64) {
    let counts = bench.store().counts().await.expect("it counts");
    (counts.callbacks, counts.records, counts.repeats)
}

#[tokio::test]
async fn what_two_nodes_accept_meanwhile_is_stored_once_after_a_kill() {
    let bench = Bench::new().await;
    let (a_spool, b_spool) = (TempDir::new().expect("one"), TempDir::new().expect("another"));
    let a = Node::start(&bench, a_spool.path()).await;
    let b = Node::start(&bench, b_spool.path()).await;
    assert!(matches!(a.accept(bench.rating("before", Level::Fair)).await, Kept::Committed(_)));
    bench.sql(AWAY).await;
    for message in ["before", "m1", "m2", "m3"] {
        a.spools(bench.rating(message, Level::Fair)).await;
        b.spools(bench.rating(message, Level::Fair)).await;
        a.spools(bench.held(&format!("held {message}"))).await;
        assert_eq!(a.store.admits_callbacks(), Ok(()));
    }
    assert_eq!(a.store.admits(), Err(Unwell::Failing), "invitations wait for the database");
    assert_eq!(a.depth().callbacks, 8);
    a.kill().await;
    let left = spooled_in(a_spool.path()).await.expect("it reads").expect("it is there");
    assert_eq!((left.callbacks, left.aside), (8, 0));
    bench.sql(BACK).await;
    let a = Node::start(&bench, a_spool.path()).await;
    a.holds(0).await;
    b.holds(0).await;
    assert_eq!(counts(&bench).await, (13, 4, 5));
    assert_eq!(bench.store().counts().await.expect("it counts").held, 4);
    assert!(matches!(a.accept(bench.rating("after", Level::Fair)).await, Kept::Committed(_)));
}

#[tokio::test]
async fn a_callback_comes_out_as_it_went_in_and_in_order() {
    let bench = Bench::new().await;
    let spool = TempDir::new().expect("a directory");
    let node = Node::start(&bench, spool.path()).await;
    bench.sql(AWAY).await;
    let rating = bench.rating("first", Level::Fair);
    let id = crate::bench::record(&rating).clone();
    node.spools(rating.clone()).await;
    let mut garbled = bench.callback("", Outcome::Noted, Vec::new());
    garbled.entries.clear();
    garbled.garbled = vec!["field `to`: missing".to_owned()];
    garbled.raw.body = Bytes::from_static(b"\xff\x00");
    bench.clock.advance(Duration::from_secs(60));
    node.spools(garbled.clone()).await;
    let file = std::fs::read(spool.path().join("spool.db-wal")).expect("it reads");
    let secret = b"13940000001";
    assert!(!file.windows(secret.len()).any(|it| it == secret), "it is sealed");
    bench.sql(BACK).await;
    node.holds(0).await;
    let operator = bench.operator().await;
    let stored = operator.history(id.id).await.expect("it reads");
    assert_eq!(stored.last().expect("it is there").record, Ok(id.clone()));
    for (seq, came) in [(1, rating), (2, garbled)] {
        let seq = bridge8890::model::CallbackSeq(seq);
        let kept = operator.callback(seq).await.expect("it reads").expect("it is kept");
        assert_eq!((kept.raw, kept.received_at), (came.raw, came.received_at));
        assert_eq!(kept.garbled, came.garbled);
    }
}

#[tokio::test]
async fn a_full_spool_takes_no_more_than_it_may() {
    let bench = Bench::new().await;
    let spool = TempDir::new().expect("a directory");
    let node = Node::try_start(&bench, spool.path(), 2048).await.expect("it starts");
    let second = Node::try_start(&bench, spool.path(), 2048).await;
    assert!(matches!(second.map(|_| ()), Err(OpenError::Locked(_))));
    bench.sql(AWAY).await;
    let mut taken = 0;
    while node.store.accept(bench.rating(&format!("m{taken}"), Level::Fair)).await.is_ok() {
        taken += 1;
    }
    assert!(taken > 0 && node.depth().callbacks == taken && node.depth().bytes <= 2048);
    bench.sql(BACK).await;
    node.holds(0).await;
    assert_eq!(node.store.admits_callbacks(), Ok(()));
    assert_eq!(counts(&bench).await.1, i64::try_from(taken).expect("few"));
}

#[tokio::test]
async fn a_token_that_came_before_with_other_content_is_refused_late() {
    let bench = Bench::new().await;
    let spool = TempDir::new().expect("a directory");
    let node = Node::start(&bench, spool.path()).await;
    let signed = |message: &str, content| {
        let nonce = Nonce { value: "token".to_owned(), content: [content; 32] };
        Callback { nonce: Some(nonce), ..bench.rating(message, Level::Fair) }
    };
    node.accept(signed("a", 1)).await;
    bench.sql(AWAY).await;
    node.spools(signed("b", 2)).await;
    node.spools(signed("a", 1)).await;
    bench.sql(BACK).await;
    node.holds(0).await;
    assert_eq!(counts(&bench).await, (2, 1, 1), "the repeat is honest");
    assert!(matches!(bench.store().commit(signed("b", 2)).await, Err(StoreError::Replayed)));
}

#[tokio::test]
async fn what_the_database_does_not_take_is_put_aside_and_holds_up_nobody() {
    let bench = Bench::new().await;
    let spool = TempDir::new().expect("a directory");
    let node = Node::start(&bench, spool.path()).await;
    bench.sql(AWAY).await;
    node.spools(bench.held("bad")).await;
    for message in ["m1", "m2"] {
        node.spools(bench.rating(message, Level::Fair)).await;
    }
    bench.sql("ALTER TABLE inbox RENAME TO no_inbox").await;
    bench.sql(BACK).await;
    node.holds(1).await;
    assert_eq!((node.depth().aside, counts_of_records(&bench).await), (1, 2));
    bench.sql("ALTER TABLE no_inbox RENAME TO inbox").await;
    while node.store.admits().is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = node.accept(bench.rating("m3", Level::Fair)).await;
    assert!(matches!(after, Kept::Committed(_)), "nobody waits behind it");
    node.kill().await;
    let node = Node::start(&bench, spool.path()).await;
    assert_eq!(node.depth().aside, 1);
}

async fn counts_of_records(bench: &Bench) -> i64 {
    bench.sql("CREATE VIEW inbox AS SELECT * FROM no_inbox").await;
    let records = counts(bench).await.1;
    bench.sql("DROP VIEW inbox").await;
    records
}
