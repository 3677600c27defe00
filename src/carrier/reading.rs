//! What stands in an answer to a request of ours, by the places that the configuration names.

use super::document::{Document, answer as document};
use crate::config::dialect::{AnswerFormat, CodePlace};
use bytes::Bytes;
use http::StatusCode;

/// An answer and its document.
#[derive(Debug)]
pub struct Reading<'a> {
    status: StatusCode,
    format: AnswerFormat,
    body: &'a Bytes,
    document: Option<Document<'a>>,
}

impl<'a> Reading<'a> {
    /// Reads an answer in this format; one that is in another holds nothing but its status.
    #[must_use]
    pub fn new(format: AnswerFormat, status: StatusCode, body: &'a Bytes) -> Reading<'a> {
        Reading { status, format, body, document: document(format, body) }
    }

    /// What stands there, if it is not empty.
    #[must_use]
    pub fn at(&self, place: &CodePlace) -> Option<String> {
        let text = match place {
            CodePlace::Status => self.status.as_str().to_owned(),
            CodePlace::Body => String::from_utf8_lossy(self.body).trim().to_owned(),
            CodePlace::Path(path) => self.document.as_ref()?.text(path)?,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Whether something in between may have answered: a text can be anybody's, a status too.
    #[must_use]
    pub fn is_somebody_elses(&self) -> bool {
        self.format == AnswerFormat::Text
            && (self.status.is_success() || self.status.is_server_error())
    }
}
