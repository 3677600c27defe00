//! Events of each kind, and what is recorded of them.

use super::*;
use crate::clock::Entropy;
use crate::config::dialect::{Dialect, Transport};
use crate::config::{Access, Calendar, Complaints, Origin};
use crate::model::{
    AreaCode, Brand, CallStatus, Caller, Context, Deadlines, DeliveryStatus, MessageId, Scheme,
    ServiceNumber,
};
use jiff::civil::date;
use jiff::tz::Offset;
use std::collections::BTreeMap;
use std::sync::Arc;

const NOW: Timestamp = Timestamp::constant(1_772_677_230, 0);

pub(in crate::dialogue) fn account() -> Account {
    Account {
        name: AccountName::new("aliyun-sms").expect("a name"),
        access: Access::default(),
        dialect: Arc::new(Dialect {
            carrier: "aliyun-sms".to_owned(),
            title: String::new(),
            reference: String::new(),
            patience: String::new(),
            retries: Vec::new(),
            transport: Transport::Http,
            send: None,
            routes: Vec::new(),
        }),
        user: None,
        secrets: Vec::new(),
        tolerance: None,
        offset: Offset::constant(8),
        country: "86".to_owned(),
        default_campaign: None,
        send: None,
        recordings: None,
        origin: Origin { file: "gateway.toml".to_owned(), line: 1 },
    }
}

pub(in crate::dialogue) fn campaign() -> Campaign {
    Campaign {
        name: "hotline".to_owned(),
        service_numbers: vec!["8890".to_owned()],
        extensions: BTreeMap::new(),
        brand: Brand::Hotline8890,
        scheme: Scheme::ASC,
        target: TargetType::Call,
        sms_channel_code: Some(5),
        ivr_channel_code: Some(3),
        conversation: None,
        call: None,
        complaints: Arc::new(Complaints {
            call_back_days: 1,
            repair_days: 15,
            calendar: Calendar::built_in(),
        }),
    }
}

