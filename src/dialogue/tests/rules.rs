//! Each rule by an example.

use super::bench::*;
use crate::config::Conversation;
use crate::config::conversation::{ManyCases, QuietHours, Second};
use crate::dialogue::{Happening, may_send};
use crate::model::{
    Channel, DeliveryStatus, Event, EventBody, Invitation, InvitationId, Level, Mark, Matter,
    Meaning, MessageId, MessageKind, Outcome, Record, Revision, TargetType, TextPart, Unrated,
};
use jiff::civil::time;
use jiff::tz::Offset;
use std::time::Duration;

const TEN: &str = "2026-03-05T10:00:00+08:00";

/// One citizen, invited to rate case A at ten.
fn asked(conversation: Conversation) -> Bench {
    let mut bench = Bench::new(conversation, TEN);
    let expires_at = moment("2026-03-08T10:00:00+08:00");
    bench.invite(invitation("A", LINE, expires_at));
    bench.after(Duration::from_mins(10));
    bench
}

fn level(record: &Record) -> Option<Level> {
    match record.meaning {
        Meaning::Rating { level, .. } => Some(level),
        _ => None,
    }
}

fn night() -> Option<QuietHours> {
    Some(QuietHours { from: time(22, 0, 0, 0), to: time(7, 0, 0, 0), offset: Offset::constant(8) })
}

#[test]
fn an_answer_rates_the_case_that_was_asked_about() {
    let mut bench = asked(talkative());
    let answer = bench.reply(LINE, "1");
    let [rating] = &answer.records[..] else { panic!("{answer:?}") };
    let Meaning::Rating { target, .. } = &rating.meaning else { panic!("{rating:?}") };
    assert_eq!(
        (target.target_type, target.reference.as_deref()),
        (TargetType::Case, Some("case-A"))
    );
    assert_eq!(rating.context.invitation, Some(InvitationId("A".to_owned())));
    assert_eq!((rating.context.assess_number, &rating.context.marks[..]), (1, &[][..]));
    assert_eq!(bench.sent_of(MessageKind::ThankYou), 1);
}

#[test]
fn an_answer_that_nobody_asked_for_is_never_guessed_onto_a_case() {
    let mut bench = asked(talkative());
    // The last could be the line without an extension, but no campaign claims it.
    for elsewhere in ["10086", "024-8890", "106900"] {
        assert_eq!(bench.clone().reply(elsewhere, "1").outcome, Outcome::Unmatched, "{elsewhere}");
    }
    bench.after(hours(48));
    let late = bench.reply(LINE, "1");
    assert_eq!((late.outcome, late.records.len()), (Outcome::Unmatched, 0));
    assert_eq!(bench.reply(LINE, "路灯坏了一直没人修").outcome, Outcome::Complaint);
}

#[test]
fn of_two_extensions_each_gets_its_own() {
    let mut bench = Bench::new(talkative(), TEN);
    let expires_at = moment("2026-03-08T10:00:00+08:00");
    for (id, extension) in [("A", "01"), ("B", "02")] {
        bench.invite(invitation(id, &format!("{LINE}{extension}"), expires_at));
    }
    for (id, extension) in [("A", "01"), ("B", "02")] {
        let answer = bench.reply(&format!("{LINE}{extension}"), "1");
        assert_eq!(answer.records[0].context.invitation, Some(InvitationId(id.to_owned())));
        assert_eq!(answer.records[0].context.marks, []);
    }
    assert_eq!(bench.reply(&format!("{LINE}03"), "1").outcome, Outcome::Unmatched);
}

#[test]
fn of_two_that_fit_the_newest_is_taken_and_the_doubt_recorded() {
    let mut bench = asked(talkative());
    bench.invite(invitation("B", LINE, moment("2026-03-08T10:00:00+08:00")));
    let answer = bench.reply(LINE, "1");
    assert_eq!(answer.records[0].context.invitation, Some(InvitationId("B".to_owned())));
    assert_eq!(answer.records[0].context.marks, [Mark::Ambiguous(2)]);
    // What the carrier hands back leaves no doubt.
    let named = Event { pass_through: Some("A".to_owned()), ..event(text("1")) };
    let named = bench.heard(named);
    let answer = bench.says(named).remove(0);
    assert_eq!(answer.records[0].context.invitation, Some(InvitationId("A".to_owned())));
    assert_eq!(answer.records[0].context.marks, []);
}

fn text(text: &str) -> EventBody {
    EventBody::SmsReply { text: text.to_owned() }
}

