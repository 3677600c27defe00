//! What stands inside sealed bytes: records, and pages of raw callbacks.
//!
//! The first byte is the version of the layout, then postcard. A layout is never changed, only followed by another.

use super::{Callback, RawRequest};
use crate::model::{
    AccountName, CallbackSeq, Caller, Channel, Comment, ComplaintKind, Context, Level, Meaning,
    MessageId, Record, RecordId, Revision, Rule, Scheme, ServiceNumber, Target, Unrated,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

const VERSION: u8 = 1;

/// A record of the first layout, and what the gateway's memory adds to it.
const WITH_CONTEXT: u8 = 2;

/// Bytes that were opened but do not hold what they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored row has an unknown layout; it was written by a newer version of the gateway")]
pub struct UnknownLayout;

/// The part of a record that is sealed; the rest are columns.
#[derive(Serialize, Deserialize)]
struct SealedRecord<'a> {
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

#[derive(Serialize, Deserialize)]
enum SealedMeaning {
    Rating { level: u8, target: Target, scheme: Scheme },
    Complaint { kind: ComplaintKind, rating: Option<[u8; 16]> },
    NotRated { why: Unrated, target: Target },
}

/// The columns of a record that are not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordColumns<'a> {
    pub(super) id: RecordId,
    pub(super) revision: Revision,
    pub(super) account: &'a str,
    pub(super) received_at: i64,
}

/// The place that a record is sealed for.
pub(super) fn record_place(id: RecordId, revision: Revision) -> [u8; 20] {
    let mut place = [0; 20];
    place[..16].copy_from_slice(id.0.as_bytes());
    place[16..].copy_from_slice(&revision.0.to_le_bytes());
    place
}

/// The place that a page of callbacks is sealed for.
pub(super) fn page_place(first: CallbackSeq) -> [u8; 12] {
    let mut place = *b"page\0\0\0\0\0\0\0\0";
    place[4..].copy_from_slice(&first.0.to_le_bytes());
    place
}

/// Lays a record out for sealing.
pub(super) fn encode_record(record: &Record) -> Result<Vec<u8>, postcard::Error> {
    let meaning = match &record.meaning {
        Meaning::Rating { level, target, scheme } => {
            SealedMeaning::Rating { level: level.number(), target: target.clone(), scheme: *scheme }
        }
        Meaning::Complaint { kind, rating } => {
            SealedMeaning::Complaint { kind: *kind, rating: rating.map(|id| id.0.into_bytes()) }
        }
        Meaning::NotRated { why, target } => {
            SealedMeaning::NotRated { why: *why, target: target.clone() }
        }
    };
    let sealed = SealedRecord {
        channel: record.channel,
        campaign: Cow::Borrowed(&record.campaign),
        channel_code: record.channel_code,
        caller: record.caller.clone(),
        service: record.service.clone(),
        message_id: record.message_id.clone(),
        occurred_at: record.occurred_at.map(Timestamp::as_millisecond),
        comment: Cow::Borrowed(&record.comment.0),
        rule: Cow::Borrowed(&record.rule.0),
        meaning,
    };
    if record.context == Context::default() {
        return postcard::to_extend(&sealed, vec![VERSION]);
    }
    postcard::to_extend(&(sealed, &record.context), vec![WITH_CONTEXT])
}

/// Reads a record back from its columns and opened bytes.
pub(super) fn decode_record(
    columns: RecordColumns<'_>,
    bytes: &[u8],
) -> Result<Record, UnknownLayout> {
    let (sealed, context): (SealedRecord<'_>, Context) = match split_version(bytes)? {
        (VERSION, rest) => {
            (postcard::from_bytes(rest).map_err(|_| UnknownLayout)?, Context::default())
        }
        (WITH_CONTEXT, rest) => postcard::from_bytes(rest).map_err(|_| UnknownLayout)?,
        _ => return Err(UnknownLayout),
    };
    let meaning = match sealed.meaning {
        SealedMeaning::Rating { level, target, scheme } => Meaning::Rating {
            level: Level::from_number(level).ok_or(UnknownLayout)?,
            target,
            scheme,
        },
        SealedMeaning::Complaint { kind, rating } => Meaning::Complaint {
            kind,
            rating: rating.map(|bytes| RecordId(uuid::Uuid::from_bytes(bytes))),
        },
        SealedMeaning::NotRated { why, target } => Meaning::NotRated { why, target },
    };
    Ok(Record {
        id: columns.id,
        revision: columns.revision,
        meaning,
        account: AccountName::new(columns.account).map_err(|_| UnknownLayout)?,
        channel: sealed.channel,
        campaign: sealed.campaign.into_owned(),
        channel_code: sealed.channel_code,
        caller: sealed.caller,
        service: sealed.service,
        message_id: sealed.message_id,
        occurred_at: sealed.occurred_at.map(timestamp),
        received_at: timestamp(columns.received_at),
        comment: Comment(sealed.comment.into_owned()),
        rule: Rule(Cow::Owned(sealed.rule.into_owned())),
        context,
    })
}

