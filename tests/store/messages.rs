//! Messages to citizens: a queue by sending account, in which each has one end.

use crate::bench::Bench;
use bridge8890::model::{AccountName, MessageKey};
use bridge8890::store::{
    Conclusion, DeadClass, LeaseToken, MessageLaneStatus, MessageLease, MessageSettled,
    MessageSettlement, NewMessage,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

async fn queue(bench: &Bench, messages: &[&NewMessage]) {
    let messages = messages.iter().map(|message| (*message).clone()).collect();
    bench.conclude(&Conclusion { messages, ..Conclusion::default() }).await;
}

async fn lease(bench: &Bench, max: usize) -> MessageLease {
    let (lane, until) = (crate::bench::account(), bench.clock.now() + MINUTE);
    bench.store().lease_messages(&lane, max, until).await.expect("it leases")
}

fn keys(lease: &MessageLease) -> Vec<MessageKey> {
    lease.items.iter().map(|item| item.id).collect()
}

async fn settle(bench: &Bench, token: LeaseToken, items: &[(MessageKey, MessageSettled)]) -> usize {
    let settlement = MessageSettlement { token, items: items.to_vec() };
    bench.store().settle_messages(settlement).await.expect("it settles")
}

async fn status(bench: &Bench) -> MessageLaneStatus {
    bench.store().message_lanes().await.expect("it counts").remove(0)
}

fn dead() -> MessageSettled {
    MessageSettled::Dead { class: DeadClass::Rejected, reason: "no such template".to_owned() }
}

#[tokio::test]
async fn a_message_is_leased_in_its_time_by_its_lane_and_by_one_at_a_time() {
    let bench = Bench::new().await;
    let (later, first, second) = (
        NewMessage { not_before: bench.clock.now() + MINUTE / 2, ..bench.message("later") },
        bench.message("first"),
        bench.message("second"),
    );
    let other = AccountName::new("yunpian").expect("a name");
    let elsewhere = NewMessage { lane: other.clone(), ..bench.message("elsewhere") };
    queue(&bench, &[&later, &first, &second, &elsewhere]).await;
    queue(&bench, &[&first]).await;
    assert_eq!(
        bench.store().next_message_due(&other).await.expect("it reads"),
        Some(elsewhere.not_before)
    );

    let one = lease(&bench, 1).await;
    assert_eq!((keys(&one), one.items[0].attempt), (vec![first.id], 1));
    let item = &one.items[0];
    assert_eq!(
        (&item.bytes, item.expires, item.queued_at),
        (&first.bytes, first.expires, bench.clock.now())
    );
    assert_eq!(keys(&lease(&bench, 10).await), [second.id]);
    assert!(lease(&bench, 10).await.items.is_empty());
    bench.clock.advance(MINUTE / 2);
    assert_eq!(keys(&lease(&bench, 10).await), [later.id]);
    bench.clock.advance(MINUTE / 2);
    let again = lease(&bench, 10).await;
    assert_eq!(keys(&again), [first.id, second.id]);
    assert_eq!(again.items[0].attempt, 2);
    // The first lease is over: it settles nothing any more.
    assert_eq!(settle(&bench, one.token, &[(first.id, MessageSettled::Sent)]).await, 1);
    let sent = [(first.id, MessageSettled::Sent), (second.id, MessageSettled::Sent)];
    assert_eq!(settle(&bench, again.token, &sent).await, 0);
    assert_eq!(settle(&bench, again.token, &sent).await, 2);
    let status = status(&bench).await;
    assert_eq!((status.pending, status.leased, status.sent), (1, 1, 2));
}

#[tokio::test]
async fn each_verdict_puts_a_message_where_it_belongs() {
    let bench = Bench::new().await;
    let names = ["sent", "retry", "released", "dropped", "dead"];
    let messages = names.map(|name| bench.message(name));
    queue(&bench, &messages.each_ref()).await;
    let one = lease(&bench, 10).await;
    let due = bench.clock.now() + MINUTE;
    let verdicts = [
        MessageSettled::Sent,
        MessageSettled::Retry { due, reason: "503".to_owned() },
        MessageSettled::Released,
        MessageSettled::Dropped { reason: "expired".to_owned() },
        dead(),
    ];
    let items: Vec<_> = keys(&one).into_iter().zip(verdicts).collect();
    assert_eq!(settle(&bench, one.token, &items).await, 0);
    let found = status(&bench).await;
    assert_eq!((found.pending, found.waiting_to_retry, found.leased), (2, 1, 0));
    assert_eq!((found.sent, found.dropped, found.dead), (1, 1, 1));

    let again = lease(&bench, 10).await;
    assert_eq!(keys(&again), [messages[2].id]);
    assert_eq!(again.items[0].attempt, 1, "a released attempt does not count");
    settle(&bench, again.token, &[(messages[2].id, MessageSettled::Sent)]).await;
    assert_eq!(status(&bench).await.next_due, Some(due));
    bench.clock.advance(MINUTE);
    let again = lease(&bench, 10).await;
    assert_eq!((keys(&again), again.items[0].attempt), (vec![messages[1].id], 2));
}

#[tokio::test]
async fn operators_see_dead_messages_and_put_them_back_once() {
    let bench = Bench::new().await;
    let message = bench.message("thanks");
    queue(&bench, &[&message]).await;
    let one = lease(&bench, 1).await;
    settle(&bench, one.token, &[(message.id, dead())]).await;
    let operator = bench.operator().await;
    let listed = operator.dead_messages(10).await.expect("it reads").remove(0);
    assert_eq!(
        (listed.id, listed.lane.as_str(), &listed.bytes),
        (message.id, "aliyun-sms", &message.bytes)
    );
    assert_eq!((listed.class.as_str(), listed.reason.as_str()), ("rejected", "no such template"));
    assert_eq!((listed.attempts, listed.died_at), (1, bench.clock.now()));
    bench.clock.advance(MINUTE);
    for expected in [1, 0] {
        let replayed = operator.replay_messages(&[message.id], bench.clock.now()).await;
        assert_eq!(replayed.expect("it replays"), expected);
    }
    assert!(operator.dead_messages(10).await.expect("it reads").is_empty());
    let again = lease(&bench, 1).await;
    assert_eq!((keys(&again), again.items[0].attempt), (vec![message.id], 1));
    let lanes = operator.message_lanes().await.expect("it counts");
    assert_eq!((lanes[0].pending, lanes[0].dead), (1, 0));
}

#[tokio::test]
async fn after_a_crash_what_was_under_way_is_due_and_has_counted() {
    let mut bench = Bench::new().await;
    let evening = bench.message("good morning");
    let put_off = NewMessage { not_before: bench.clock.now() + DAY, ..evening };
    let message = bench.message("thanks");
    queue(&bench, &[&message, &put_off]).await;
    lease(&bench, 10).await;
    bench.reopen().await;
    let again = lease(&bench, 10).await;
    assert_eq!((keys(&again), again.items[0].attempt), (vec![message.id], 2));
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_nothing_but_what_was_put_off() {
    let hour = Duration::from_secs(3600);
    let mut bench = Bench::new().await;
    let (waiting, retried) = (bench.message("waiting"), bench.message("retried"));
    let put_off = NewMessage { not_before: bench.clock.now() + MINUTE, ..bench.message("later") };
    queue(&bench, &[&retried]).await;
    let one = lease(&bench, 1).await;
    let retry = MessageSettled::Retry { due: bench.clock.now() + MINUTE, reason: String::new() };
    settle(&bench, one.token, &[(retried.id, retry)]).await;
    queue(&bench, &[&waiting, &put_off]).await;
    bench.clock.set_back(hour);
    assert!(lease(&bench, 0).await.items.is_empty(), "the writer sees the clock");
    assert_eq!(keys(&lease(&bench, 10).await), [waiting.id]);
    bench.clock.advance(MINUTE);
    assert_eq!(keys(&lease(&bench, 10).await), [retried.id, waiting.id]);
    // Over a restart nobody has seen the later time.
    bench.clock.set_back(hour);
    bench.reopen().await;
    assert_eq!(keys(&lease(&bench, 10).await), [retried.id, waiting.id]);
    bench.clock.advance(2 * hour);
    assert_eq!(lease(&bench, 10).await.items.len(), 3);
}

#[tokio::test]
async fn a_purge_erases_what_was_sent_or_dropped_long_ago() {
    let bench = Bench::new().await;
    let messages = ["sent", "dropped", "dead", "waiting"].map(|name| bench.message(name));
    queue(&bench, &messages.each_ref()).await;
    let one = lease(&bench, 3).await;
    let dropped = MessageSettled::Dropped { reason: "opted out".to_owned() };
    let verdicts = [MessageSettled::Sent, dropped, dead()];
    let items: Vec<_> = keys(&one).into_iter().zip(verdicts).collect();
    settle(&bench, one.token, &items).await;
    bench.clock.advance(DAY);
    bench.purge(2 * DAY).await;
    let found = status(&bench).await;
    assert_eq!((found.sent, found.dropped, found.dead, found.pending), (1, 1, 1, 1));
    bench.clock.advance(2 * DAY);
    bench.purge(2 * DAY).await;
    let found = status(&bench).await;
    assert_eq!((found.sent, found.dropped, found.dead, found.pending), (0, 0, 1, 1));
}
