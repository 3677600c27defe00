//! The second layout of records, of versions whose complaints had no recordings.

use crate::model::{
    AreaCode, Brand, Caller, Channel, ComplaintKind, Context, Deadlines, Level, Meaning, MessageId,
    RecordId, Scheme, ServiceNumber, Tag, Target, Unrated,
};
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
pub(super) struct SealedRecord<'a> {
    channel: Channel,
    #[serde(borrow)]
    campaign: Cow<'a, str>,
    brand: Brand,
    area: Option<AreaCode>,
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
    context: Context,
}

#[derive(Deserialize)]
enum SealedMeaning {
    Rating {
        level: Level,
        target: Target,
        scheme: Scheme,
    },
    Complaint {
        kind: ComplaintKind,
        rating: Option<RecordId>,
        deadlines: Option<Deadlines>,
        tags: Vec<Tag>,
    },
    NotRated {
        why: Unrated,
        target: Target,
    },
}

impl<'a> SealedRecord<'a> {
    /// The same in today's layout.
    pub(super) fn today(self) -> super::SealedRecord<'a> {
        let meaning = match self.meaning {
            SealedMeaning::Rating { level, target, scheme } => {
                Meaning::Rating { level, target, scheme }
            }
            SealedMeaning::Complaint { kind, rating, deadlines, tags } => {
                Meaning::Complaint { kind, rating, deadlines, tags, recordings: Vec::new() }
            }
            SealedMeaning::NotRated { why, target } => Meaning::NotRated { why, target },
        };
        super::SealedRecord {
            channel: self.channel,
            campaign: self.campaign,
            brand: self.brand,
            area: self.area,
            channel_code: self.channel_code,
            caller: self.caller,
            service: self.service,
            message_id: self.message_id,
            occurred_at: self.occurred_at,
            comment: self.comment,
            rule: self.rule,
            meaning: Cow::Owned(meaning),
            context: Cow::Owned(self.context),
        }
    }
}