#[test]
fn who_does_not_answer_has_not_rated_and_a_late_rating_revises_that() {
    let mut bench = asked(talkative());
    bench.after(hours(25));
    let [ended] = &bench.records().cloned().collect::<Vec<_>>()[..] else { panic!("one record") };
    assert!(matches!(ended.meaning, Meaning::NotRated { why: Unrated::Expired, .. }));
    let late = bench.reply(LINE, "1").records.remove(0);
    assert_eq!((late.id, late.revision), (ended.id, Revision(2)));
    assert_eq!(late.context.marks, [Mark::Late]);
}

#[test]
fn validity_starts_when_the_question_is_put() {
    let quiet = Conversation { quiet_hours: night(), ..talkative() };
    let mut bench = Bench::new(quiet, "2026-03-05T23:00:00+08:00");
    bench.invite(invitation("A", LINE, moment("2026-03-08T10:00:00+08:00")));
    assert_eq!(bench.reply(LINE, "1").outcome, Outcome::Unmatched);
    bench.until(moment("2026-03-06T07:00:00+08:00"));
    let asked = bench.memory().expect("a memory").invitations.remove(0).invitation;
    assert_eq!(asked.attempted_at, Some(moment("2026-03-06T07:00:00+08:00")));
    assert_eq!(asked.expires_at, moment("2026-03-07T07:00:00+08:00"));
}

#[test]
fn a_question_that_cannot_be_put_says_so() {
    let why = |bench: &Bench| match bench.records().last().map(|record| &record.meaning) {
        Some(Meaning::NotRated { why, .. }) => *why,
        other => panic!("{other:?}"),
    };
    let mut bench = asked(Conversation { invite_every: Some(hours(240)), ..talkative() });
    bench.invite(invitation("B", LINE, moment("2026-03-08T10:00:00+08:00")));
    assert_eq!(why(&bench), Unrated::TooOften);
    // The same key is the same invitation.
    let count = bench.records().count();
    bench.invite(invitation("B", LINE, moment("2026-03-08T10:00:00+08:00")));
    assert_eq!(bench.records().count(), count);
    bench.reply(LINE, "TD");
    bench.after(hours(480));
    bench.invite(invitation("C", LINE, moment("2026-06-08T10:00:00+08:00")));
    assert_eq!(why(&bench), Unrated::OptedOut);
    let silent = Conversation { wordings: Vec::new(), ..talkative() };
    assert_eq!(why(&asked(silent)), Unrated::NotSent);
    let mut lost = asked(talkative());
    let id = Some(MessageId(lost.sent[0].1.key.to_string()));
    let body = EventBody::DeliveryReport { status: DeliveryStatus::Failed, raw: String::new() };
    let report = lost.heard(Event { message_id: id, caller: None, ..event(body) });
    assert_eq!(outcomes(&lost.says(report)), [Outcome::Noted]);
    lost.after(hours(25));
    assert_eq!(why(&lost), Unrated::Undelivered);
}

#[test]
fn a_question_that_an_operator_puts_back_is_put_until_it_is_answered() {
    let mut bench = Bench::new(talkative(), TEN);
    bench.invite(invitation("A", LINE, moment("2026-03-08T10:00:00+08:00")));
    let (_, message) = bench.sent.remove(0);
    let allowed = |bench: &Bench| may_send(&message, bench.memory().as_ref(), bench.now);
    assert_eq!(allowed(&bench), Ok(()), "nobody knew whether it was sent");
    bench.reply(LINE, "1");
    assert_eq!(allowed(&bench), Err(Unrated::NotSent));

    let mut bench = Bench::new(talkative(), "2026-03-05T10:00:00+08:00");
    bench.happens(Happening::Invited(Box::new(invitation("A", LINE, message.expires))));
    bench.happens(Happening::NotSent(Box::new(message.clone())));
    assert_eq!(bench.records().count(), 1, "it was given up");
    assert_eq!(allowed(&bench), Ok(()));
    bench.happens(Happening::Sent { message: Box::new(message), carrier_id: None, at: bench.now });
    let late = bench.reply(LINE, "1").records.remove(0);
    assert_eq!((late.revision, &late.context.marks[..]), (Revision(2), &[][..]));
}

