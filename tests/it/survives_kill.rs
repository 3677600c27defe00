//! `kill -9` at any moment: whatever was acknowledged arrives, once in effect.

use crate::support::{Caller, Ended, Gateway, Platform, Stream, Wire, is_taken, until};

/// Callers at once.
const CALLERS: u64 = 16;

#[tokio::test]
async fn under_a_stream_of_callbacks_every_acknowledged_one_arrives_once() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&platform).await;
    for round in 0..3 {
        let seeds = round * CALLERS..(round + 1) * CALLERS;
        let stream = Stream::start(gateway.carriers(), seeds);
        let enough = 150 + 50 * usize::try_from(round).expect("few rounds");
        until("enough is acknowledged", async || stream.acknowledged() >= enough).await;
        gateway.kill9().await;
        let Ended { acknowledged, unanswered } = stream.ended().await;
        assert_eq!(unanswered.len() as u64, CALLERS, "every caller met the kill");
        gateway.restart().await;
        // A carrier without an answer calls again.
        gateway.take(&unanswered).await;
        gateway.drained().await;
        let effects = platform.effects();
        for request in acknowledged.iter().chain(&unanswered) {
            let id = &request.message_id.0;
            assert_eq!(effects.get(id), Some(&1), "round {round}, message {id}");
        }
    }
    let lane = gateway.site.lane().await;
    assert_eq!((lane.dead, lane.delivered), (0, platform.taken().len() as u64));
    gateway.finish().await;
}

#[tokio::test]
async fn between_commit_and_reply_the_repeat_is_answered_alike_and_changes_nothing() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&platform).await;
    let request = Caller::new(1).next();
    // Committed, and an answer that its carrier never reads.
    let mut carrier = Wire::open(gateway.carriers()).await;
    let path = &request.head.target;
    let length = request.body.len();
    carrier
        .say(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"))
        .await;
    carrier.say(&request.body).await;
    until("it is committed", async || gateway.site.lane().await.callbacks == 1).await;
    gateway.kill9().await;
    drop(carrier);

    gateway.restart().await;
    let answer = gateway.call(&request).await;
    assert!(is_taken(&request, &answer), "{answer:?}");
    gateway.drained().await;
    let lane = gateway.site.lane().await;
    assert_eq!((lane.callbacks, lane.records, lane.repeats), (2, 1, 1));
    assert_eq!(platform.effects().get(&request.message_id.0), Some(&1));
    gateway.finish().await;
}