/// One callback inside a page.
#[derive(Serialize, Deserialize)]
struct PagedCallback<'a> {
    #[serde(borrow)]
    account: Cow<'a, str>,
    received_at: i64,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
    #[serde(borrow)]
    garbled: Vec<Cow<'a, str>>,
}

/// A raw callback read back from its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCallback {
    /// Its place in the order of arrival.
    pub seq: CallbackSeq,
    /// Whose it is.
    pub account: AccountName,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The request as it came.
    pub raw: RawRequest,
    /// What of it could not be read.
    pub garbled: Vec<String>,
}

/// Lays the callbacks of one commit group out, compressed, for sealing.
pub(super) fn encode_page<'a>(
    callbacks: impl Iterator<Item = &'a Callback>,
) -> Result<Vec<u8>, postcard::Error> {
    let mut page = Vec::with_capacity(4096);
    for callback in callbacks {
        let paged = PagedCallback {
            account: Cow::Borrowed(callback.account.as_str()),
            received_at: callback.received_at.as_millisecond(),
            method: Cow::Borrowed(&callback.raw.method),
            target: Cow::Borrowed(&callback.raw.target),
            headers: callback
                .raw
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), &value[..]))
                .collect(),
            body: &callback.raw.body,
            garbled: callback.garbled.iter().map(|reason| Cow::Borrowed(reason.as_str())).collect(),
        };
        page = postcard::to_extend(&paged, page)?;
    }
    let mut sealed = vec![VERSION];
    sealed.extend(lz4_flex::compress_prepend_size(&page));
    Ok(sealed)
}

/// Reads the callbacks of a page back.
pub(super) fn decode_page(
    first: CallbackSeq,
    bytes: &[u8],
) -> Result<Vec<StoredCallback>, UnknownLayout> {
    let (VERSION, packed) = split_version(bytes)? else { return Err(UnknownLayout) };
    let page = lz4_flex::decompress_size_prepended(packed).map_err(|_| UnknownLayout)?;
    let mut rest = page.as_slice();
    let mut callbacks = Vec::new();
    for seq in first.0.. {
        if rest.is_empty() {
            break;
        }
        let (paged, after): (PagedCallback<'_>, _) =
            postcard::take_from_bytes(rest).map_err(|_| UnknownLayout)?;
        rest = after;
        callbacks.push(StoredCallback {
            seq: CallbackSeq(seq),
            account: AccountName::new(&paged.account).map_err(|_| UnknownLayout)?,
            received_at: timestamp(paged.received_at),
            raw: RawRequest {
                method: paged.method.into_owned(),
                target: paged.target.into_owned(),
                headers: paged
                    .headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value)))
                    .collect(),
                body: Bytes::copy_from_slice(paged.body),
            },
            garbled: paged.garbled.into_iter().map(Cow::into_owned).collect(),
        });
    }
    Ok(callbacks)
}

fn split_version(bytes: &[u8]) -> Result<(u8, &[u8]), UnknownLayout> {
    bytes.split_first().map(|(version, rest)| (*version, rest)).ok_or(UnknownLayout)
}

/// A stored time; what lies outside jiff's years was never stored by us.
pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InvitationId, Mark, TargetType};

    #[test]
    fn what_memory_adds_comes_back_and_costs_a_record_without_it_nothing() {
        let mut record = Record {
            id: RecordId(uuid::Uuid::from_u128(1)),
            revision: Revision(2),
            meaning: Meaning::NotRated {
                why: Unrated::Expired,
                target: Target { target_type: TargetType::Case, reference: None },
            },
            account: AccountName::new("yunpian").expect("a name"),
            channel: Channel::Sms,
            campaign: "hotline".to_owned(),
            channel_code: None,
            caller: None,
            service: None,
            message_id: None,
            occurred_at: None,
            received_at: timestamp(1),
            comment: Comment::default(),
            rule: Rule("invitation".into()),
            context: Context::default(),
        };
        let columns = RecordColumns {
            id: record.id,
            revision: record.revision,
            account: "yunpian",
            received_at: 1,
        };
        let bare = encode_record(&record).expect("bytes");
        assert_eq!((bare[0], decode_record(columns, &bare)), (VERSION, Ok(record.clone())));
        record.context.invitation = Some(InvitationId("A".to_owned()));
        record.context.marks = vec![Mark::Late, Mark::Ambiguous(2)];
        let whole = encode_record(&record).expect("bytes");
        assert_eq!((whole[0], decode_record(columns, &whole)), (WITH_CONTEXT, Ok(record)));
    }
}
