//! Messages to citizens: a queue by sending account, in which each has one end.

use crate::bench::Bench;
use crate::ground::SHARED;
use bridge8890::model::{AccountName, MessageKey};
use bridge8890::store::{
    Concluded, Conclusion, DeadClass, LeaseToken, MessageLane, MessageLaneStatus, MessageLease,
    MessageSettled, MessageSettlement, MessageState, NewMessage, Opaque, SettledMessage,
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
    let settled = |(id, became): &(_, MessageSettled)| SettledMessage {
        id: *id,
        became: became.clone(),
        news: None,
    };
    let settlement = MessageSettlement { token, items: items.iter().map(settled).collect() };
    bench.store().settle_messages(settlement).await.expect("it settles")
}

/// Settles one message with news of it.
async fn settle_telling(
    bench: &Bench,
    token: LeaseToken,
    id: MessageKey,
    (became, news): (MessageSettled, &str),
) -> usize {
    let item = SettledMessage { id, became, news: Some(news_of(news)) };
    let settlement = MessageSettlement { token, items: vec![item] };
    bench.store().settle_messages(settlement).await.expect("it settles")
}

fn news_of(text: &str) -> Opaque {
    Opaque(format!("13940000001 {text}").into_bytes())
}

async fn untold(bench: &Bench) -> Vec<(MessageKey, Option<Opaque>)> {
    let untold = bench.store().untold(None, 10).await.expect("it reads");
    untold.into_iter().map(|one| (one.id, one.bytes)).collect()
}

fn telling(told: &[MessageKey]) -> Conclusion {
    Conclusion { told: told.to_vec(), ..Conclusion::default() }
}

/// What is leased, each with whether it is in doubt.
async fn lease_doubting(bench: &Bench) -> (LeaseToken, Vec<(MessageKey, bool)>) {
    let lease = lease(bench, 10).await;
    (lease.token, lease.items.iter().map(|item| (item.id, item.in_doubt)).collect())
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
    let elsewhere = NewMessage { lane: MessageLane::of(&other), ..bench.message("elsewhere") };
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
        (item.bytes.as_ref(), item.expires, item.queued_at),
        (Some(&first.bytes), first.expires, bench.clock.now())
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
        (listed.id, listed.lane.as_str(), listed.bytes.as_ref()),
        (message.id, "aliyun-sms", Some(&message.bytes))
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
    bench.reopen_when_leases_end().await;
    let again = lease(&bench, 10).await;
    assert_eq!((keys(&again), again.items[0].attempt), (vec![message.id], 2));
}

#[tokio::test]
async fn a_message_is_in_doubt_while_an_earlier_lease_of_it_was_never_settled() {
    let mut bench = Bench::new().await;
    let (one, two) = (bench.message("one"), bench.message("two"));
    queue(&bench, &[&one, &two]).await;
    let (token, found) = lease_doubting(&bench).await;
    assert_eq!(found, [(one.id, false), (two.id, false)]);
    settle(&bench, token, &[(two.id, MessageSettled::Released)]).await;
    bench.reopen_when_leases_end().await;
    let (former, found) = lease_doubting(&bench).await;
    assert_eq!(found, [(one.id, true), (two.id, false)], "one was never settled, two was");
    // A sender that leaves it once more cannot take the doubt away.
    bench.reopen_when_leases_end().await;
    if !SHARED {
        assert_eq!(settle(&bench, former, &[(one.id, MessageSettled::Sent)]).await, 1);
    }
    let (token, found) = lease_doubting(&bench).await;
    assert_eq!(found, [(one.id, true), (two.id, true)]);
    if SHARED {
        // Nobody released it, but somebody else has it now.
        assert_eq!(settle(&bench, former, &[(one.id, MessageSettled::Sent)]).await, 1);
    }
    let retry = MessageSettled::Retry { due: bench.clock.now(), reason: "503".to_owned() };
    settle(&bench, token, &[(one.id, retry), (two.id, dead())]).await;
    let (_, found) = lease_doubting(&bench).await;
    assert_eq!(found, [(one.id, false)], "a verdict settles it");
    bench.clock.advance(MINUTE);
    let (token, found) = lease_doubting(&bench).await;
    assert_eq!(found, [(one.id, true)], "its lease ran out");
    settle(&bench, token, &[(one.id, MessageSettled::Sent)]).await;
    let operator = bench.operator().await;
    let replayed = operator.replay_messages(&[two.id], bench.clock.now()).await;
    assert_eq!(replayed.expect("it replays"), 1);
    assert_eq!(lease_doubting(&bench).await.1, [(two.id, false)]);
}

