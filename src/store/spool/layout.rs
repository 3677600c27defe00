//! How a callback is laid out in the spool, before it is sealed.
//!
//! The first byte is the version of the layout, then postcard; records are in the layout that they have in the database,
//! with its version. So a spool that one version filled is emptied by the next. A layout is never changed, only followed by another.

use crate::model::{AccountName, Outcome, Record, RecordId, Revision};
use crate::store::rows::{self, RecordColumns, UnknownLayout};
use crate::store::{Callback, Entry, Nonce, Opaque, RawRequest, Resend, Share};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// Today's layout.
const CALLBACK: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Spooled<'a> {
    account: &'a str,
    received_at: i64,
    method: &'a str,
    target: &'a str,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
    #[serde(borrow)]
    nonce: Option<(&'a str, [u8; 32])>,
    #[serde(borrow)]
    entries: Vec<SpooledEntry<'a>>,
    #[serde(borrow)]
    garbled: Vec<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct SpooledEntry<'a> {
    dedupe: &'a str,
    /// The key, and the window in milliseconds.
    resend: Option<(&'a str, u64)>,
    #[serde(borrow)]
    share: SpooledShare<'a>,
}

#[derive(Serialize, Deserialize)]
enum SpooledShare<'a> {
    Decided { outcome: &'a str, records: Vec<SpooledRecord> },
    Held(&'a [u8]),
}

#[derive(Serialize, Deserialize)]
struct SpooledRecord {
    id: [u8; 16],
    revision: u32,
    account: String,
    received_at: i64,
    rest: Vec<u8>,
}

/// Lays a callback out.
pub(super) fn encode(callback: &Callback) -> Result<Vec<u8>, postcard::Error> {
    let headers = callback.raw.headers.iter().map(|(name, value)| (name.as_str(), &value[..]));
    let spooled = Spooled {
        account: callback.account.as_str(),
        received_at: callback.received_at.as_millisecond(),
        method: &callback.raw.method,
        target: &callback.raw.target,
        headers: headers.collect(),
        body: &callback.raw.body,
        nonce: callback.nonce.as_ref().map(|nonce| (nonce.value.as_str(), nonce.content)),
        entries: callback.entries.iter().map(entry).collect::<Result<_, _>>()?,
        garbled: callback.garbled.iter().map(String::as_str).collect(),
    };
    postcard::to_extend(&spooled, vec![CALLBACK])
}

fn entry(entry: &Entry) -> Result<SpooledEntry<'_>, postcard::Error> {
    let millis = |window: Duration| u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
    let resend = entry.resend.as_ref();
    Ok(SpooledEntry {
        dedupe: &entry.dedupe,
        resend: resend.map(|resend| (resend.key.as_str(), millis(resend.window))),
        share: match &entry.share {
            Share::Decided { outcome, records } => SpooledShare::Decided {
                outcome: outcome.name(),
                records: records.iter().map(record).collect::<Result<_, _>>()?,
            },
            Share::Held(bytes) => SpooledShare::Held(&bytes.0),
        },
    })
}

fn record(record: &Record) -> Result<SpooledRecord, postcard::Error> {
    Ok(SpooledRecord {
        id: record.id.0.into_bytes(),
        revision: record.revision.0,
        account: record.account.to_string(),
        received_at: record.received_at.as_millisecond(),
        rest: rows::encode_record(record)?,
    })
}

/// Reads a callback back.
pub(super) fn decode(bytes: &[u8]) -> Result<Callback, UnknownLayout> {
    let Some((&CALLBACK, rest)) = bytes.split_first() else { return Err(UnknownLayout) };
    let spooled: Spooled<'_> = postcard::from_bytes(rest).map_err(|_| UnknownLayout)?;
    let header = |(name, value): (&str, &[u8])| (name.to_owned(), Bytes::copy_from_slice(value));
    Ok(Callback {
        account: AccountName::new(spooled.account).map_err(|_| UnknownLayout)?,
        received_at: rows::timestamp(spooled.received_at),
        raw: RawRequest {
            method: spooled.method.to_owned(),
            target: spooled.target.to_owned(),
            headers: spooled.headers.into_iter().map(header).collect(),
            body: Bytes::copy_from_slice(spooled.body),
        },
        nonce: spooled.nonce.map(|(value, content)| Nonce { value: value.to_owned(), content }),
        entries: spooled.entries.into_iter().map(entry_of).collect::<Result<_, _>>()?,
        garbled: spooled.garbled.into_iter().map(str::to_owned).collect(),
    })
}

fn entry_of(entry: SpooledEntry<'_>) -> Result<Entry, UnknownLayout> {
    let resend = entry
        .resend
        .map(|(key, window)| Resend { key: key.to_owned(), window: Duration::from_millis(window) });
    let share = match entry.share {
        SpooledShare::Decided { outcome, records } => Share::Decided {
            outcome: Outcome::from_name(outcome).ok_or(UnknownLayout)?,
            records: records.iter().map(record_of).collect::<Result<_, _>>()?,
        },
        SpooledShare::Held(bytes) => Share::Held(Opaque(bytes.to_vec())),
    };
    Ok(Entry { dedupe: entry.dedupe.to_owned(), resend, share })
}

fn record_of(record: &SpooledRecord) -> Result<Record, UnknownLayout> {
    let columns = RecordColumns {
        id: RecordId(Uuid::from_bytes(record.id)),
        revision: Revision(record.revision),
        account: &record.account,
        received_at: record.received_at,
    };
    rows::decode_record(columns, &record.rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn callback() -> impl Strategy<Value = Callback> {
        let text = ".{0,20}";
        let bytes = || vec(any::<u8>(), 0..40);
        let share = prop_oneof![
            bytes().prop_map(|bytes| Share::Held(Opaque(bytes))),
            (0..Outcome::ALL.len()).prop_map(|place| Share::Decided {
                outcome: Outcome::ALL[place],
                records: Vec::new(),
            }),
        ];
        let resend = proptest::option::of((text, 0..u64::from(u32::MAX))).prop_map(|resend| {
            resend.map(|(key, window)| Resend { key, window: Duration::from_millis(window) })
        });
        let entry = (text, resend, share).prop_map(|(dedupe, resend, share)| Entry {
            dedupe,
            resend,
            share,
        });
        let nonce = proptest::option::of((text, any::<[u8; 32]>()));
        let raw = (text, vec((text, bytes()), 0..3), bytes());
        let all = (0..i64::from(u32::MAX), raw, nonce, vec(entry, 0..3), vec(text, 0..3));
        all.prop_map(|(at, (target, headers, body), nonce, entries, garbled)| Callback {
            account: AccountName::new("aliyun-sms").expect("a name"),
            received_at: rows::timestamp(at),
            raw: RawRequest {
                method: "POST".to_owned(),
                target,
                headers: headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
                body: body.into(),
            },
            nonce: nonce.map(|(value, content)| Nonce { value, content }),
            entries,
            garbled,
        })
    }

    proptest! {
        #[test]
        fn a_callback_comes_back_as_it_was(callback in callback()) {
            let laid_out = encode(&callback).expect("it fits");
            let back = decode(&laid_out).expect("it is ours");
            prop_assert_eq!(&back.raw, &callback.raw);
            prop_assert_eq!(&back.nonce.is_some(), &callback.nonce.is_some());
            prop_assert_eq!(encode(&back).expect("it fits"), laid_out);
        }

        #[test]
        fn other_bytes_are_an_error_and_no_panic(bytes in vec(any::<u8>(), 0..200)) {
            let of_another_version = [&[CALLBACK + 1][..], &bytes].concat();
            prop_assert!(decode(&of_another_version).is_err());
            drop(decode(&[&[CALLBACK][..], &bytes].concat()));
        }
    }
}
