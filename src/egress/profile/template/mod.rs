//! The profile `template`: a request with one record, as the configuration has it, and an answer
//! read by its rule (`docs/profiles.md`).

mod fill;
mod value;

use super::{Unwritable, Written, rule};
use crate::carrier::{Surroundings, filtered};
use crate::config::dialect::Filter;
use crate::config::profile::{BodyCharset, RecordBody, RecordTemplate, Shape};
use crate::egress::verdict::Verdict;
use crate::model::{Meaning, Record, RecordKind};
use crate::net::client::Answer;
use crate::store::Leased;
use bytes::Bytes;
use fill::fill;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use jiff::Timestamp;
use std::sync::Arc;

/// The profile of a destination that is all configuration.
#[derive(Debug, Clone)]
pub struct Template {
    /// How records are written and answers read.
    pub template: Arc<RecordTemplate>,
    /// The statuses by which it refuses a record for good.
    pub finals: Vec<StatusCode>,
}

impl Template {
    /// Writes the one record of a batch.
    #[must_use]
    pub fn write(&self, batch: &[Leased], now: Timestamp) -> Written {
        // Of more than one none is sent: they are due again when their lease ends.
        let [leased] = batch else { return Written { request: None, unwritable: Vec::new() } };
        match self.request(&leased.record, now) {
            Ok(request) => Written { request: Some(request), unwritable: Vec::new() },
            Err(lack) => Written { request: None, unwritable: vec![(leased.seq, lack)] },
        }
    }

    /// What an answer means.
    #[must_use]
    pub fn read(&self, answer: &Answer, batch: &[Leased], now: Timestamp) -> Verdict {
        let [leased] = batch else {
            return Verdict::Unknown("an answer to more than one record".to_owned());
        };
        rule::read(&self.template.answer, &self.finals, answer, &leased.record, now)
    }

    /// Whether an answer says that the destination does not know us.
    #[must_use]
    pub fn disowns(&self, answer: &Answer) -> bool {
        rule::disowns(&self.template.answer, answer)
    }

    fn request(&self, record: &Record, now: Timestamp) -> Result<Request<Bytes>, Unwritable> {
        let kind = kind(record);
        let shape = self.template.shapes.iter().find(|(known, _)| *known == kind);
        let (_, shape) = shape.ok_or(Unwritable::NoShape(record.meaning.name()))?;
        let path = fill(&shape.path, record, now, Surroundings::Url)?;
        let path = Uri::try_from(path).map_err(|_| Unwritable::Misfit("the path".to_owned()))?;
        let charset = self.template.charset;
        let mut request = Request::new(Bytes::from(body(&shape.body, record, now, charset)?));
        *request.method_mut() = shape.method.clone();
        *request.uri_mut() = path;
        *request.headers_mut() = headers(shape, record, now, charset)?;
        Ok(request)
    }
}

fn kind(record: &Record) -> RecordKind {
    match record.meaning {
        Meaning::Rating { .. } => RecordKind::Rating,
        Meaning::Complaint { .. } => RecordKind::Complaint,
        Meaning::NotRated { .. } => RecordKind::NotRated,
    }
}

fn body(
    body: &RecordBody,
    record: &Record,
    now: Timestamp,
    charset: BodyCharset,
) -> Result<Vec<u8>, Unwritable> {
    let whole = |text, around| Ok(encoded(fill(text, record, now, around)?, charset));
    match body {
        RecordBody::Nothing => Ok(Vec::new()),
        RecordBody::Json(text) => whole(text, Surroundings::Json),
        RecordBody::Xml(text) => whole(text, Surroundings::Xml),
        RecordBody::Form(fields) => {
            let mut form = Vec::new();
            for (name, text) in fields {
                if !form.is_empty() {
                    form.push(b'&');
                }
                form.extend(Surroundings::Url.escape(name.clone().into_bytes()));
                form.push(b'=');
                // The text around the fields is no more of the form than they are.
                let value = fill(text, record, now, Surroundings::Plain)?;
                form.extend(Surroundings::Url.escape(encoded(value, charset)));
            }
            Ok(form)
        }
    }
}

/// A text in the charset of bodies. What a filter has made bytes of stays as it is.
fn encoded(text: Vec<u8>, charset: BodyCharset) -> Vec<u8> {
    match charset {
        BodyCharset::Gb18030 if std::str::from_utf8(&text).is_ok() => {
            filtered(text, &Filter::Gb18030)
        }
        BodyCharset::Gb18030 | BodyCharset::Utf8 => text,
    }
}

/// The content type of a body, unless a header says another.
fn content_type(body: &RecordBody, charset: BodyCharset) -> Option<&'static str> {
    match (body, charset) {
        (RecordBody::Nothing, _) => None,
        (RecordBody::Form(_), BodyCharset::Utf8) => Some("application/x-www-form-urlencoded"),
        (RecordBody::Form(_), BodyCharset::Gb18030) => {
            Some("application/x-www-form-urlencoded; charset=gb18030")
        }
        (RecordBody::Json(_), BodyCharset::Utf8) => Some("application/json; charset=utf-8"),
        (RecordBody::Json(_), BodyCharset::Gb18030) => Some("application/json; charset=gb18030"),
        (RecordBody::Xml(_), BodyCharset::Utf8) => Some("application/xml; charset=utf-8"),
        (RecordBody::Xml(_), BodyCharset::Gb18030) => Some("application/xml; charset=gb18030"),
    }
}

fn headers(
    shape: &Shape,
    record: &Record,
    now: Timestamp,
    charset: BodyCharset,
) -> Result<HeaderMap, Unwritable> {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type(&shape.body, charset) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, text) in &shape.headers {
        let value = fill(text, record, now, Surroundings::Plain)?;
        let value = HeaderValue::from_bytes(&value)
            .map_err(|_| Unwritable::Misfit(format!("the header `{name}`")))?;
        headers.insert(name.clone(), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
