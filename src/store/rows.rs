//! What stands inside sealed bytes, and the places they are sealed for: records, pages of raw callbacks, memories.
//!
//! The first byte is the version of the layout, then postcard. A layout is never changed, only followed by another.

use super::seal::Fingerprint;
use super::{Callback, Opaque, RawRequest};
use crate::model::{
    AccountName, AreaCode, Brand, CallbackSeq, Caller, Channel, Comment, Context, Meaning,
    MessageId, MessageKey, Record, RecordId, RecordingId, Revision, Rule, ServiceNumber,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

mod first;
mod second;
#[cfg(test)]
mod tests;

/// Today's layout of records, and those that were before it.
const RECORD: u8 = 3;
const SECOND_RECORD: u8 = 2;
const FIRST_RECORD: u8 = 1;
/// The layout of pages.
const PAGE: u8 = 1;
/// The layout of memories.
const MEMORY: u8 = 1;

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
    meaning: Cow<'a, Meaning>,
    context: Cow<'a, Context>,
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

/// The place that a held event is sealed for.
pub(super) fn held_place(callback: i64, item: i64) -> [u8; 20] {
    let mut place = *b"held\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    place[4..12].copy_from_slice(&callback.to_le_bytes());
    place[12..].copy_from_slice(&item.to_le_bytes());
    place
}

/// The place that a memory is sealed for.
pub(super) fn memory_place(digest: Fingerprint) -> [u8; 22] {
    let mut place = [0; 22];
    place[..6].copy_from_slice(b"memory");
    place[6..].copy_from_slice(&digest.0);
    place
}

/// The place that a message is sealed for.
pub(super) fn message_place(id: MessageKey) -> [u8; 23] {
    let mut place = [0; 23];
    place[..7].copy_from_slice(b"message");
    place[7..].copy_from_slice(id.0.as_bytes());
    place
}

/// The place that the news of a message is sealed for.
pub(super) fn news_place(id: MessageKey) -> [u8; 20] {
    let mut place = [0; 20];
    place[..4].copy_from_slice(b"news");
    place[4..].copy_from_slice(id.0.as_bytes());
    place
}

/// The place that a recording's fetching is sealed for.
pub(super) fn recording_place(id: RecordingId) -> Vec<u8> {
    [b"recording", id.0.as_bytes().as_slice()].concat()
}

/// The place that what became of a recording is sealed for.
pub(super) fn became_place(id: RecordingId) -> Vec<u8> {
    [b"recording became", id.0.as_bytes().as_slice()].concat()
}

/// The place that the bytes of a recording are sealed for.
pub(super) fn audio_place(id: RecordingId) -> Vec<u8> {
    [b"audio", id.0.as_bytes().as_slice()].concat()
}

/// What is remembered, with the key it is remembered under.
#[derive(Serialize, Deserialize)]
struct SealedMemory<'a> {
    key: &'a str,
    value: &'a [u8],
}

/// Lays a memory out for sealing.
pub(super) fn encode_memory(key: &str, value: &[u8]) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(&SealedMemory { key, value }, vec![MEMORY])
}

/// Reads a memory back: its key and its value.
pub(super) fn decode_memory(bytes: &[u8]) -> Result<(String, Opaque), UnknownLayout> {
    let (MEMORY, rest) = split_version(bytes)? else { return Err(UnknownLayout) };
    let memory: SealedMemory<'_> = postcard::from_bytes(rest).map_err(|_| UnknownLayout)?;
    Ok((memory.key.to_owned(), Opaque(memory.value.to_vec())))
}

/// Lays a record out for sealing.
pub(super) fn encode_record(record: &Record) -> Result<Vec<u8>, postcard::Error> {
    let sealed = SealedRecord {
        channel: record.channel,
        campaign: Cow::Borrowed(&record.campaign),
        brand: record.brand,
        area: record.area.clone(),
        channel_code: record.channel_code,
        caller: record.caller.clone(),
        service: record.service.clone(),
        message_id: record.message_id.clone(),
        occurred_at: record.occurred_at.map(Timestamp::as_millisecond),
        comment: Cow::Borrowed(&record.comment.0),
        rule: Cow::Borrowed(&record.rule.0),
        meaning: Cow::Borrowed(&record.meaning),
        context: Cow::Borrowed(&record.context),
    };
    postcard::to_extend(&sealed, vec![RECORD])
}

/// Reads a record back from its columns and opened bytes.
pub(super) fn decode_record(
    columns: RecordColumns<'_>,
    bytes: &[u8],
) -> Result<Record, UnknownLayout> {
    let sealed: SealedRecord<'_> = match split_version(bytes)? {
        (RECORD, rest) => read(rest)?,
        (SECOND_RECORD, rest) => read::<second::SealedRecord<'_>>(rest)?.today(),
        (FIRST_RECORD, rest) => read::<first::SealedRecord<'_>>(rest)?.today()?,
        _ => return Err(UnknownLayout),
    };
    Ok(Record {
        id: columns.id,
        revision: columns.revision,
        meaning: sealed.meaning.into_owned(),
        account: AccountName::new(columns.account).map_err(|_| UnknownLayout)?,
        channel: sealed.channel,
        campaign: sealed.campaign.into_owned(),
        brand: sealed.brand,
        channel_code: sealed.channel_code,
        area: sealed.area,
        caller: sealed.caller,
        service: sealed.service,
        message_id: sealed.message_id,
        occurred_at: sealed.occurred_at.map(timestamp),
        received_at: timestamp(columns.received_at),
        comment: Comment(sealed.comment.into_owned()),
        rule: Rule(Cow::Owned(sealed.rule.into_owned())),
        context: sealed.context.into_owned(),
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
    let mut sealed = vec![PAGE];
    sealed.extend(lz4_flex::compress_prepend_size(&page));
    Ok(sealed)
}

/// Reads the callbacks of a page back.
pub(super) fn decode_page(
    first: CallbackSeq,
    bytes: &[u8],
) -> Result<Vec<StoredCallback>, UnknownLayout> {
    let (PAGE, packed) = split_version(bytes)? else { return Err(UnknownLayout) };
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

/// Whose the callbacks of a page are and how many there are of each hour since 1970, without copying them.
pub(super) fn tally_page(bytes: &[u8]) -> Result<BTreeMap<(i64, String), i64>, UnknownLayout> {
    let (PAGE, packed) = split_version(bytes)? else { return Err(UnknownLayout) };
    let page = lz4_flex::decompress_size_prepended(packed).map_err(|_| UnknownLayout)?;
    let (mut rest, mut tally) = (page.as_slice(), BTreeMap::new());
    while !rest.is_empty() {
        let (paged, after): (PagedCallback<'_>, _) =
            postcard::take_from_bytes(rest).map_err(|_| UnknownLayout)?;
        rest = after;
        *tally.entry((hour(paged.received_at), paged.account.into_owned())).or_default() += 1;
    }
    Ok(tally)
}

/// The hour since 1970 that a stored time lies in.
pub(super) fn hour(millis: i64) -> i64 {
    millis / 3_600_000
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, UnknownLayout> {
    postcard::from_bytes(bytes).map_err(|_| UnknownLayout)
}

fn split_version(bytes: &[u8]) -> Result<(u8, &[u8]), UnknownLayout> {
    bytes.split_first().map(|(version, rest)| (*version, rest)).ok_or(UnknownLayout)
}

/// A stored time; what lies outside jiff's years was never stored by us.
pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}
