//! Answers read again: what changes, what stays, and what nobody can tell.

use super::*;
use crate::config::conversation::Conversation;
use crate::dialogue::interpret::tests::{account, campaign};
use crate::dialogue::memory::{CallerMemory, Memory, MemoryKey, Rated, Subject};
use crate::dialogue::{Known, Rules};
use crate::model::{
    AccountName, Caller, Comment, ComplaintKind, Context, EventBody, History, InvitationId, Level,
    Made, Mark, Meaning, Msisdn, RecordSeq, Revision, Scheme, ServiceNumber, TextPart,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::constant(1_772_677_230, 0);
const SEQ: CallbackSeq = CallbackSeq(10);
const LATER: CallbackSeq = CallbackSeq(20);

/// The rules of today, and the callback that is read by them.
struct Bench {
    account: Account,
    campaigns: Vec<Arc<Campaign>>,
    accounts: BTreeMap<AccountName, Arc<Account>>,
    events: Vec<Event>,
    ids: u128,
}

impl Bench {
    /// One where 5 is the best, and these texts came, `m-1` and so on.
    fn of(texts: &[&str]) -> Bench {
        let texts = texts.iter().zip(1..);
        let events = texts.map(|(text, number)| event(&format!("m-{number}"), text)).collect();
        let today = Campaign { scheme: Scheme::DESC, ..campaign() };
        Bench {
            account: account(),
            campaigns: vec![Arc::new(today)],
            accounts: BTreeMap::new(),
            events,
            ids: 1000,
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Campaign)) {
        change(Arc::make_mut(&mut self.campaigns[0]));
    }

    fn review(&mut self, traces: &Traces) -> Vec<Review> {
        self.review_of(SEQ, traces)
    }

    fn review_of(&mut self, seq: CallbackSeq, traces: &Traces) -> Vec<Review> {
        let rules = Rules { campaigns: &self.campaigns, accounts: &self.accounts };
        let Bench { account, events, ids, .. } = self;
        let read = ReadAgain { seq, account, received_at: NOW, events, is_whole: true };
        review(read, traces, rules, &mut || {
            *ids += 1;
            id(*ids)
        })
    }

    /// What was made of the events when 1 was the best, each record under a number of its own.
    fn made(&self) -> Traces {
        let mut number = 0;
        let mut histories = Vec::new();
        for event in &self.events {
            let then = interpret(event, &self.account, Some(&campaign()), NOW, || {
                number += 1;
                id(number)
            });
            histories.extend(then.records.into_iter().map(|record| {
                let seq = RecordSeq(i64::try_from(record.id.0.as_u128()).expect("a small number"));
                History::new(vec![Made { seq, callback: SEQ, record }]).expect("a revision")
            }));
        }
        Traces { histories, ..Traces::default() }
    }
}

fn id(number: u128) -> RecordId {
    RecordId(uuid::Uuid::from_u128(number))
}

fn event(id: &str, text: &str) -> Event {
    Event {
        message_id: Some(MessageId(id.to_owned())),
        call: None,
        caller: Some(Caller::read("13940000001", "86")),
        service: Some(ServiceNumber("8890".to_owned())),
        occurred_at: Some(NOW),
        dedupe: id.to_owned(),
        resend_window: None,
        pass_through: None,
        part: None,
        body: EventBody::SmsReply { text: text.to_owned() },
    }
}

/// The same with a further revision by this callback.
fn followed(history: &History, callback: CallbackSeq, change: impl FnOnce(&mut Record)) -> History {
    let mut record = history.latest().clone();
    record.revision.0 += 1;
    change(&mut record);
    let mut revisions = history.revisions().to_vec();
    revisions.push(Made { seq: RecordSeq(900), callback, record });
    History::new(revisions).expect("a revision")
}

fn noted(place: Option<usize>, outcome: Outcome) -> Note {
    Note { place, outcome, repeats: false }
}

/// In short: what happens to which record.
fn told(reviews: &[Review]) -> Vec<String> {
    let level = |record: &Record| record.meaning.level().map_or(0, Level::number);
    let one = |amendment: &Amendment| match amendment {
        Amendment::Revised { old, new } => {
            assert_eq!((new.id, new.revision.0), (old.id, old.revision.0 + 1));
            let number = new.id.0.as_u128();
            format!("{number}: {} {} > {}", new.meaning.name(), level(old), level(new))
        }
        Amendment::Made(record) => format!("new {} {}", record.meaning.name(), level(record)),
        Amendment::Withdrawn(record) => format!("{}: withdrawn", record.id.0.as_u128()),
    };
    let line = |review: &Review| match review.kept {
        Some(why) => format!("{why:?}"),
        None => review.amendments.iter().map(one).collect::<Vec<_>>().join(", "),
    };
    reviews.iter().map(line).collect()
}

/// The traces after the amendments were written by this callback.
fn applied(mut traces: Traces, reviews: &[Review]) -> Traces {
    for record in reviews.iter().flat_map(Review::written).cloned() {
        let known = traces.histories.iter_mut().find(|it| it.latest().id == record.id);
        let made = Made { seq: RecordSeq(950), callback: SEQ, record };
        match known {
            Some(history) => {
                let revisions = history.revisions().iter().cloned().chain([made]).collect();
                *history = History::new(revisions).expect("a revision");
            }
            None => traces.histories.extend(History::new(vec![made])),
        }
    }
    traces
}

#[test]
fn a_turned_scheme_revises_ratings_and_opens_complaints_but_withdraws_none() {
    let mut bench = Bench::of(&["1", "5", "3", "非常满意"]);
    let traces = bench.made();
    let reviews = bench.review(&traces);
    let expected = [
        "1: rating 5 > 1, new complaint 0",
        "2: rating 1 > 5, 3: withdrawn",
        "4: rating 3 > 3",
        "5: rating 5 > 5",
    ];
    assert_eq!(told(&reviews), expected);
    let opened = reviews[0].written().nth(1).expect("a complaint");
    assert!(matches!(&opened.meaning,
        Meaning::Complaint { rating: Some(rating), kind: ComplaintKind::BadRating, .. }
            if *rating == id(1)));

    // Once more there is nothing to write.
    let traces = applied(traces, &reviews);
    let again = bench.review(&traces);
    assert_eq!(told(&again), ["", "3: withdrawn", "", ""]);
    // And back again the complaint that stayed is the complaint of its rating.
    bench.change(|campaign| campaign.scheme = Scheme::ASC);
    let back = bench.review(&traces);
    assert_eq!(told(&back)[1], "2: rating 5 > 1");
}

#[test]
fn deadlines_of_a_complaint_that_stays_one_are_not_moved() {
    let mut bench = Bench::of(&["5没人处理"]);
    bench.change(|campaign| {
        campaign.scheme = Scheme::usual(crate::model::Direction::Asc, 3).expect("a scheme");
        let complaints = Arc::make_mut(&mut campaign.complaints);
        (complaints.call_back_days, complaints.repair_days) = (5, 30);
    });
    let traces = bench.made();
    let reviews = bench.review(&traces);
    // A 5 of three levels is no digit, so the bad rating becomes a grievance.
    assert_eq!(told(&reviews), ["1: withdrawn, 2: complaint 0 > 0"]);
    let until = |record: &Record| match &record.meaning {
        Meaning::Complaint { deadlines, .. } => *deadlines,
        _ => None,
    };
    let new = reviews[0].written().next().expect("a complaint");
    assert_eq!(until(new), until(traces.histories[1].latest()));
    assert!(until(new).is_some());

    // Read by the old rules once more, both are what they were.
    let traces = applied(traces, &reviews);
    bench.change(|campaign| campaign.scheme = Scheme::ASC);
    let back = bench.review(&traces);
    assert_eq!(told(&back), ["2: complaint 0 > 0"]);
    let complaint = back[0].written().next().expect("a complaint");
    assert_eq!(complaint.meaning, bench.made().histories[1].latest().meaning);
}

#[test]
fn an_answer_that_nobody_claimed_is_new_and_a_repeat_is_not() {
    let mut bench = Bench::of(&["1", "2"]);
    let repeat = Note { repeats: true, ..noted(Some(1), Outcome::Unmatched) };
    let notes = vec![noted(Some(0), Outcome::Unmatched), repeat];
    let traces = Traces { notes, ..Traces::default() };
    let reviews = bench.review(&traces);
    assert_eq!(told(&reviews), ["new rating 1, new complaint 0"]);
    // Whatever ids they were given, two readings come to the same.
    assert_eq!(reviews[0].content(), bench.review(&traces)[0].content());
    bench.change(|campaign| campaign.scheme = Scheme::ASC);
    assert_ne!(reviews[0].content(), bench.review(&traces)[0].content());
}

#[test]
fn what_a_conversation_concluded_without_a_record_stays_unless_nobody_was_asked() {
    for (outcome, expected) in [
        (Outcome::Unmatched, "new rating 5"),
        (Outcome::Unrecognised, "Conversation"),
        (Outcome::Surplus, "Conversation"),
        (Outcome::OptOut, "Conversation"),
        (Outcome::Part, "Conversation"),
    ] {
        let mut bench = Bench::of(&["5"]);
        let traces = Traces { notes: vec![noted(None, outcome)], ..Traces::default() };
        assert_eq!(told(&bench.review(&traces)), [expected], "{outcome:?}");
        bench.events[0].body = EventBody::SmsReply { text: "嗯".to_owned() };
        assert_eq!(told(&bench.review(&traces)), [""], "it says nothing now");
    }
    let mut bench = Bench::of(&["5"]);
    bench.change(|campaign| {
        let invited_only = true;
        campaign.conversation = Some(Conversation { invited_only, ..Conversation::default() });
    });
    let notes = vec![noted(None, Outcome::Unmatched)];
    let traces = Traces { notes, ..Traces::default() };
    assert_eq!(told(&bench.review(&traces)), [""], "only who was invited is asked");
}

#[test]
fn what_memory_gave_stays() {
    let mut bench = Bench::of(&["1"]);
    let mut traces = bench.made();
    let context = Context {
        invitation: Some(InvitationId("i-1".to_owned())),
        assess_number: 1,
        marks: vec![Mark::Late, Mark::TooFast],
        ..Context::default()
    };
    let known = context.clone();
    traces.histories[0] = followed(&traces.histories[0], SEQ, |record| {
        record.context = known;
        let Meaning::Rating { target, .. } = &mut record.meaning else { return };
        target.reference = Some("P-1".to_owned());
    });
    let reviews = bench.review(&traces);
    assert_eq!(told(&reviews), ["1: rating 5 > 1, new complaint 0"]);
    let written: Vec<&Record> = reviews[0].written().collect();
    assert_eq!(written[0].context, context);
    let aim = |record: &Record| match &record.meaning {
        Meaning::Rating { target, .. } => target.reference.clone(),
        _ => None,
    };
    assert_eq!(aim(written[0]).as_deref(), Some("P-1"));
    let of_complaint = &written[1].context;
    assert_eq!((of_complaint.assess_number, &*of_complaint.marks), (0, &[Mark::Late][..]));
    assert_eq!(of_complaint.invitation, context.invitation);

    // The campaign that asked counts, whichever claims the number today.
    bench.change(|campaign| campaign.name = "other".to_owned());
    assert_eq!(told(&bench.review(&traces)), ["Campaign"]);
}

#[test]
fn a_reason_stays_a_whole_text_and_a_later_answer_counts() {
    let mut bench = Bench::of(&["5"]);
    let mut traces = bench.made();
    let plain = traces.histories[0].clone();
    let reason = Comment("等了5个小时".to_owned());
    traces.histories[0] = followed(&plain, LATER, |record| record.comment = reason.clone());
    let reviews = bench.review(&traces);
    assert_eq!(told(&reviews), ["1: rating 1 > 5, 2: withdrawn"]);
    let new = reviews[0].written().next().expect("a revision");
    assert_eq!((&new.comment, new.revision), (&reason, Revision(3)));
    let after = applied(traces.clone(), &reviews);
    assert_eq!(told(&bench.review(&after)), ["2: withdrawn"], "the reason stays");

    bench.events[0] = event("m-2", &reason.0);
    for traces in [&traces, &after] {
        assert_eq!(told(&bench.review_of(LATER, traces)), [""], "a reason is no answer");
    }

    bench.events[0] = event("m-1", "5");
    let second = |record: &mut Record| record.context.assess_number = 2;
    traces.histories[0] = followed(&plain, LATER, second);
    assert_eq!(told(&bench.review(&traces)), [""], "another answer took its place");
    bench.events[0] = event("m-2", "5");
    assert_eq!(told(&bench.review_of(LATER, &traces)), ["1: rating 1 > 5"]);
}

#[test]
fn what_is_held_or_in_parts_is_left_alone() {
    let mut bench = Bench::of(&["5"]);
    let traces = bench.made();
    assert_eq!(told(&bench.review(&Traces { held: 1, ..traces.clone() })), ["Waiting"]);
    let notes = vec![noted(None, Outcome::Part)];
    assert_eq!(told(&bench.review(&Traces { notes, ..traces.clone() })), ["Conversation"]);
    bench.events[0].part = Some(TextPart { reference: "7".to_owned(), total: 2, number: 1 });
    assert_eq!(told(&bench.review(&traces)), ["Conversation"]);
}

#[test]
fn which_event_made_what_is_told_by_order_or_by_ids_or_not_at_all() {
    // By order: the second was noted, so the two records are of the first and the third.
    let mut bench = Bench::of(&["5", "嗯", "1"]);
    let mut traces = bench.made();
    traces.notes = vec![noted(Some(1), Outcome::Unrecognised)];
    let expected = ["1: rating 1 > 5, 2: withdrawn", "", "3: rating 5 > 1, new complaint 0"];
    assert_eq!(told(&bench.review(&traces)), expected);

    // By ids, whatever the order was.
    traces.notes = vec![noted(None, Outcome::Unrecognised)];
    assert_eq!(told(&bench.review(&traces)), expected);

    // Neither: what the ids do not tell is left alone.
    for event in &mut bench.events {
        event.message_id = None;
    }
    assert_eq!(told(&bench.review(&traces)), ["Unclear"; 4]);
    bench.events.truncate(1);
    assert_eq!(told(&bench.review(&traces)), ["Unclear"; 3]);
    let unread = Traces { garbled: 1, ..Traces::default() };
    assert_eq!(told(&bench.review(&unread)), ["Quarantined"]);
}

#[test]
fn what_was_noted_and_made_a_record_since_is_told_apart() {
    // The scheme of today has no 5, and then it has.
    let mut bench = Bench::of(&["5", "3", "嗯"]);
    let first = bench.made().histories;
    let notes = vec![noted(Some(0), Outcome::Unrecognised), noted(Some(2), Outcome::Unrecognised)];
    let histories = first.into_iter().filter(|it| it.latest().id == id(3)).collect();
    let traces = Traces { histories, notes, ..Traces::default() };
    let reviews = bench.review(&traces);
    assert_eq!(told(&reviews), ["new rating 5", "3: rating 3 > 3", ""]);
    let traces = applied(traces, &reviews);
    bench.change(|campaign| campaign.scheme = Scheme::ASC);
    let expected = ["1001: rating 5 > 1, new complaint 0", "3: rating 3 > 3", ""];
    assert_eq!(told(&bench.review(&traces)), expected);

    // Without ids, or with others, the newer record may be of either event that was noted.
    bench.events[0].message_id = Some(MessageId("m-9".to_owned()));
    let unclear = ["Unclear", "3: rating 3 > 3", "Unclear"];
    assert_eq!(told(&bench.review(&traces)), unclear);
    let without_ids = |traces: &Traces, notes: Vec<Note>| {
        let revision = |made: &Made| {
            let mut made = made.clone();
            made.record.message_id = None;
            made
        };
        let history = |it: &History| History::new(it.revisions().iter().map(revision).collect());
        let histories = traces.histories.iter().filter_map(history).collect();
        Traces { histories, notes, ..Traces::default() }
    };
    for event in &mut bench.events {
        event.message_id = None;
    }
    let two = without_ids(&traces, traces.notes.clone());
    assert_eq!(told(&bench.review(&two)), unclear);
    let repeat = Note { repeats: true, ..traces.notes[1] };
    let one = without_ids(&traces, vec![traces.notes[0], repeat]);
    assert_eq!(told(&bench.review(&one)), expected[..2]);
}

#[test]
fn a_memory_goes_on_from_the_newest_revision() {
    let mut bench = Bench::of(&["1"]);
    let traces = bench.made();
    let record = traces.histories[0].latest().clone();
    let rated = Rated {
        subject: Subject::Unknown(record.id),
        record: record.clone(),
        times: 1,
        thanked: true,
        reason_asked: false,
        complained: false,
        counts_until: NOW,
        forget_at: NOW,
    };
    let other = Rated { record: Record { id: id(77), ..record }, ..rated.clone() };
    let memory = CallerMemory { ratings: vec![other.clone(), rated], ..CallerMemory::default() };
    let reviews = bench.review(&traces);
    let reviews: Vec<&Review> = reviews.iter().collect();
    let key = MemoryKey::Caller(Msisdn::read("13940000001", "86").expect("a number"));
    assert_eq!(remembering(&reviews), std::slice::from_ref(&key));

    let mut known = Known::nothing();
    known.recall(key.clone(), Some(Memory::Caller(memory)));
    let changes = remember_amended(&mut known, &reviews);
    let [change] = &changes[..] else { panic!("one memory") };
    let Some((Memory::Caller(caller), Some(_))) = &change.to else { panic!("a citizen") };
    assert_eq!(caller.ratings[0], other, "the other one is another's");
    let rated = &caller.ratings[1];
    assert_eq!(rated.record.revision, Revision(2));
    assert_eq!(rated.record.meaning.level(), Some(Level::VeryDissatisfied));
    assert!(rated.complained && rated.thanked);

    let mut nothing = Known::nothing();
    nothing.recall(key, None);
    assert!(remember_amended(&mut nothing, &reviews).is_empty());
}

/// Answers of all kinds.
const SAID: [&str; 9] =
    ["1", "5", "3", "非常满意", "不满意，没人管", "5没人处理", "嗯", "退订", "小区路灯坏了半个月"];

fn schemes() -> impl Strategy<Value = Scheme> {
    use crate::model::Direction::{Asc, Desc};
    let usual = prop_oneof![Just(3), Just(4), Just(5), Just(10)];
    (prop_oneof![Just(Asc), Just(Desc)], usual)
        .prop_map(|(direction, digits)| Scheme::usual(direction, digits).expect("a scheme"))
}

proptest! {
    #[test]
    fn whatever_the_rules_become_twice_is_nothing(
        said in proptest::collection::vec(proptest::sample::select(&SAID[..]), 1..5),
        changes in proptest::collection::vec(schemes(), 1..4),
    ) {
        let mut bench = Bench::of(&said);
        let mut traces = bench.made();
        let noted = |(at, event): (usize, &Event)| {
            let made = traces.histories.iter().any(|it| it.latest().message_id == event.message_id);
            (!made).then(|| noted(Some(at), Outcome::Unrecognised))
        };
        traces.notes = bench.events.iter().enumerate().filter_map(noted).collect();
        for scheme in changes {
            bench.change(|campaign| campaign.scheme = scheme);
            let reviews = bench.review(&traces);
            prop_assert!(reviews.iter().all(|review| review.kept.is_none()), "{:?}", told(&reviews));
            traces = applied(traces, &reviews);
            let again = bench.review(&traces);
            let is_settled = |review: &Review| review.kept.is_none() && !review.writes();
            prop_assert!(again.iter().all(is_settled), "{:?}", told(&again));
        }
    }
}
