//! A gateway as a process, a platform to serve, and carriers to call.

mod carriers;
mod client;
mod door;
mod gateway;
pub(crate) mod platform;
mod province;
mod site;

pub(crate) use carriers::{ALIYUN_SMS, Caller, Ended, Stream, TENCENT_VMS, YUNPIAN, is_taken};
pub(crate) use client::{Answer, Client, Wire};
pub(crate) use door::{Book, Came, Door, Said, answer};
pub(crate) use gateway::Gateway;
pub(crate) use platform::{Platform, SECRET};
pub(crate) use province::{Agreed, Province};
pub(crate) use site::{Done, Site, shipped};

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a condition may take that is sure to come: no test measures a time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