#[tokio::test]
async fn news_come_with_the_settlement_and_are_told_once() {
    let mut bench = Bench::new().await;
    let (one, two) = (bench.message("one"), bench.message("two"));
    queue(&bench, &[&one, &two]).await;
    let leased = lease(&bench, 10).await;
    let mut arrivals = bench.store().arrivals();
    arrivals.mark_unchanged();
    settle(&bench, leased.token, &[(two.id, dead())]).await;
    let sent = (MessageSettled::Sent, "sent");
    assert_eq!(settle_telling(&bench, LeaseToken(0), one.id, sent.clone()).await, 1);
    assert!(!arrivals.has_changed().expect("the store is open"), "nothing to tell");
    assert!(untold(&bench).await.is_empty());

    assert_eq!(settle_telling(&bench, leased.token, one.id, sent).await, 0);
    assert!(arrivals.has_changed().expect("the store is open"));
    let lost = (MessageSettled::Sent, "lost");
    assert_eq!(settle_telling(&bench, leased.token, one.id, lost).await, 1);
    let operator = bench.operator().await;
    operator.replay_messages(&[two.id], bench.clock.now()).await.expect("it replays");
    let again = lease(&bench, 1).await;
    settle_telling(&bench, again.token, two.id, (dead(), "dead")).await;
    bench.reopen().await;
    let expected = [(one.id, "sent"), (two.id, "dead")].map(|(id, text)| (id, Some(news_of(text))));
    assert_eq!(untold(&bench).await, expected);
    let first = bench.store().untold(None, 1).await.expect("it reads").remove(0);
    let second = bench.store().untold(Some(first.seq), 10).await.expect("it reads").remove(0);
    assert_eq!([first.id, second.id], [one.id, two.id]);
    assert!(bench.store().untold(Some(second.seq), 10).await.expect("it reads").is_empty());
    assert!(!bench.holds_in_the_clear("13940000001").await, "in the clear");

    // Within one group, too.
    let store = bench.store();
    let (first, second) = tokio::join!(
        store.conclude(bench.owned(telling(&[one.id]))),
        store.conclude(bench.owned(telling(&[one.id, two.id])))
    );
    assert_eq!(first.expect("it concludes"), Concluded::Done { fresh: Vec::new() });
    assert_eq!(second.expect("it concludes"), Concluded::Void);
    assert_eq!(untold(&bench).await, expected[1..], "a void conclusion tells nothing");
    bench.reopen().await;
    let messages = vec![bench.message("thanks")];
    let retried = Conclusion { messages, ..telling(&[one.id]) };
    assert_eq!(bench.conclude(&retried).await, Concluded::Void);
    assert_eq!(status(&bench).await.pending, 0);
    assert_eq!(bench.conclude(&telling(&[two.id])).await, Concluded::Done { fresh: Vec::new() });
    assert!(untold(&bench).await.is_empty());
}

