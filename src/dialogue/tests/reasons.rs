//! Every decision says by which rules it came about.

use super::bench::*;
use crate::config::Conversation;
use crate::config::conversation::{QuietHours, Second, Wording};
use crate::dialogue::{Because, Fit, Silence, Turn};
use crate::model::{Event, EventBody, InvitationId, MessageKind, TextPart, Unrated};
use jiff::civil::time;
use jiff::tz::Offset;

const TEN: &str = "2026-03-05T10:00:00+08:00";

fn begun(conversation: Conversation, now: &str) -> Bench {
    let mut bench = Bench::new(conversation, now);
    bench.invite(invitation("A", LINE, moment("2026-03-08T10:00:00+08:00")));
    bench
}

/// What is said of one more text, without how it was read.
fn because(bench: &mut Bench, text: &str) -> Vec<Because> {
    bench.because.clear();
    bench.reply(LINE, text);
    bench.because.retain(|because| !matches!(because, Because::Read { .. }));
    std::mem::take(&mut bench.because)
}

fn matched() -> Because {
    let invitation = InvitationId("A".to_owned());
    Because::Matched { invitation, fit: Fit::Number, rivals: 1, late: false }
}

fn silent(kind: MessageKind, why: Silence) -> Because {
    Because::Silent { kind, why }
}

#[test]
fn what_one_more_rating_is() {
    let again = |second, before, turn| Because::Counted { turn, before, second };
    for (second, turn) in [
        (Second::LastStands, Turn::Revision),
        (Second::FirstStands, Turn::Surplus),
        (Second::FollowUp, Turn::FollowUp),
    ] {
        let mut bench = begun(Conversation { second, ..talkative() }, TEN);
        assert_eq!(because(&mut bench, "1"), [matched(), again(second, 0, Turn::First)]);
        let thanked = silent(MessageKind::ThankYou, Silence::SaidBefore);
        let said = because(&mut bench, "2");
        assert_eq!(said[..2], [matched(), again(second, 1, turn)]);
        assert_eq!(said[2..] == [thanked], turn != Turn::Surplus, "{said:?}");
    }
}

#[test]
fn why_nothing_is_said() {
    let wordless = |kind| {
        let mut conversation = talkative();
        conversation.wordings.retain(|(of, _)| *of != kind);
        conversation
    };
    let mut bench = begun(wordless(MessageKind::ThankYou), TEN);
    assert_eq!(
        because(&mut bench, "1").pop(),
        Some(silent(MessageKind::ThankYou, Silence::NoWording))
    );
    let mut bench = begun(Conversation { messages_per_day: Some(1), ..talkative() }, TEN);
    assert_eq!(
        because(&mut bench, "1").pop(),
        Some(silent(MessageKind::ThankYou, Silence::EnoughToday))
    );
    let mut bench = begun(talkative(), TEN);
    assert_eq!(because(&mut bench, "好的"), [matched()]);
    let prompted = silent(MessageKind::RePrompt, Silence::SaidBefore);
    assert_eq!(because(&mut bench, "好的"), [matched(), prompted]);
    let told = silent(MessageKind::AskReason, Silence::ToldAlready);
    assert_eq!(because(&mut bench, "不满意，没人管").pop(), Some(told));
    bench.reply(LINE, "TD");
    let confirmed = silent(MessageKind::OptOutConfirmed, Silence::SaidBefore);
    assert_eq!(because(&mut bench, "TD").pop(), Some(confirmed));
    bench.because.clear();
    bench.invite(invitation("B", LINE, moment("2026-03-08T10:00:00+08:00")));
    assert_eq!(bench.because, [silent(MessageKind::Invite, Silence::OptedOut)]);
}

#[test]
fn when_a_question_is_put_off_put_and_over() {
    let night =
        QuietHours { from: time(22, 0, 0, 0), to: time(7, 0, 0, 0), offset: Offset::constant(8) };
    let quiet = Conversation { quiet_hours: Some(night), ..talkative() };
    let mut bench = begun(quiet, "2026-03-05T23:00:00+08:00");
    let until = moment("2026-03-06T07:00:00+08:00");
    let put_off = Because::Quiet { kind: MessageKind::Invite, until };
    assert_eq!(bench.because, std::slice::from_ref(&put_off));
    bench.after(hours(72));
    let asked = Because::Asked { until: moment("2026-03-07T07:00:00+08:00") };
    assert_eq!(bench.because, [put_off, asked, Because::Ended(Unrated::Expired)]);
}

#[test]
fn what_waits_for_parts_or_for_a_number() {
    let mut bench = Bench::new(Conversation { call_wait: Some(hours(1)), ..talkative() }, TEN);
    let part = |number, text: &str| Event {
        part: Some(TextPart { reference: "7".to_owned(), total: 2, number }),
        ..event(EventBody::SmsReply { text: text.to_owned() })
    };
    for event in [part(1, "不满"), part(2, "意"), keys("c-1", "5")] {
        let heard = bench.heard(event);
        bench.says(heard);
    }
    bench.because.retain(|because| !matches!(because, Because::Read { .. }));
    let until = moment("2026-03-05T11:00:00+08:00");
    let joined = Because::Joined { partial: false };
    let expected =
        [Because::Part, Because::Part, joined, Because::NotInvited, Because::KeysHeld { until }];
    assert_eq!(bench.because, expected);
}

#[test]
fn what_is_said_of_a_rule_names_nobody_and_repeats_no_words() {
    let mut conversation = talkative();
    let secret = Wording::Text("机密".to_owned());
    conversation.wordings.iter_mut().for_each(|(_, wording)| *wording = secret.clone());
    let mut bench = begun(conversation, TEN);
    for text in ["不满意，张三没人管", "张三", "TD"] {
        bench.reply(LINE, text);
    }
    for because in &bench.because {
        let said = format!("{because} {because:?}");
        assert!(!["1394", "张三", "机密", "case-A"].iter().any(|it| said.contains(it)), "{said}");
    }
}
