//! Hearing what other nodes committed, and looking for it from time to time where nothing is heard.

use super::connect::Connector;
use super::turn::{CHANNEL, News};
use crate::store::Shared;
use sqlx::Executor;
use sqlx::postgres::PgListener;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long nobody looks when nothing is heard, nor waits for whom nothing is heard of.
const POLL: Duration = Duration::from_secs(1);

/// Wakes who waits in this process when another process has news, until it is aborted. `ours` is the server's process that
/// our writer speaks to.
pub(super) async fn listen(connector: Connector, shared: Arc<Shared>, ours: Arc<AtomicI32>) {
    loop {
        if let Err(error) = hear(&connector, &shared, &ours).await {
            tracing::debug!(%error, "not hearing other nodes for now");
        }
        sleep(POLL).await;
        wake(&shared, News { records: true, arrived: true, messages: true });
    }
}

async fn hear(connector: &Connector, shared: &Shared, ours: &AtomicI32) -> Result<(), sqlx::Error> {
    // Of its own, made anew each time: it never keeps a reader waiting, and goes where the last connection went.
    let mut listener = PgListener::connect_with(&connector.pool(1)).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    loop {
        match timeout(POLL, listener.try_recv()).await {
            // What was said meanwhile is lost.
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(told))) => {
                let process = u32::try_from(ours.load(Ordering::Relaxed)).unwrap_or_default();
                if told.process_id() != process {
                    wake(shared, News::of_payload(told.payload()));
                }
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                wake(shared, News { records: true, arrived: true, messages: true });
                // It may be that there is nobody to be heard.
                let look = timeout(POLL, listener.execute(sqlx::raw_sql("SELECT 1"))).await;
                look.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))??;
            }
        }
    }
}

fn wake(shared: &Shared, news: News) {
    shared.pending(0, news.records);
    shared.grown(news.arrived, news.messages);
}