#[tokio::test]
async fn later_news_take_the_place_of_untold_ones_and_silence_does_not() {
    let bench = Bench::new().await;
    let message = bench.message("one");
    queue(&bench, &[&message]).await;
    let retry = MessageSettled::Retry { due: bench.clock.now(), reason: String::new() };
    for (news, expected) in [(Some("first"), "first"), (None, "first"), (Some("last"), "last")] {
        let token = lease(&bench, 1).await.token;
        match news {
            Some(news) => settle_telling(&bench, token, message.id, (retry.clone(), news)).await,
            None => settle(&bench, token, &[(message.id, retry.clone())]).await,
        };
        assert_eq!(untold(&bench).await[0].1, Some(news_of(expected)));
    }
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
    let leased = lease(&bench, 10).await;
    assert_eq!(keys(&leased), [retried.id, waiting.id]);
    if SHARED {
        // Another node's lease would run on, and no step of its clock would end it.
        let released = [retried.id, waiting.id].map(|id| (id, MessageSettled::Released));
        settle(&bench, leased.token, &released).await;
    }
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

#[tokio::test]
async fn a_purge_spares_what_is_untold() {
    let bench = Bench::new().await;
    let message = bench.message("thanks");
    queue(&bench, &[&message]).await;
    let token = lease(&bench, 1).await.token;
    settle_telling(&bench, token, message.id, (MessageSettled::Sent, "sent")).await;
    bench.clock.advance(2 * DAY);
    bench.purge(DAY).await;
    assert_eq!(status(&bench).await.sent, 1);
    bench.conclude(&telling(&[message.id])).await;
    bench.purge(DAY).await;
    assert!(bench.store().message_lanes().await.expect("it counts").is_empty());
}

#[tokio::test]
async fn a_damaged_message_is_leased_and_given_up_like_any_other() {
    let bench = Bench::new().await;
    let (damaged, sound) = (bench.message("damaged"), bench.message("sound"));
    queue(&bench, &[&damaged, &sound]).await;
    bench.sql("UPDATE message SET sealed = zeroblob(length(sealed)) WHERE seq = 1").await;
    let leased = lease(&bench, 10).await;
    let shown: Vec<_> =
        leased.items.iter().map(|item| (item.id, item.in_doubt, item.bytes.as_ref())).collect();
    let expected = [(damaged.id, false, None), (sound.id, false, Some(&sound.bytes))];
    assert_eq!(shown, expected);
    assert_eq!(settle(&bench, leased.token, &[(damaged.id, dead())]).await, 0);
    let listed = bench.operator().await.dead_messages(10).await.expect("it reads");
    assert_eq!((listed[0].id, listed[0].bytes.as_ref()), (damaged.id, None));
}

#[tokio::test]
async fn a_call_waits_until_it_is_taken_or_its_time_is_over() {
    let bench = Bench::new().await;
    let calls = MessageLane::calls(&crate::bench::account());
    let call = |text| NewMessage { lane: calls.clone(), ..bench.message(text) };
    let (taken, left) = (call("taken"), call("left"));
    queue(&bench, &[&taken, &left]).await;
    assert!(lease(&bench, 10).await.items.is_empty(), "no carrier is told of it");
    let due = async || {
        let due = bench.store().due_messages(&calls, 10).await.expect("it reads");
        due.into_iter().map(|stored| stored.id).collect::<Vec<_>>()
    };
    assert_eq!(due().await, [taken.id, left.id]);
    let take = async || {
        let (became, news) = (MessageSettled::Sent, Some(news_of("taken")));
        let item = SettledMessage { id: taken.id, became, news };
        bench.store().settle_unleased(item).await.expect("it settles")
    };
    assert_eq!((take().await, take().await), (true, false), "once");
    assert_eq!((due().await, untold(&bench).await.len()), (vec![left.id], 1));
    bench.clock.advance(400 * DAY);
    assert_eq!(due().await, [], "too late");
    bench.purge(1000 * DAY).await;
    let state = async |id| bench.store().message(id).await.expect("it reads").map(|it| it.state);
    assert_eq!(state(left.id).await, Some(MessageState::Dropped));
    assert_eq!(state(taken.id).await, Some(MessageState::Sent));
}
