//! What a message says, under the names that templates have for it.

use super::Unsendable;
use crate::carrier::document::Pairs;
use crate::carrier::scope::Values;
use crate::carrier::template::Special;
use crate::carrier::time;
use crate::config::Sending;
use crate::config::dialect::{NumberForm, Place, SortedOf, Source};
use crate::model::{Content, Message, Msisdn};
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;

/// A message as its account tells it.
pub(super) struct Telling<'a> {
    pub(super) sending: &'a Sending,
    pub(super) message: &'a Message,
    /// When it is told.
    pub(super) now: Timestamp,
    /// A value that never came before, a UUID.
    pub(super) nonce: String,
    time: String,
    parameters: String,
    parameter_list: String,
    to: Cow<'a, str>,
    key: String,
}

impl<'a> Telling<'a> {
    pub(super) fn new(
        sending: &'a Sending,
        message: &'a Message,
        now: Timestamp,
        nonce: String,
    ) -> Telling<'a> {
        let (parameters, parameter_list) = parameters(&message.content);
        let form = &sending.submission.time;
        Telling {
            sending,
            message,
            now,
            nonce,
            time: time::write(now, form, sending.offset).unwrap_or_default(),
            parameters,
            parameter_list,
            to: number(&message.to, sending.submission.to, &sending.country),
            key: message.key.to_string(),
        }
    }

    /// The account's user; empty without one.
    pub(super) fn user(&self) -> &'a str {
        self.sending.user.as_deref().unwrap_or_default()
    }

    /// The account's secret.
    pub(super) fn secret(&self) -> Result<&'a [u8], Unsendable> {
        Ok(self.sending.secret.as_ref().ok_or(Unsendable::Key)?.reveal())
    }

    /// What templates have that no message has.
    pub(super) fn special(&self) -> Special<'a> {
        let secret = self.sending.secret.as_ref().map(|secret| secret.reveal());
        Special {
            secret: secret.unwrap_or_default(),
            user: self.user().as_bytes(),
            ..Special::default()
        }
    }

    fn named(&self, name: &str) -> Option<&str> {
        Some(match name {
            "to" => &self.to,
            "from" => &self.message.from.as_ref().or(self.sending.from.as_ref())?.0,
            "text" => match &self.message.content {
                Content::Text(text) => text,
                Content::Template { .. } => return None,
            },
            "template" => match &self.message.content {
                Content::Text(_) => return None,
                Content::Template { code, .. } => code,
            },
            "parameters" => &self.parameters,
            "parameter_list" => &self.parameter_list,
            "key" => &self.key,
            "time" => &self.time,
            "nonce" => &self.nonce,
            own => self.sending.values.get(own)?,
        })
    }
}

impl Values for Telling<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        match (&source.place, source.path.as_slice()) {
            (Place::Item, [name]) => self.named(name).map(|value| Cow::Borrowed(value.as_bytes())),
            _ => None,
        }
    }

    fn fields(&self, _: SortedOf) -> Option<Pairs<'_>> {
        None
    }
}

/// The parameters of a template as a JSON object, and their values as a JSON array.
fn parameters(content: &Content) -> (String, String) {
    let Content::Template { parameters, .. } = content else { return Default::default() };
    let text = |text: &String| Value::from(text.as_str()).to_string();
    let pairs = parameters.iter().map(|(name, value)| [text(name), text(value)].join(":"));
    let values = parameters.iter().map(|(_, value)| text(value));
    let pairs = pairs.collect::<Vec<_>>().join(",");
    let values = values.collect::<Vec<_>>().join(",");
    (format!("{{{pairs}}}"), format!("[{values}]"))
}

fn number<'a>(number: &'a Msisdn, form: NumberForm, country: &str) -> Cow<'a, str> {
    let e164 = number.reveal();
    let digits = e164.strip_prefix('+').unwrap_or(e164);
    Cow::Borrowed(match form {
        NumberForm::E164 => e164,
        NumberForm::Digits => digits,
        NumberForm::National => digits.strip_prefix(country).unwrap_or(digits),
    })
}
