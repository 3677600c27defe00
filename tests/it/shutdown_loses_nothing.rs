//! An orderly stop says what it waits for, ends in time, and leaves the rest to the next start.

use crate::support::{Caller, Gateway, Platform, Wire, until};
use bridge8890::standin::faults::{Faults, Mishap};

#[tokio::test]
async fn a_platform_that_hangs_is_cut_off_after_the_grace_and_served_by_the_next_start() {
    let hangs = Faults { mishap: Some(Mishap::Hang), ..Faults::default() };
    let platform = Platform::with(hangs).await;
    let mut gateway = Gateway::with(&platform, "shutdown.grace = '1500ms'").await;
    let ids = gateway.take(&Caller::new(1).take(5)).await;
    until("a request hangs", async || platform.requests() > 0).await;
    gateway.stop().await;
    let log = gateway.log();
    for words in [
        "stopping; a second signal cuts off what is under way",
        "batch to the platform",
        "nothing that was acknowledged is lost",
    ] {
        assert!(log.contains(words), "{words:?} is not in\n{log}");
    }
    assert!(log.lines().any(|line| line.contains("still waiting for")), "{log}");
    assert_eq!(gateway.site.lane().await.pending, 5);

    platform.set_faults(Faults::default());
    gateway.restart().await;
    gateway.drained().await;
    assert!(platform.effects().keys().eq(&ids));
    gateway.finish().await;
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_the_grace() {
    let hangs = Faults { mishap: Some(Mishap::Hang), ..Faults::default() };
    let platform = Platform::with(hangs).await;
    // Longer than the test has patience.
    let own = "shutdown.grace = '1h'\ndestination.request_timeout = '1h'\ndestination.lease = '2h'";
    let mut gateway = Gateway::with(&platform, own).await;
    gateway.take(&Caller::new(1).take(1)).await;
    until("the request hangs", async || platform.requests() > 0).await;
    gateway.terminate();
    until("it is stopping", async || gateway.log().contains("a second signal")).await;
    gateway.terminate();
    gateway.ended().await;
    assert!(gateway.log().contains("cut off"), "{}", gateway.log());

    platform.set_faults(Faults::default());
    gateway.restart().await;
    gateway.finish().await;
}

#[tokio::test]
async fn a_callback_that_is_half_here_is_taken() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&platform).await;
    let request = Caller::new(1).next();
    let (first, second) = request.body.split_at(request.body.len() / 2);
    let mut carrier = Wire::open(gateway.carriers()).await;
    let (path, length) = (&request.head.target, request.body.len());
    carrier
        .say(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"))
        .await;
    carrier.say(first).await;
    let under_way = "bridge8890_callbacks_under_way";
    until("it is under way", async || gateway.metric(under_way).await == 1.0).await;
    gateway.terminate();
    until("it is stopping", async || gateway.log().contains("a second signal")).await;
    carrier.say(second).await;
    let answer = carrier.rest().await;
    let success = String::from_utf8_lossy(&request.head.success.body);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&*success));
    gateway.ended().await;

    gateway.restart().await;
    gateway.drained().await;
    assert_eq!(platform.effects().get(&request.message_id.0), Some(&1));
    gateway.finish().await;
}
