//! Today's layout of records, byte by byte.

use super::*;
use crate::model::{
    Audio, AudioFormat, ComplaintKind, Deadlines, Direction, Level, Recording, RecordingAddress,
    RecordingId, RecordingState, Scheme, Tag, Target, TargetType,
};
use jiff::civil::date;

const COLUMNS: RecordColumns<'_> = RecordColumns {
    id: RecordId(uuid::Uuid::nil()),
    revision: Revision::FIRST,
    account: "aliyun-sms",
    received_at: 1_772_677_230_125,
};

fn record(meaning: Meaning) -> Record {
    Record {
        id: COLUMNS.id,
        revision: COLUMNS.revision,
        meaning,
        account: AccountName::new(COLUMNS.account).expect("a name"),
        channel: Channel::Ivr,
        campaign: "c".to_owned(),
        brand: Brand::Hotline12345,
        channel_code: Some(8),
        area: AreaCode::new("210100").ok(),
        caller: Some(Caller::read("13940000001", "86")),
        service: Some(ServiceNumber("8890".to_owned())),
        message_id: Some(MessageId("m".to_owned())),
        occurred_at: Timestamp::from_millisecond(1_772_677_228_000).ok(),
        received_at: timestamp(COLUMNS.received_at),
        comment: Comment("x".to_owned()),
        rule: Rule("G".into()),
        context: Context::default(),
    }
}

/// What stands before the meaning.
const HEAD: &str = "010163010106323130313030010801000e2b38363133393430303030303031\
                    01043838393001016d01c097dfbc97670178";

const RATING: &str = "00040001016d010302030401";
const COMPLAINT: &str = concat!(
    "0100011000000000000000000000000000000000",
    "010a323032362d30332d30360a323032362d30332d3236010174"
);

fn rating() -> Meaning {
    let scheme = Scheme::usual(Direction::Desc, 3).expect("usual").with_zero_declining(true);
    let target = Target { target_type: TargetType::Call, reference: Some("m".to_owned()) };
    Meaning::Rating { level: Level::Satisfied, target, scheme }
}

fn complaint(recordings: Vec<Recording>) -> Meaning {
    Meaning::Complaint {
        kind: ComplaintKind::BadRating,
        rating: Some(COLUMNS.id),
        deadlines: Some(Deadlines { call_back_by: date(2026, 3, 6), repair_by: date(2026, 3, 26) }),
        tags: vec![Tag("t".into())],
        recordings,
    }
}

/// A layout is never changed, only followed by another: if this fails, a type that is sealed has
/// changed, and what is stored would not open any more.
#[test]
fn the_layout_is_what_it_was() {
    let recording = |state| Recording {
        id: RecordingId(uuid::Uuid::nil()),
        address: RecordingAddress("u".to_owned()),
        state,
    };
    let audio = Audio { format: AudioFormat::Wav, length: 5, sha256: [7; 32] };
    let recordings =
        vec![recording(RecordingState::Kept(audio)), recording(RecordingState::Unlisted)];
    let id = "1000000000000000000000000000000000";
    let spoken = format!("{COMPLAINT}02{id}0175020005{}{id}017500", "07".repeat(32));
    for (meaning, expected) in [(rating(), RATING), (complaint(recordings), &spoken)] {
        let record = record(meaning);
        let bytes = encode_record(&record).expect("it fits");
        assert_eq!(hex::encode(&bytes), format!("03{HEAD}0147{expected}0000000000"));
        assert_eq!(decode_record(COLUMNS, &bytes), Ok(record));
    }
}

#[test]
fn the_second_layout_opens() {
    for (meaning, written) in [(rating(), RATING), (complaint(Vec::new()), COMPLAINT)] {
        let bytes = hex::decode(format!("02{HEAD}0147{written}0000000000")).expect("hex");
        assert_eq!(decode_record(COLUMNS, &bytes), Ok(record(meaning)));
    }
}