#[test]
fn a_second_rating_does_what_the_campaign_says() {
    for (second, outcome, numbers) in [
        (Second::FirstStands, Outcome::Surplus, (1, 1, None)),
        (Second::LastStands, Outcome::Rated, (1, 2, None)),
        (Second::FollowUp, Outcome::Rated, (2, 1, Some(()))),
    ] {
        let mut bench = asked(Conversation { second, ..talkative() });
        let first = bench.reply(LINE, "1，很快就来了人").records.remove(0);
        assert_eq!(bench.reply(LINE, "3").outcome, outcome);
        let ratings: Vec<Record> = bench.records().cloned().collect();
        let last = ratings.last().expect("a record");
        let mut ids: Vec<_> = ratings.iter().map(|record| record.id).collect();
        ids.dedup();
        assert_eq!((ids.len(), last.revision.0, last.context.follows.map(drop)), numbers);
        if second == Second::LastStands {
            assert_eq!((last.context.assess_number, &last.comment), (2, &first.comment));
        }
        let count = ratings.len();
        assert_eq!(bench.reply(LINE, "5").outcome, Outcome::Surplus);
        assert_eq!(bench.records().count(), count);
    }
}

/// The citizen and a neighbour, both invited to rate case A.
fn both_asked(conversation: Conversation) -> Bench {
    let mut bench = asked(conversation);
    let expires_at = moment("2026-03-08T10:00:00+08:00");
    let id = InvitationId("B".to_owned());
    bench.invite(Invitation { id, caller: neighbour(), ..invitation("A", LINE, expires_at) });
    bench.after(Duration::from_mins(10));
    bench
}

#[test]
fn a_case_is_rated_once_whoever_phones() {
    for (second, outcome, same) in [
        (Second::FirstStands, Outcome::Surplus, None),
        (Second::LastStands, Outcome::Rated, Some(true)),
        (Second::FollowUp, Outcome::Rated, Some(false)),
    ] {
        let mut bench = both_asked(Conversation { second, ..talkative() });
        let first = bench.reply(LINE, "1，很快就来了人").records.remove(0);
        let thanked = bench.sent_of(MessageKind::ThankYou);
        let other = bench.reply_from(&neighbour(), LINE, "2");
        assert_eq!(other.outcome, outcome);
        if let (Some(same), Some(second)) = (same, other.records.first()) {
            assert_eq!((second.id == first.id, second.context.assess_number), (same, 2));
            assert_eq!(second.comment.0, "", "the words are the citizen's");
            assert_eq!(bench.sent_of(MessageKind::ThankYou), thanked + 1, "each is thanked");
        }
        assert_eq!(bench.reply_from(&neighbour(), LINE, "3").outcome, Outcome::Surplus);
        assert_eq!(bench.reply(LINE, "3").outcome, Outcome::Surplus);
    }
}

#[test]
fn whoever_is_asked_about_a_case_after_the_validity_rates_it_anew() {
    let mut bench = asked(talkative());
    let first = bench.reply(LINE, "1").records.remove(0);
    bench.after(hours(25));
    let id = InvitationId("B".to_owned());
    let expires_at = moment("2026-03-09T10:00:00+08:00");
    bench.invite(Invitation { id, caller: neighbour(), ..invitation("A", LINE, expires_at) });
    let again = bench.after(hours(1)).reply_from(&neighbour(), LINE, "4").records.remove(0);
    assert_ne!(again.id, first.id);
    assert_eq!((again.revision, again.context.assess_number), (Revision::FIRST, 1));
}

#[test]
fn a_reason_goes_with_the_rating_that_stands() {
    let mut bench = both_asked(talkative());
    let first = bench.reply(LINE, "4").records.remove(0);
    let reason = bench.reply(LINE, "3天没人来").records.remove(0);
    assert_eq!((reason.id, reason.revision), (first.id, Revision(2)));
    let second = bench.reply_from(&neighbour(), LINE, "4").records.remove(0);
    assert_eq!((second.id, second.revision), (first.id, Revision(3)));
    assert_eq!(bench.sent_of(MessageKind::AskReason), 2);
    let reason = bench.reply_from(&neighbour(), LINE, "没人接电话").records.remove(0);
    assert_eq!((reason.id, reason.revision), (first.id, Revision(4)));

    let mut bench = both_asked(talkative());
    bench.reply(LINE, "4");
    bench.reply_from(&neighbour(), LINE, "1");
    let late = bench.reply(LINE, "排队五个小时");
    assert_ne!(late.outcome, Outcome::Reason, "the neighbour's rating has taken its place");
}

