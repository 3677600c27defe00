//! A power cut that tears the end of the database's log: the gateway starts, and everything
//! before the tear arrives.

use crate::support::{Caller, Gateway, Platform};
use bridge8890::standin::faults::Faults;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

#[tokio::test]
async fn cut_off_in_the_middle_of_a_frame() {
    after(|log, intact| {
        let beyond = length(log) - intact;
        let file = File::options().write(true).open(log).expect("the log");
        file.set_len(intact + beyond / 2).expect("cut");
    })
    .await;
}

#[tokio::test]
async fn overwritten_with_noise() {
    after(|log, intact| {
        let file = File::options().write(true).open(log).expect("the log");
        let noise: Vec<u8> = (0..=255).cycle().take(5000).collect();
        file.write_all_at(&noise, intact + 100).expect("garbled");
    })
    .await;
}

#[tokio::test]
async fn without_its_index() {
    after(|log, _| {
        std::fs::remove_file(log.with_file_name("bridge8890.db-shm")).expect("it was there");
    })
    .await;
}

/// Kills a gateway with a backlog, tears the log beyond what it held at some earlier time, and
/// starts again.
async fn after(tear: impl FnOnce(&Path, u64)) {
    let platform = Platform::with(Faults { down: true, ..Faults::default() }).await;
    let mut gateway = Gateway::start(&platform).await;
    let mut caller = Caller::new(1);
    let log = gateway.site.path("data/bridge8890.db-wal");
    let intact = gateway.take(&caller.take(20)).await;
    let intact_length = length(&log);
    let perhaps = caller.take(20);
    gateway.take(&perhaps).await;
    gateway.kill9().await;
    tear(&log, intact_length);

    gateway.restart().await;
    // Some carriers call again, whether theirs was torn off or not.
    let perhaps = gateway.take(&perhaps).await;
    let later = gateway.take(&caller.take(20)).await;
    platform.set_faults(Faults::default());
    gateway.drained().await;
    let effects = platform.effects();
    assert!(effects.values().all(|times| *times == 1), "{effects:?}");
    let wanted = intact.iter().chain(&perhaps).chain(&later);
    assert_eq!(effects.keys().collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
    gateway.stop().await;
    is_whole(&gateway.site.database()).await;
    gateway.restart().await;
    gateway.finish().await;
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).expect("a file").len()
}

async fn is_whole(database: &Path) {
    let options = SqliteConnectOptions::new().filename(database);
    let mut database = options.connect().await.expect("it opens");
    let found: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut database)
        .await
        .expect("it can be read");
    assert_eq!(found, "ok");
    database.close().await.expect("closed");
}
