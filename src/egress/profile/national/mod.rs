//! The national profile: one rating a request, in the fields of the national interface, encrypted
//! and signed with SM2 as Shandong's services take it (`docs/national.md`).

mod answer;
mod fields;

use super::{Unwritable, Written};
use crate::config::National;
use crate::config::national::{Entry, Sealing, Sign};
use crate::egress::verdict::Verdict;
use crate::model::Record;
use crate::net::client::Answer;
use crate::sm2::Seed;
use crate::store::Leased;
use bytes::Bytes;
use fields::Fields;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use jiff::{Timestamp, tz::Offset};
use serde::Serialize;
use std::sync::Arc;

/// The province's clock.
const CHINA: Offset = Offset::constant(8);

/// The national profile of a destination.
#[derive(Debug, Clone)]
pub struct Province {
    national: Arc<National>,
    /// The statuses by which it refuses a record for good.
    finals: Vec<StatusCode>,
}

impl Province {
    /// As it is configured.
    #[must_use]
    pub fn new(national: Arc<National>, finals: Vec<StatusCode>) -> Province {
        Province { national, finals }
    }

    /// Writes a batch; `seed` draws randomness that was never drawn before.
    #[must_use]
    pub fn write(
        &self,
        batch: &[Leased],
        now: Timestamp,
        mut seed: impl FnMut() -> Seed,
    ) -> Written {
        let (mut entries, mut unwritable) = (Vec::new(), Vec::new());
        for leased in batch {
            match self.entry(&leased.record, seed()) {
                Ok(entry) => entries.push(entry),
                Err(lack) => unwritable.push((leased.seq, lack)),
            }
        }
        let request = (!entries.is_empty()).then(|| self.request(&entries, now, seed()));
        Written { request, unwritable }
    }

    /// What an answer means.
    #[must_use]
    pub fn read(&self, answer: &Answer, batch: &[Leased], now: Timestamp) -> Verdict {
        answer::read(answer, batch, &self.national, &self.finals, now)
    }

    /// The ciphertext of one record.
    fn entry(&self, record: &Record, seed: Seed) -> Result<String, Unwritable> {
        let fields = Fields::of(record, &self.national)?;
        let text = match self.national.entry {
            Entry::List => json(&[fields]),
            Entry::Record => json(&fields),
        };
        Ok(seal(&self.national.sealing, &text, seed))
    }

    fn request(&self, entries: &[String], now: Timestamp, seed: Seed) -> Request<Bytes> {
        let time = CHINA.to_datetime(now).strftime("%Y%m%d%H%M%S").to_string();
        let body = Body {
            txn_body_com: Asked {
                app_mark: &self.national.app_mark,
                sign: self.sign(&time, seed),
                time: &time,
                params: Params { evaluate: entries },
            },
            txn_comm_com: Nothing {},
        };
        let mut request = Request::new(Bytes::from(json(&body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.national.path.clone());
        let content_type = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, content_type);
        request
    }

    /// What proves that we know the word.
    fn sign(&self, time: &str, seed: Seed) -> String {
        let National { app_mark, app_word, sealing, .. } = &*self.national;
        let text = [time.as_bytes(), app_mark.as_bytes(), app_word.reveal()].concat();
        match &self.national.sign {
            Sign::Encrypted => seal(sealing, &text, seed),
            Sign::Signed { key: Some(key), form } => {
                sealing.encoding.write(&key.sign(&text).write(*form))
            }
            // Nothing is served without the key.
            Sign::Signed { key: None, .. } => String::new(),
        }
    }
}

#[expect(clippy::expect_used, reason = "JSON and a time are never empty")]
fn seal(sealing: &Sealing, text: &[u8], seed: Seed) -> String {
    let ciphertext = sealing.key.encrypt(text, sealing.layout, seed).expect("something to encrypt");
    sealing.encoding.write(&ciphertext)
}

#[expect(clippy::expect_used, reason = "texts and numbers always fit into memory as JSON")]
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data")
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "txnBodyCom")]
    txn_body_com: Asked<'a>,
    #[serde(rename = "txnCommCom")]
    txn_comm_com: Nothing,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    app_mark: &'a str,
    sign: String,
    time: &'a str,
    params: Params<'a>,
}

#[derive(Serialize)]
struct Params<'a> {
    evaluate: &'a [String],
}

#[derive(Serialize)]
struct Nothing {}

#[cfg(test)]
mod tests;