#[test]
fn a_bad_rating_without_a_word_is_asked_why_and_the_answer_is_its_comment() {
    for reason in ["3天没人来", "2", "1"] {
        let mut bench = asked(talkative());
        let rating = bench.reply(LINE, "4").records.remove(0);
        assert_eq!(bench.sent_of(MessageKind::AskReason), 1);
        let answer = bench.after(hours(1)).reply(LINE, reason);
        assert_eq!(answer.outcome, Outcome::Reason);
        let [revised] = &answer.records[..] else { panic!("{answer:?}") };
        assert_eq!((revised.id, revised.revision), (rating.id, Revision(2)));
        assert_eq!((level(revised), &*revised.comment.0), (level(&rating), reason));
        assert_eq!(bench.sent.len(), 2);
    }
    let mut bench = asked(talkative());
    bench.reply(LINE, "4");
    assert_eq!(bench.reply(LINE, "TD").outcome, Outcome::OptOut);
    let mut bench = asked(talkative());
    bench.reply(LINE, "4，没人来");
    assert_eq!(bench.sent_of(MessageKind::AskReason), 0);
    let mut bench = asked(talkative());
    bench.reply(LINE, "4");
    let passed = bench.after(hours(25)).reply(LINE, "3天没人来");
    assert_eq!(passed.outcome, Outcome::Complaint);
}

#[test]
fn an_unreadable_answer_is_asked_again_once_and_then_there_is_silence() {
    let mut bench = asked(talkative());
    for _ in 0..3 {
        assert_eq!(bench.reply(LINE, "？").outcome, Outcome::Unrecognised);
    }
    assert_eq!(bench.sent_of(MessageKind::RePrompt), 1);
    assert_eq!(bench.reply(LINE, "1").outcome, Outcome::Rated);
}

#[test]
fn whoever_refuses_hears_no_more_than_that_it_was_heard() {
    let mut bench = asked(talkative());
    let answer = bench.reply(LINE, "4 TD");
    assert_eq!((answer.outcome, answer.records.len()), (Outcome::OptOut, 2));
    for text in ["TD", "？", "1", "5"] {
        bench.reply(LINE, text);
    }
    let kinds: Vec<MessageKind> = bench.sent.iter().map(|(_, message)| message.kind).collect();
    assert_eq!(kinds, [MessageKind::Invite, MessageKind::OptOutConfirmed]);
}

#[test]
fn nothing_is_said_at_night_and_not_more_than_allowed_by_day() {
    let mut bench = asked(Conversation { quiet_hours: night(), ..talkative() });
    bench.until(moment("2026-03-05T23:00:00+08:00"));
    bench.reply(LINE, "1");
    assert_eq!(bench.sent.len(), 1);
    bench.after(hours(12));
    assert_eq!(bench.sent[1].0, moment("2026-03-06T07:00:00+08:00"));
    let mut bench = asked(Conversation { messages_per_day: Some(1), ..talkative() });
    bench.reply(LINE, "1");
    assert_eq!(bench.sent.len(), 1);
}

#[test]
fn nobody_is_asked_before_the_time_that_was_named() {
    let (noon, midnight) = ("2026-03-05T12:00:00+08:00", "2026-03-06T00:00:00+08:00");
    for (named, asked_at) in [(noon, noon), (midnight, "2026-03-06T07:00:00+08:00"), (TEN, TEN)] {
        let mut bench = Bench::new(Conversation { quiet_hours: night(), ..talkative() }, TEN);
        let expires_at = moment("2026-03-08T10:00:00+08:00");
        let later =
            Invitation { send_at: Some(moment(named)), ..invitation("A", LINE, expires_at) };
        bench.invite(later);
        bench.after(Duration::from_hours(24));
        let sent: Vec<_> = bench.sent.iter().map(|(at, _)| *at).collect();
        assert_eq!(sent, [moment(asked_at)], "{named}");
    }
}

