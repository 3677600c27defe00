//! What is said aloud in a call, before and after its keys, fetched and not.

use super::bench::*;
use crate::config::Conversation;
use crate::dialogue::{Fetched, Happening};
use crate::model::{
    Audio, AudioFormat, Caller, ComplaintKind, Event, EventBody, Meaning, MessageId, Outcome,
    Record, RecordId, Recording, RecordingState, Revision,
};

const LISTED: &str = "https://media.carrier.example/RE1.wav";

fn bench() -> Bench {
    let conversation = Conversation { validity: hours(24), ..Conversation::default() };
    Bench::new(conversation, "2026-03-05T10:00:00+08:00").recording()
}

/// As most carriers tell it: neither line nor number.
fn said(call: Option<&str>, url: &str) -> Event {
    Event {
        message_id: Some(MessageId(format!("id of {url}"))),
        call: call.map(|call| MessageId(call.to_owned())),
        caller: None,
        service: None,
        ..event(EventBody::Recording { url: url.to_owned() })
    }
}

impl Bench {
    fn speaks(&mut self, call: Option<&str>, url: &str) -> (Outcome, Option<Record>) {
        let heard = self.heard(said(call, url));
        let mut concluded = self.says(heard).remove(0);
        (concluded.outcome, concluded.records.pop())
    }

    fn presses(&mut self, call: &str, digits: &str) -> Vec<Record> {
        let heard =
            self.heard(Event { caller: Some(Caller::Number(citizen())), ..keys(call, digits) });
        self.says(heard).remove(0).records
    }

    /// What was to be fetched came to this.
    fn fetched(&mut self, state: RecordingState) -> Option<Record> {
        let fetch = self.fetches.first().cloned().expect("something to fetch");
        let (account, call) = (fetch.account, fetch.call);
        let fetched = Fetched { account, call, recording: fetch.recording, state };
        let mut concluded = self.happens(Happening::Fetched(Box::new(fetched)));
        concluded.pop().and_then(|mut it| it.records.pop())
    }
}

fn complaint(record: &Record) -> (ComplaintKind, Option<RecordId>, &[Recording]) {
    match &record.meaning {
        Meaning::Complaint { kind, rating, recordings, .. } => (*kind, *rating, recordings),
        other => panic!("{other:?}"),
    }
}

fn audio() -> RecordingState {
    RecordingState::Kept(Audio { format: AudioFormat::Wav, length: 5, sha256: [7; 32] })
}

#[test]
fn a_recording_belongs_to_the_complaint_of_its_call() {
    let mut bench = bench();
    let opened = bench.presses("c1", "5");
    let [rating, bad] = &opened[..] else { panic!("{opened:?}") };
    let (outcome, attached) = bench.speaks(Some("c1"), LISTED);
    let attached = attached.expect("a revision");
    assert_eq!(outcome, Outcome::Noted, "it is no complaint of its own");
    assert_eq!((attached.id, attached.revision), (bad.id, Revision(2)));
    let (kind, of, recordings) = complaint(&attached);
    assert_eq!((kind, of), (ComplaintKind::BadRating, Some(rating.id)));
    assert_eq!(recordings[0].state, RecordingState::Waiting);
    assert_eq!((bench.fetches.len(), bench.fetches[0].complaint), (1, bad.id));

    let kept = bench.fetched(audio()).expect("a revision");
    assert_eq!((kept.id, kept.revision), (bad.id, Revision(3)));
    assert_eq!(complaint(&kept).2[0].state, audio());
    assert_eq!(bench.fetched(audio()), None, "the same news again are none");
    assert_eq!(bench.speaks(Some("c1"), LISTED), (Outcome::Noted, None), "nor is the same address");
    let second = bench.speaks(Some("c1"), "https://media.carrier.example/RE2.wav").1;
    let second = second.expect("a revision");
    assert_eq!((second.revision, complaint(&second).2.len()), (Revision(4), 2));
}

#[test]
fn who_only_speaks_opens_a_complaint_of_the_calls_campaign() {
    let mut bench = bench();
    let status = bench.heard(answered("c1"));
    bench.says(status);
    let (outcome, opened) = bench.speaks(Some("c1"), LISTED);
    let opened = opened.expect("a complaint");
    assert_eq!((outcome, complaint(&opened).0), (Outcome::Complaint, ComplaintKind::Grievance));
    assert_eq!(opened.caller, Some(Caller::Number(citizen())));
    assert_eq!(
        (opened.service, opened.message_id),
        (number("024-8890"), Some(MessageId("c1".to_owned())))
    );
    assert_eq!((opened.rule.to_string(), opened.revision), ("voice".to_owned(), Revision::FIRST));
}

#[test]
fn one_call_has_one_complaint_whichever_came_first() {
    let mut bench = bench();
    let status = bench.heard(answered("c1"));
    bench.says(status);
    let spoken = bench.speaks(Some("c1"), LISTED).1.expect("a complaint");
    let opened = bench.presses("c1", "5");
    let [rating, bad] = &opened[..] else { panic!("{opened:?}") };
    assert_eq!((bad.id, bad.revision), (spoken.id, Revision(2)));
    let (kind, of, recordings) = complaint(bad);
    assert_eq!((kind, of), (ComplaintKind::BadRating, Some(rating.id)));
    assert_eq!(recordings, complaint(&spoken).2);
    let lost = bench.fetched(RecordingState::Lost).expect("a revision");
    assert_eq!((lost.id, lost.revision), (spoken.id, Revision(3)));
}

#[test]
fn an_address_that_is_not_listed_is_attached_and_never_asked() {
    let mut bench = bench();
    bench.presses("c1", "5");
    for (revision, url) in [
        (2, "https://evil.example/RE1.wav"),
        (3, "http://media.carrier.example/RE1.wav"),
        (4, "REC-0001"),
    ] {
        let attached = bench.speaks(Some("c1"), url).1.expect("a revision");
        assert_eq!(attached.revision, Revision(revision), "{url}");
        let recordings = complaint(&attached).2;
        assert_eq!(recordings.last().map(|it| &it.state), Some(&RecordingState::Unlisted));
    }
    assert!(bench.fetches.is_empty());
    let long = format!("https://media.carrier.example/{}", "x".repeat(4096));
    assert_eq!(bench.speaks(Some("c1"), &long), (Outcome::Noted, None));
    assert_eq!(bench.speaks(Some("c1"), ""), (Outcome::Noted, None));
}

#[test]
fn without_a_call_or_a_campaign_it_is_noted() {
    let mut bench = bench();
    assert_eq!(bench.speaks(None, LISTED), (Outcome::Noted, None));
    assert_eq!(bench.speaks(Some("unheard-of"), LISTED), (Outcome::Noted, None));
    assert!(bench.fetches.is_empty());
}

#[test]
fn everything_is_forgotten_in_the_end() {
    let mut bench = bench();
    bench.presses("c1", "5");
    bench.speaks(Some("c1"), LISTED);
    bench.after(hours(24 * 90));
    assert_eq!(bench.remembered(), [""; 0]);
    assert_eq!(bench.fetched(audio()), None);
}
