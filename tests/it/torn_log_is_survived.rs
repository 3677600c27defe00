//! A power cut after which the end of the database's log is not what was written: the gateway
//! starts, serves, and forwards everything before the tear.

use crate::support::{Caller, Gateway, Platform, Site};
use bridge8890::standin::faults::Faults;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

/// Callbacks before the place of the tear, and as many behind it.
const HALF: usize = 20;

#[tokio::test]
async fn cut_off_in_the_middle_of_a_transaction() {
    after(|disk, intact| disk.log.truncate(intact + frame(&disk.log) + 100), HALF).await;
}

#[tokio::test]
async fn overwritten_with_noise() {
    let overwrite = |disk: &mut Disk, intact| {
        disk.log.truncate(intact + 100);
        disk.log.extend(noise());
    };
    after(overwrite, HALF).await;
}

#[tokio::test]
async fn followed_by_noise() {
    let append = |disk: &mut Disk, _| {
        disk.log.truncate(written(&disk.log));
        disk.log.extend(noise());
    };
    after(append, 2 * HALF).await;
}

#[tokio::test]
async fn without_its_index() {
    after(|disk, _| disk.index = None, 2 * HALF).await;
}

fn noise() -> impl Iterator<Item = u8> {
    (0..=255).cycle().take(100_000)
}

/// What a killed gateway left behind.
struct Disk {
    database: Vec<u8>,
    log: Vec<u8>,
    index: Option<Vec<u8>>,
}

/// Kills a gateway with a backlog, tears its log beyond the first half of it, and starts again.
/// So many callbacks must have survived.
async fn after(tear: impl FnOnce(&mut Disk, usize), survivors: usize) {
    let platform = Platform::with(Faults { down: true, ..Faults::default() }).await;
    let mut gateway = Gateway::start(&platform).await;
    // What a reader still looks at is not written back, so everything is in the log alone.
    let reader = hold_the_log(&gateway.site).await;
    let mut caller = Caller::new(1);
    let intact = gateway.take(&caller.take(HALF)).await;
    let length = written(&log(&gateway.site));
    let doubtful = caller.take(HALF);
    gateway.take(&doubtful).await;
    gateway.kill9().await;
    let mut disk = Disk::of(&gateway.site);
    // The last one to leave tidies up, which a power cut does not.
    reader.close().await.expect("closed");
    assert!(written(&disk.log) > length, "the second half is in the log");
    tear(&mut disk, length);
    disk.put_back(&gateway.site);

    gateway.restart().await;
    assert_eq!(gateway.site.lane().await.records, survivors as u64);
    // The carriers call again, whether theirs was torn off or not.
    let doubtful = gateway.take(&doubtful).await;
    let later = gateway.take(&caller.take(HALF)).await;
    platform.set_faults(Faults::default());
    gateway.drained().await;
    let effects = platform.effects();
    assert!(effects.values().all(|times| *times == 1), "{effects:?}");
    let wanted = intact.iter().chain(&doubtful).chain(&later);
    assert!(effects.len() == 3 * HALF && wanted.into_iter().all(|id| effects.contains_key(id)));
    gateway.stop().await;
    is_whole(&gateway.site).await;
    gateway.restart().await;
    gateway.finish().await;
}

/// The log, read alone: to close any of the other files here would take the reader's locks away.
fn log(site: &Site) -> Vec<u8> {
    std::fs::read(site.path("data/bridge8890.db-wal")).expect("the log")
}

/// Bytes of a frame: its header and a page (sqlite.org/fileformat2.html, section 4.1).
fn frame(log: &[u8]) -> usize {
    let page = log[8..12].try_into().expect("four bytes");
    24 + usize::try_from(u32::from_be_bytes(page)).expect("it fits into memory")
}

/// How far the log is written. What follows are frames of an earlier round through the file,
/// which have other salts.
fn written(log: &[u8]) -> usize {
    let frames = log[32..].chunks_exact(frame(log));
    32 + frames.take_while(|frame| frame[8..16] == log[16..24]).count() * frame(log)
}

impl Disk {
    fn of(site: &Site) -> Disk {
        let read = |ending: &str| std::fs::read(site.path(&format!("data/bridge8890.db{ending}")));
        Disk {
            database: read("").expect("the database"),
            log: log(site),
            index: Some(read("-shm").expect("its index")),
        }
    }

    fn put_back(self, site: &Site) {
        for (ending, bytes) in
            [("", Some(self.database)), ("-wal", Some(self.log)), ("-shm", self.index)]
        {
            if let Some(bytes) = bytes {
                site.write(&format!("data/bridge8890.db{ending}"), bytes);
            }
        }
    }
}

async fn open(site: &Site) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(site.database());
    options.connect().await.expect("it opens")
}

async fn hold_the_log(site: &Site) -> SqliteConnection {
    let mut reader = open(site).await;
    sqlx::query("BEGIN").execute(&mut reader).await.expect("begun");
    sqlx::query("SELECT count(*) FROM record").fetch_one(&mut reader).await.expect("a look");
    reader
}

async fn is_whole(site: &Site) {
    let mut database = open(site).await;
    let found: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut database)
        .await
        .expect("it can be read");
    assert_eq!(found, "ok");
    database.close().await.expect("closed");
}
