//! What is decided in a group is decided as if each were written down before the next.

use super::bench::*;
use crate::config::Conversation;
use crate::dialogue::{Happening, Known};
use crate::model::{Caller, Event, EventBody, InvitationId, MessageId, TextPart};
use proptest::prelude::*;
use std::time::Duration;

/// Something that one of two citizens says, or a call tells.
fn said() -> impl Strategy<Value = Event> {
    let from = |who: bool| Some(Caller::Number(if who { citizen() } else { neighbour() }));
    let text = prop::sample::select(vec!["1", "4", "没人来修", "？", "TD"]);
    let reply = (any::<bool>(), text, 0..3_u8).prop_map(move |(who, text, part)| Event {
        caller: from(who),
        part: (part > 0).then(|| TextPart { reference: "7".to_owned(), number: part, total: 2 }),
        ..event(EventBody::SmsReply { text: text.to_owned() })
    });
    let call = prop::sample::select(vec!["c-1", "c-2"]);
    let pressed = (call.clone(), 1..6_u8).prop_map(|(call, key)| keys(call, &key.to_string()));
    let named = (call, any::<bool>()).prop_map(move |(call, who)| Event {
        caller: from(who),
        call: Some(MessageId(call.to_owned())),
        ..answered(call)
    });
    prop_oneof![4 => reply, 2 => pressed, 1 => named]
}

/// Both citizens, invited to rate the same case.
fn bench() -> Bench {
    let call_wait = Some(Duration::from_mins(1));
    let mut bench =
        Bench::new(Conversation { call_wait, ..talkative() }, "2026-03-05T10:00:00+08:00");
    for (id, caller) in [("A", citizen()), ("B", neighbour())] {
        let invitation = invitation("A", LINE, moment("2026-03-08T10:00:00+08:00"));
        let id = InvitationId(id.to_owned());
        bench.invite(crate::model::Invitation { id, caller, ..invitation });
    }
    bench
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_group_is_decided_as_one_by_one(events in prop::collection::vec(said(), 1..12)) {
        let (mut apart, mut together) = (bench(), bench());
        let mut known = Known::nothing();
        for event in events {
            let heard = apart.heard(event.clone());
            let one = apart.happens(Happening::Said(Box::new(heard)));
            let heard = together.heard(event);
            let other = together.happens_after(Happening::Said(Box::new(heard)), &mut known);
            prop_assert_eq!(one, other);
        }
        prop_assert_eq!(apart.written(), together.written());
    }
}
