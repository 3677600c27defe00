//! Writing the log back into the database, away from the writer.
//!
//! SQLite's automatic checkpoint runs inside a commit, which then takes ten times as long as the
//! others. Here a connection of its own writes most frames back while commits go on; when the log
//! is long, the writer itself writes the last few between two groups, after which it starts the log
//! over from its beginning.

use crate::store::job::Job;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Frames (of one page each) from which the log is to start over: 32 MiB.
const LONG_LOG: i64 = 8192;
const INTERVAL: Duration = Duration::from_millis(100);

/// How far the log has been written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) frames: i64,
    pub(super) written_back: i64,
}

/// Writes back what can be without waiting for anybody.
pub(super) async fn passive(connection: &mut SqliteConnection) -> Result<Log, sqlx::Error> {
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?;
    Ok(Log { frames: row.try_get(1)?, written_back: row.try_get(2)? })
}

/// Keeps the log short until the writer is gone.
pub(in crate::store) async fn run(mut connection: SqliteConnection, jobs: mpsc::WeakSender<Job>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let log = match passive(&mut connection).await {
            Ok(log) => log,
            Err(error) => {
                tracing::debug!(%error, "a checkpoint failed; the next one tries again");
                continue;
            }
        };
        let Some(jobs) = jobs.upgrade() else { return };
        if log.frames < LONG_LOG {
            continue;
        }
        let (answer, done) = oneshot::channel();
        if jobs.send(Job::FinishCheckpoint(answer)).await.is_err() {
            return;
        }
        // A failure is the writer's to report, and the next round's to mend.
        drop(done.await);
    }
}
