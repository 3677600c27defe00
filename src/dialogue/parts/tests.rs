//! Parts in any order, with repeats and losses, of several senders' texts at once.

use super::*;
use crate::dialogue::memory::{MOST_PART_SETS, Origin, read, write};
use crate::model::{AccountName, CallbackSeq, Event, ServiceNumber};
use proptest::prelude::*;

const TIMEOUT: Duration = Duration::from_mins(5);

fn part(reference: &str, total: u8, number: u8, text: &str, second: i64) -> Heard {
    let origin = Origin {
        account: AccountName::new("vonage").expect("a name"),
        callback: CallbackSeq(second),
        received_at: Timestamp::from_second(second).expect("a time"),
    };
    let event = Event {
        message_id: None,
        call: None,
        caller: None,
        service: Some(ServiceNumber("8890".to_owned())),
        occurred_at: None,
        dedupe: String::new(),
        resend_window: None,
        pass_through: None,
        part: Some(TextPart { reference: reference.to_owned(), total, number }),
        body: EventBody::SmsReply { text: text.to_owned() },
    };
    Heard { origin, event }
}

fn text(joined: &Joined) -> &str {
    match &joined.heard.event.body {
        EventBody::SmsReply { text } => text,
        other => panic!("{other:?}"),
    }
}

/// What of a text is read after all parts came, and after the time is up.
fn all(parts: Vec<Heard>) -> Vec<Joined> {
    let mut sets = Vec::new();
    let mut ready = Vec::new();
    for part in parts {
        ready.extend(add(&mut sets, part, TIMEOUT));
        assert!(sets.len() <= MOST_PART_SETS);
        // A restart.
        sets = read(&write(&sets)).expect("sets");
    }
    let end = Timestamp::from_second(10_000).expect("a time");
    ready.extend(due(&mut sets, end, TIMEOUT));
    let after = end.checked_add(TIMEOUT).expect("a time");
    assert_eq!(due(&mut sets, after, TIMEOUT), []);
    assert_eq!(sets, []);
    ready
}

#[test]
fn what_is_missing_is_a_gap_and_is_marked() {
    let joined = all(vec![part("7", 3, 3, "没人来", 2), part("7", 3, 1, "我评4", 1)]);
    assert_eq!(joined.iter().map(text).collect::<Vec<_>>(), ["我评4…没人来"]);
    assert!(joined[0].partial);
    let tail = all(vec![part("7", 2, 2, "没人来", 2)]);
    assert_eq!((text(&tail[0]), tail[0].partial), ("…没人来", true));
}

#[test]
fn a_reference_that_comes_again_starts_another_text() {
    let joined = all(vec![
        part("7", 2, 1, "甲一", 1),
        part("7", 2, 1, "乙一", 2),
        part("7", 2, 2, "乙二", 3),
    ]);
    assert_eq!(joined.iter().map(text).collect::<Vec<_>>(), ["甲一", "乙一乙二"]);
    assert_eq!(joined.iter().map(|it| it.partial).collect::<Vec<_>>(), [true, false]);
    let late = all(vec![part("7", 2, 1, "甲一", 1), part("7", 2, 2, "乙二", 400)]);
    assert_eq!(late.iter().map(text).collect::<Vec<_>>(), ["甲一", "…乙二"]);
}

#[test]
fn texts_too_many_and_parts_too_many_are_bounded() {
    let many = (0..20).map(|number| part(&number.to_string(), 2, 1, "甲", i64::from(number)));
    assert_eq!(all(many.collect()).len(), 20);
    let long: Vec<Heard> = (1..=20).map(|number| part("7", 20, number, "甲", 1)).collect();
    let joined = all(long);
    assert_eq!((text(&joined[0]).chars().count(), joined[0].partial), (16, true));
    assert_eq!(joined.len(), 1);
}

#[test]
fn odd_places_make_a_text_of_its_own() {
    for (total, number) in [(0, 0), (1, 1), (2, 0), (2, 3)] {
        let joined = all(vec![part("7", total, number, "1", 1)]);
        assert_eq!((text(&joined[0]), joined[0].partial), ("1", false));
    }
}

proptest! {
    #[test]
    fn parts_in_any_order_with_repeats_make_each_text_once(
        texts in prop::collection::vec(prop::collection::vec("[a-z]{1,5}", 2..=16), 1..=4),
        shuffle in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 0..60),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let mut parts = Vec::new();
        for (reference, words) in texts.iter().enumerate() {
            let total = u8::try_from(words.len()).expect("few");
            for (number, word) in (1..).zip(words) {
                parts.push(part(&reference.to_string(), total, number, word, 1));
            }
        }
        for (one, other) in shuffle {
            let (one, other) = (one.index(parts.len()), other.index(parts.len()));
            parts.swap(one, other);
        }
        for repeat in repeats {
            let again = parts[repeat.index(parts.len())].clone();
            parts.push(again);
        }
        let mut read: Vec<(String, bool)> =
            all(parts).iter().map(|it| (text(it).to_owned(), it.partial)).collect();
        let mut sent: Vec<(String, bool)> =
            texts.iter().map(|words| (words.concat(), false)).collect();
        read.sort();
        sent.sort();
        prop_assert_eq!(read, sent);
    }

    #[test]
    fn whatever_is_lost_the_rest_is_read_once_and_marked(
        words in prop::collection::vec("[a-z]{1,5}", 2..=16),
        lost in any::<prop::sample::Index>(),
    ) {
        let total = u8::try_from(words.len()).expect("few");
        let lost = lost.index(words.len());
        let parts = (1..).zip(&words).enumerate().filter(|(place, _)| *place != lost);
        let parts = parts.map(|(_, (number, word))| part("7", total, number, word, 1)).collect();
        let read = all(parts);
        prop_assert_eq!(read.len(), 1);
        prop_assert!(read[0].partial);
        let kept: String = text(&read[0]).chars().filter(|it| *it != '…').collect();
        let sent: Vec<String> = words.iter().enumerate()
            .filter(|(place, _)| *place != lost).map(|(_, word)| word.clone()).collect();
        prop_assert_eq!(kept, sent.concat());
    }
}