#[test]
fn keys_find_the_number_of_their_call_before_and_after() {
    let waits = || Conversation { call_wait: Some(hours(1)), invited_only: false, ..talkative() };
    let mut known = Bench::new(waits(), TEN);
    let status = known.heard(answered("c1"));
    known.says(status);
    let keys_first = |bench: &mut Bench| {
        let pressed = bench.heard(keys("c1", "1"));
        bench.says(pressed)
    };
    let rated = keys_first(&mut known).remove(0);
    assert_eq!((rated.outcome, rated.records[0].caller.is_some()), (Outcome::Rated, true));

    let mut early = Bench::new(waits(), TEN);
    assert_eq!(keys_first(&mut early), []);
    let status = early.heard(answered("c1"));
    let concluded = early.says(status);
    assert_eq!(outcomes(&concluded), [Outcome::Noted, Outcome::Rated]);
    assert!(concluded[1].records[0].caller.is_some());
    assert_eq!(concluded[1].records[0].context.marks, []);

    let mut lonely = Bench::new(waits(), TEN);
    keys_first(&mut lonely);
    lonely.after(hours(2));
    let records: Vec<Record> = lonely.records().cloned().collect();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(
        (record.caller.is_some(), &record.context.marks[..]),
        (false, &[Mark::NoCaller][..])
    );
    // The number comes too late, and the call stays rated once.
    let status = lonely.heard(answered("c1"));
    lonely.says(status);
    keys_first(&mut lonely);
    let ids: std::collections::BTreeSet<_> = lonely.records().map(|record| record.id).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_call_that_was_rated_before_its_number_came_is_revised_by_text_and_by_key_in_turn() {
    let talks = Conversation {
        call_wait: Some(hours(1)),
        invited_only: false,
        sender: Some(sender().name),
        ..talkative()
    };
    let mut bench = Bench::new(talks, TEN);
    let pressed = bench.heard(keys("c1", "1"));
    assert_eq!(bench.says(pressed), []);
    bench.after(hours(2));
    let status = bench.heard(answered("c1"));
    bench.says(status);
    let pressed = bench.heard(keys("c1", "5"));
    let bad = bench.says(pressed).remove(0).records.remove(0);
    bench.until(bench.now);
    let reason = bench.reply(LINE, "3天没人来").records.remove(0);
    assert_eq!([bad.revision, reason.revision], [Revision(2), Revision(3)]);
    let pressed = bench.heard(keys("c1", "1"));
    assert_eq!(outcomes(&bench.says(pressed)), [Outcome::Surplus]);
}

#[test]
fn both_channels_close_one_invitation() {
    let mut bench = Bench::new(Conversation { call_wait: Some(hours(1)), ..talkative() }, TEN);
    let about_call = Matter { call_id: Some("c1".to_owned()), ..Matter::bare(TargetType::Call) };
    let expires_at = moment("2026-03-08T10:00:00+08:00");
    bench.invite(crate::model::Invitation {
        matter: about_call,
        ..invitation("A", LINE, expires_at)
    });
    let status = bench.heard(answered("c1"));
    bench.says(status);
    let pressed = bench.heard(keys("c1", "1"));
    let by_key = bench.says(pressed).remove(0).records.remove(0);
    assert_eq!(by_key.context.invitation, Some(InvitationId("A".to_owned())));
    let by_text = bench.reply(LINE, "2").records.remove(0);
    assert_eq!((by_text.id, by_text.revision), (by_key.id, Revision(2)));
    assert_eq!(bench.reply(LINE, "3").outcome, Outcome::Surplus);
}

#[test]
fn a_call_puts_the_question_of_its_invitation() {
    let mut bench = Bench::new(Conversation { call_wait: Some(hours(1)), ..talkative() }, TEN);
    let expires_at = moment("2026-03-08T10:00:00+08:00");
    let by_voice = crate::model::Invitation {
        channel: Channel::Ivr,
        ..invitation("A", "024-8890", expires_at)
    };
    bench.invite(by_voice);
    assert_eq!(bench.sent.len(), 0);
    bench.after(hours(1));
    let call = Event { pass_through: Some("A".to_owned()), ..answered("c9") };
    let status = bench.heard(call);
    bench.says(status);
    let asked = bench.memory().expect("a memory").invitations.remove(0).invitation;
    assert_eq!(asked.attempted_at, Some(bench.now));
    let pressed = bench.heard(keys("c9", "1"));
    let rated = bench.says(pressed).remove(0).records.remove(0);
    assert_eq!(rated.context.invitation, Some(InvitationId("A".to_owned())));
    assert_eq!(rated.context.marks, []);
}

#[test]
fn parts_are_read_when_they_are_together_or_have_waited_long_enough() {
    let part = |number, words: &str| Event {
        part: Some(TextPart { reference: "7".to_owned(), total: 2, number }),
        ..event(text(words))
    };
    let mut bench = asked(talkative());
    let second = bench.heard(part(2, "满意，没人来"));
    assert_eq!(outcomes(&bench.says(second)), [Outcome::Part]);
    let first = bench.heard(part(1, "非常不"));
    let concluded = bench.says(first);
    assert_eq!(outcomes(&concluded), [Outcome::Part, Outcome::Rated]);
    assert_eq!(level(&concluded[1].records[0]), Some(Level::VeryDissatisfied));
    assert_eq!(concluded[1].records[0].context.marks, []);

    let mut bench = asked(talkative());
    let first = bench.heard(part(1, "非常不满意，路灯"));
    bench.says(first);
    bench.after(Duration::from_mins(6));
    let record = bench.records().next().expect("a record");
    assert_eq!(
        (level(record), &record.context.marks[..]),
        (Some(Level::VeryDissatisfied), &[Mark::Partial][..])
    );
}

#[test]
fn what_looks_odd_is_marked_and_never_altered() {
    let watchful = Conversation {
        fastest_answer: Some(Duration::from_secs(5)),
        many_cases: Some(ManyCases { count: 2, window: hours(24) }),
        staff_numbers: vec![citizen()],
        ..talkative()
    };
    let mut bench = Bench::new(watchful, TEN);
    let expires_at = moment("2026-03-08T10:00:00+08:00");
    bench.invite(invitation("A", &format!("{LINE}1"), expires_at));
    let first = bench.reply(&format!("{LINE}1"), "1").records.remove(0);
    assert_eq!(first.context.marks, [Mark::TooFast, Mark::StaffLine]);
    assert_eq!(level(&first), Some(Level::VerySatisfied));
    bench.invite(invitation("B", &format!("{LINE}2"), expires_at));
    bench.after(Duration::from_mins(1));
    let second = bench.reply(&format!("{LINE}2"), "1").records.remove(0);
    assert_eq!(second.context.marks, [Mark::ManyCases(2), Mark::StaffLine]);
}

#[test]
fn in_the_end_only_a_refusal_is_remembered() {
    let mut bench = both_asked(talkative());
    bench.reply(LINE, "4");
    bench.reply_from(&neighbour(), LINE, "2");
    bench.after(hours(24 * 365));
    assert_eq!(bench.remembered(), [""; 0]);
    bench.reply(LINE, "TD");
    bench.after(hours(24 * 365));
    assert_eq!(bench.remembered().len(), 1);
    assert!(bench.memory().is_some_and(|caller| caller.opted_out.is_some()));
    assert_eq!(
        bench.happens(Happening::Due(crate::dialogue::memory::MemoryKey::Caller(citizen()))),
        []
    );
}

#[test]
fn a_call_waits_for_whoever_dials_and_is_valid_from_the_dialling_on() {
    let quiet = Conversation { quiet_hours: night(), ..talkative() };
    let mut bench = Bench::new(quiet.clone(), TEN);
    let by_voice = crate::model::Invitation {
        channel: Channel::Ivr,
        ..invitation("A", "024-8890", moment("2026-03-08T10:00:00+08:00"))
    };
    bench.invite(by_voice);
    let call = bench.offered.remove(0);
    assert_eq!((call.kind, call.not_before), (MessageKind::Call, moment(TEN)));
    let campaign = crate::config::Campaign {
        conversation: Some(quiet),
        ..crate::dialogue::interpret::tests::campaign()
    };
    let may = |bench: &Bench, at: &str| {
        crate::dialogue::may_call(&call, bench.memory().as_ref(), Some(&campaign), moment(at))
    };
    let morning = crate::dialogue::NotNow::Before(moment("2026-03-06T07:00:00+08:00"));
    assert_eq!(may(&bench, "2026-03-05T22:00:00+08:00"), Err(morning), "whenever it was planned");
    assert_eq!(may(&bench, "2026-03-05T21:59:00+08:00"), Ok(()));
    let over = crate::dialogue::NotNow::Never(Unrated::Expired);
    assert_eq!(may(&bench, "2026-03-08T10:00:00+08:00"), Err(over));

    bench.after(hours(5));
    let sent = Happening::Sent { message: Box::new(call.clone()), carrier_id: None, at: bench.now };
    bench.happens(sent);
    let asked = bench.memory().expect("a memory").invitations.remove(0).invitation;
    assert_eq!((asked.attempted_at, asked.expires_at), (Some(bench.now), bench.now + hours(24)));
    let again = crate::dialogue::NotNow::Never(Unrated::NotSent);
    assert_eq!(may(&bench, "2026-03-05T15:00:00+08:00"), Err(again), "nobody is called twice");
}
