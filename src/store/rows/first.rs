//! The first layout of records, of versions that knew neither brands, districts, deadlines nor tags.

use super::UnknownLayout;
use crate::model::{
    Brand, Caller, Channel, ComplaintKind, Level, Meaning, MessageId, RecordId, Scheme,
    ServiceNumber, Target,
};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub(super) struct SealedRecord<'a> {
    channel: Channel,
    #[serde(borrow)]
    campaign: Cow<'a, str>,
    channel_code: Option<u8>,
    caller: Option<Caller>,
    service: Option<ServiceNumber>,
    message_id: Option<MessageId>,
    occurred_at: Option<i64>,
    #[serde(borrow)]
    comment: Cow<'a, str>,
    #[serde(borrow)]
    rule: Cow<'a, str>,
    meaning: SealedMeaning,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
enum SealedMeaning {
    Rating { level: u8, target: Target, scheme: SealedScheme },
    Complaint { kind: ComplaintKind, rating: Option<[u8; 16]> },
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
enum SealedScheme {
    Asc,
    Desc,
}

impl<'a> SealedRecord<'a> {
    /// The same in today's layout.
    pub(super) fn today(self) -> Result<super::SealedRecord<'a>, UnknownLayout> {
        let meaning = match self.meaning {
            SealedMeaning::Rating { level, target, scheme } => Meaning::Rating {
                level: Level::from_number(level).ok_or(UnknownLayout)?,
                target,
                scheme: match scheme {
                    SealedScheme::Asc => Scheme::ASC,
                    SealedScheme::Desc => Scheme::DESC,
                },
            },
            SealedMeaning::Complaint { kind, rating } => Meaning::Complaint {
                kind,
                rating: rating.map(|bytes| RecordId(uuid::Uuid::from_bytes(bytes))),
                deadlines: None,
                tags: Vec::new(),
                recordings: Vec::new(),
            },
        };
        Ok(super::SealedRecord {
            channel: self.channel,
            campaign: self.campaign,
            brand: Brand::Hotline8890,
            area: None,
            channel_code: self.channel_code,
            caller: self.caller,
            service: self.service,
            message_id: self.message_id,
            occurred_at: self.occurred_at,
            comment: self.comment,
            rule: self.rule,
            meaning: Cow::Owned(meaning),
            context: Cow::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RecordColumns, decode_record, encode_record};
    use super::*;
    use crate::model::{Revision, TargetType};

    const COLUMNS: RecordColumns<'_> = RecordColumns {
        id: RecordId(uuid::Uuid::nil()),
        revision: Revision::FIRST,
        account: "aliyun-sms",
        received_at: 1_772_677_230_125,
    };

    fn sealed(meaning: SealedMeaning) -> Vec<u8> {
        let record = SealedRecord {
            channel: Channel::Sms,
            campaign: "hotline".into(),
            channel_code: Some(6),
            caller: Some(Caller::read("13940000001", "86")),
            service: Some(ServiceNumber("8890".to_owned())),
            message_id: Some(MessageId("m-1".to_owned())),
            occurred_at: Some(1_772_677_228_000),
            comment: "等了两个小时".into(),
            rule: "D3".into(),
            meaning,
        };
        postcard::to_extend(&record, vec![1]).expect("it fits")
    }

    #[test]
    fn a_rating_of_the_first_layout_opens() {
        let target = Target { target_type: TargetType::Case, reference: Some("c-1".to_owned()) };
        for (scheme, expected) in
            [(SealedScheme::Asc, Scheme::ASC), (SealedScheme::Desc, Scheme::DESC)]
        {
            let bytes = sealed(SealedMeaning::Rating { level: 2, target: target.clone(), scheme });
            let record = decode_record(COLUMNS, &bytes).expect("it opens");
            let meaning = Meaning::Rating {
                level: Level::Dissatisfied,
                target: target.clone(),
                scheme: expected,
            };
            assert_eq!(record.meaning, meaning);
            assert_eq!((record.brand, &record.area), (Brand::Hotline8890, &None));
            assert_eq!((&*record.comment.0, &*record.rule.0), ("等了两个小时", "D3"));
            assert_eq!(record.occurred_at.map(|at| at.as_second()), Some(1_772_677_228));
            // What is written anew has today's layout and says the same.
            let again = encode_record(&record).expect("it fits");
            assert_eq!(again[0], 3);
            assert_eq!(decode_record(COLUMNS, &again).expect("it opens"), record);
        }
    }

    #[test]
    fn a_complaint_of_the_first_layout_opens_without_deadlines() {
        let kind = ComplaintKind::BadRating;
        let bytes = sealed(SealedMeaning::Complaint { kind, rating: Some([7; 16]) });
        let record = decode_record(COLUMNS, &bytes).expect("it opens");
        let rating = Some(RecordId(uuid::Uuid::from_bytes([7; 16])));
        let (deadlines, tags, recordings) = (None, Vec::new(), Vec::new());
        let meaning = Meaning::Complaint { kind, rating, deadlines, tags, recordings };
        assert_eq!(record.meaning, meaning);
    }

    /// A record as the first layout wrote it, byte by byte, so that the structs above cannot
    /// drift away with it.
    #[test]
    fn the_first_layout_is_what_it_was() {
        let bytes = hex::decode(concat!(
            "01", // the layout
            "00",
            "07686f746c696e65",
            "0106",                               // sms, hotline, code 6
            "01000e2b38363133393430303030303031", // +8613940000001
            "010438383930",
            "01036d2d31",     // 8890, m-1
            "01c0e2e2d79767", // occurred at
            "12e7ad89e4ba86e4b8a4e4b8aae5b08fe697b6",
            "024433", // comment, D3
            "00",
            "02",
            "00",
            "00",
            "01", // a rating, 2, a call, no reference, desc
        ))
        .expect("hex");
        let record = decode_record(COLUMNS, &bytes).expect("it opens");
        let target = Target { target_type: TargetType::Call, reference: None };
        let scheme = Scheme::DESC;
        assert_eq!(record.meaning, Meaning::Rating { level: Level::Dissatisfied, target, scheme });
    }

    #[test]
    fn a_layout_of_a_newer_version_is_refused() {
        assert_eq!(decode_record(COLUMNS, &[3, 0, 0]), Err(UnknownLayout));
        assert_eq!(decode_record(COLUMNS, &[]), Err(UnknownLayout));
    }
}