/// What a complaint of [`NOW`], a Thursday, is opened as.
fn opened(kind: ComplaintKind, rating: Option<RecordId>, tags: &[&'static str]) -> Meaning {
    let deadlines = Deadlines { call_back_by: date(2026, 3, 6), repair_by: date(2026, 3, 26) };
    let tags = tags.iter().map(|name| Tag((*name).into())).collect();
    Meaning::Complaint { kind, rating, deadlines: Some(deadlines), tags, recordings: Vec::new() }
}

fn event(body: EventBody) -> Event {
    Event {
        message_id: Some(MessageId("m-1".to_owned())),
        call: None,
        caller: Some(Caller::read("13940000001", "86")),
        service: Some(ServiceNumber("8890".to_owned())),
        occurred_at: Some(NOW),
        dedupe: "key".to_owned(),
        resend_window: None,
        pass_through: None,
        part: None,
        body,
    }
}

fn sms() -> EventBody {
    EventBody::SmsReply { text: "any".to_owned() }
}

fn keypad() -> EventBody {
    EventBody::Keypad { digits: "1".to_owned() }
}

fn reading(kind: ReadingKind, level: Option<Level>, comment: &str) -> Reading {
    Reading { kind, level, comment: comment.to_owned(), rule: Rule("R".into()) }
}

/// What is recorded of an answer to `campaign` that was read as `reading`.
fn recorded(body: EventBody, campaign: &Campaign, reading: Reading) -> Interpretation {
    let (event, account, entropy) = (event(body), account(), Entropy::seeded(1));
    let channel = match event.body {
        EventBody::Keypad { .. } => Channel::Ivr,
        _ => Channel::Sms,
    };
    let answer =
        Answer { event: &event, account: &account.name, campaign, channel, received_at: NOW };
    answer.records(reading, || entropy.record_id(NOW))
}

fn level(record: &Record) -> Option<Level> {
    match record.meaning {
        Meaning::Rating { level, .. } => Some(level),
        _ => None,
    }
}

#[test]
fn a_good_rating_is_one_record_with_all_that_is_known() {
    let read = reading(ReadingKind::Rated, Some(Level::Fair), "还行");
    let Interpretation { outcome, records, .. } = recorded(sms(), &campaign(), read);
    assert_eq!(outcome, Outcome::Rated);
    let [rating] = &records[..] else { panic!("{records:?}") };
    let event = event(sms());
    let expected = Record {
        id: rating.id,
        revision: Revision::FIRST,
        meaning: Meaning::Rating {
            level: Level::Fair,
            target: Target { target_type: TargetType::Call, reference: None },
            scheme: Scheme::ASC,
        },
        account: account().name,
        channel: Channel::Sms,
        campaign: "hotline".to_owned(),
        brand: Brand::Hotline8890,
        area: None,
        channel_code: Some(5),
        caller: event.caller,
        service: event.service,
        message_id: event.message_id,
        occurred_at: Some(NOW),
        received_at: NOW,
        comment: Comment("还行".to_owned()),
        rule: Rule("R".into()),
        context: Context::default(),
    };
    assert_eq!(*rating, expected);
}

#[test]
fn a_bad_rating_opens_a_complaint_that_does_not_repeat_the_words() {
    for bad in [Level::VeryDissatisfied, Level::Dissatisfied] {
        let read = reading(ReadingKind::Rated, Some(bad), "互相推诿");
        let Interpretation { outcome, records, .. } = recorded(sms(), &campaign(), read);
        assert_eq!(outcome, Outcome::Rated);
        let [rating, complaint] = &records[..] else { panic!("{records:?}") };
        assert_eq!((level(rating), &*rating.comment.0), (Some(bad), "互相推诿"));
        let linked = opened(ComplaintKind::BadRating, Some(rating.id), &["推诿"]);
        assert_eq!((&complaint.meaning, &*complaint.comment.0), (&linked, ""));
        assert_ne!(rating.id, complaint.id);
    }
}

#[test]
fn a_key_press_names_the_call_it_rates() {
    let rated = || reading(ReadingKind::Rated, Some(Level::Satisfied), "");
    let target = |campaign: &Campaign| {
        let records = recorded(keypad(), campaign, rated()).records;
        assert_eq!(records[0].channel_code, Some(3));
        match records[0].meaning.clone() {
            Meaning::Rating { target, .. } => (target.target_type, target.reference),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(target(&campaign()), (TargetType::Call, Some("m-1".to_owned())));
    let of_cases = Campaign { target: TargetType::Case, ..campaign() };
    assert_eq!(target(&of_cases), (TargetType::Case, None));
}

#[test]
fn a_grievance_keeps_its_words() {
    let read = reading(ReadingKind::Complaint, None, "路灯坏了一直没修");
    let Interpretation { outcome, records, .. } = recorded(sms(), &campaign(), read);
    assert_eq!(outcome, Outcome::Complaint);
    let [complaint] = &records[..] else { panic!("{records:?}") };
    let opened = opened(ComplaintKind::Grievance, None, &[]);
    assert_eq!((&complaint.meaning, &*complaint.comment.0), (&opened, "路灯坏了一直没修"));
}

#[test]
fn an_opt_out_keeps_what_else_was_said() {
    let kept = |level, comment| {
        let read = reading(ReadingKind::Unsubscribe, level, comment);
        let Interpretation { outcome, records, .. } = recorded(sms(), &campaign(), read);
        assert_eq!(outcome, Outcome::OptOut);
        records
    };
    assert_eq!(kept(None, ""), []);
    assert_eq!(kept(Some(Level::VerySatisfied), "").len(), 1);
    assert_eq!(kept(Some(Level::Dissatisfied), "").len(), 2);
    assert_eq!(kept(None, "路灯坏了").len(), 1);
}

#[test]
fn who_declines_is_noted_and_records_nothing() {
    let read = reading(ReadingKind::Declined, None, "");
    assert_eq!(recorded(sms(), &campaign(), read), Interpretation::only(Outcome::Declined));
}

#[test]
fn records_carry_the_brand_and_the_district_of_their_campaign() {
    let area = AreaCode::new("210100").expect("a code");
    let campaign = Campaign {
        service_numbers: vec!["88*".to_owned()],
        extensions: [("90".to_owned(), area.clone())].into(),
        brand: Brand::Hotline12345,
        ..campaign()
    };
    let read = reading(ReadingKind::Rated, Some(Level::Dissatisfied), "");
    for record in recorded(sms(), &campaign, read).records {
        assert_eq!((record.brand, record.area), (Brand::Hotline12345, Some(area.clone())));
    }
}

#[test]
fn what_cannot_be_read_records_nothing() {
    let read = reading(ReadingKind::Unrecognised, None, "👍");
    let nothing = Interpretation::only(Outcome::Unrecognised);
    assert_eq!(recorded(sms(), &campaign(), read), nothing);
}

#[test]
fn without_a_campaign_nothing_is_guessed_and_facts_are_noted() {
    let status =
        EventBody::CallStatus { status: CallStatus::Answered, raw: "0".to_owned(), digits: None };
    let report =
        EventBody::DeliveryReport { status: DeliveryStatus::Delivered, raw: "0".to_owned() };
    let recording = EventBody::Recording { url: "https://example.com/1.mp3".to_owned() };
    for (body, outcome) in [
        (sms(), Outcome::Unmatched),
        (keypad(), Outcome::Unmatched),
        (status, Outcome::Noted),
        (report, Outcome::Noted),
        (recording, Outcome::Noted),
        (EventBody::OptOut, Outcome::OptOut),
    ] {
        let never = || panic!("no record, so no id");
        let found = interpret(&event(body), &account(), None, NOW, never);
        assert_eq!((found.outcome, found.records), (outcome, Vec::new()));
    }
}
