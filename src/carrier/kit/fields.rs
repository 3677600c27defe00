//! Named fields of a JSON body, each as the text that was sent.
//!
//! Carriers send the same id as a number on one page and as text on the next, and some ids are
//! larger than any integer type. So a number is never parsed: its digits are taken as they stand.

use super::time;
use crate::carrier::Garbled;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A JSON document in UTF-8, not yet parsed.
pub(crate) struct Json<'a> {
    text: Cow<'a, str>,
    root: &'static str,
}

impl<'a> Json<'a> {
    /// The document in these bytes; `root` is what errors call it, for example `body`.
    pub(crate) fn new(bytes: &'a [u8], root: &'static str) -> Json<'a> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Json { text: String::from_utf8_lossy(bytes), root }
    }

    /// The document as one object.
    pub(crate) fn object(&self) -> Result<Fields<'_>, Garbled> {
        self.fields(&self.text, Place { root: self.root, index: None })
    }

    /// The document as an array of objects, each readable or not for itself.
    pub(crate) fn items(
        &self,
    ) -> Result<impl Iterator<Item = Result<Fields<'_>, Garbled>>, Garbled> {
        let items: Vec<&RawValue> = serde_json::from_str(&self.text)
            .map_err(|_| Garbled::new(self.root, "expected a JSON array"))?;
        Ok(items.into_iter().enumerate().map(|(index, item)| {
            self.fields(item.get(), Place { root: self.root, index: Some(index) })
        }))
    }

    fn fields<'b>(&self, text: &'b str, place: Place) -> Result<Fields<'b>, Garbled> {
        // Only the item that holds the broken bytes is lost, not its neighbours.
        let repaired = matches!(self.text, Cow::Owned(_));
        if repaired && text.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Garbled::new(place.to_string(), "expected UTF-8"));
        }
        match serde_json::from_str(text) {
            Ok(values) => Ok(Fields { place, values }),
            Err(_) => Err(Garbled::new(place.to_string(), "expected a JSON object")),
        }
    }
}

/// The fields of one JSON object. Of fields with the same name the last counts.
pub(crate) struct Fields<'a> {
    place: Place,
    values: BTreeMap<String, &'a RawValue>,
}

#[derive(Clone, Copy)]
struct Place {
    root: &'static str,
    index: Option<usize>,
}

impl<'a> Fields<'a> {
    /// A field that must be there, if only as empty text.
    pub(crate) fn text(&self, name: &'static str) -> Result<Cow<'a, str>, Garbled> {
        self.scalar(name)?.ok_or_else(|| self.garbled(name, "missing"))
    }

    /// A field that must be there and must not be empty.
    pub(crate) fn filled(&self, name: &'static str) -> Result<Cow<'a, str>, Garbled> {
        self.optional(name)?.ok_or_else(|| self.garbled(name, "missing or empty"))
    }

    /// A field that may be missing, null or empty: all three are `None`.
    pub(crate) fn optional(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Garbled> {
        Ok(self.scalar(name)?.filter(|text| !text.is_empty()))
    }

    /// An optional time in the carrier's zone; see [`time::local`].
    pub(crate) fn local_time(
        &self,
        name: &'static str,
        offset: Offset,
    ) -> Result<Option<Timestamp>, Garbled> {
        self.time(name, time::LOCAL, |text| time::local(text, offset))
    }

    /// An optional time in seconds since 1970, as number or text.
    pub(crate) fn epoch_seconds(&self, name: &'static str) -> Result<Option<Timestamp>, Garbled> {
        self.time(name, time::EPOCH_SECONDS, time::epoch_seconds)
    }

    /// The object in this field, if there is such a field.
    pub(crate) fn object(&self, name: &'static str) -> Option<Result<Fields<'a>, Garbled>> {
        let text = self.values.get(name)?.get();
        Some(match serde_json::from_str(text) {
            Ok(values) => Ok(Fields { place: Place { root: name, index: None }, values }),
            Err(_) => Err(self.garbled(name, "expected a JSON object")),
        })
    }

    /// All fields by name in byte order, as text; what is not text is taken as it was written.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (&str, Cow<'a, str>)> {
        self.values.iter().map(|(name, value)| {
            (name.as_str(), unquoted(value).unwrap_or(Cow::Borrowed(value.get())))
        })
    }

    fn time(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Garbled> {
        match self.optional(name)? {
            Some(text) => read(&text).map(Some).ok_or_else(|| self.garbled(name, expected)),
            None => Ok(None),
        }
    }

    fn scalar(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Garbled> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        let value: &'a RawValue = value;
        match value.get().as_bytes().first() {
            Some(b'n') => Ok(None),
            Some(b'[' | b'{') => Err(self.garbled(name, "expected text or a number")),
            Some(b'"') => unquoted(value)
                .map(Some)
                .ok_or_else(|| self.garbled(name, "expected text without broken escapes")),
            _ => Ok(Some(Cow::Borrowed(value.get()))),
        }
    }

    fn garbled(&self, name: &str, problem: &'static str) -> Garbled {
        Garbled::new(format!("{}.{name}", self.place), problem)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.root),
            None => f.write_str(self.root),
        }
    }
}

/// The text in a JSON string; `None` for any other value. Half of a surrogate pair, as a text cut
/// in the middle of an emoji has, becomes U+FFFD: it must not cost the rest of the text.
fn unquoted<'a>(value: &'a RawValue) -> Option<Cow<'a, str>> {
    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Cow<'de, [u8]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(bytes))
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Ok(Cow::Owned(bytes.to_vec()))
        }
    }

    if !value.get().starts_with('"') {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(value.get());
    match json.deserialize_bytes(Bytes).ok()? {
        Cow::Borrowed(bytes) => Some(String::from_utf8_lossy(bytes)),
        Cow::Owned(bytes) => Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_fields(json: &str, check: impl FnOnce(Fields<'_>)) {
        check(Json::new(json.as_bytes(), "body").object().expect("an object"));
    }

    #[test]
    fn scalars_come_back_as_sent() {
        let json = r#"{"big":123456789012345678901234567890,"zeros":"000024","small":1.50,
            "yes":true,"none":null,"empty":"","escaped":"\u6ee1\u610f \ud83d\udc4d\n"}"#;
        with_fields(json, |fields| {
            let text = |name| fields.text(name).expect("a scalar").into_owned();
            assert_eq!(text("big"), "123456789012345678901234567890");
            assert_eq!(text("zeros"), "000024");
            assert_eq!(text("small"), "1.50");
            assert_eq!(text("yes"), "true");
            assert_eq!(text("empty"), "");
            assert_eq!(text("escaped"), "满意 👍\n");
            assert_eq!(fields.optional("none"), Ok(None));
            assert_eq!(fields.optional("empty"), Ok(None));
            assert_eq!(fields.optional("missing"), Ok(None));
        });
    }

    #[test]
    fn half_an_emoji_costs_only_itself() {
        with_fields(r#"{"text":"满意\ud83d"}"#, |fields| {
            let text = fields.text("text").expect("a text");
            assert_eq!(text.trim_end_matches(char::REPLACEMENT_CHARACTER), "满意");
        });
    }

    #[test]
    fn errors_name_the_place_and_never_the_content() {
        let json = Json::new(br#"[{"id":{"n":1}},7,{"id":""}]"#, "body");
        let problems: Vec<String> = json
            .items()
            .expect("an array")
            .map(|item| item.and_then(|item| item.filled("id").map(Cow::into_owned)))
            .map(|read| read.expect_err("none of them is readable").to_string())
            .collect();
        assert_eq!(
            problems,
            [
                "body[0].id: expected text or a number",
                "body[1]: expected a JSON object",
                "body[2].id: missing or empty",
            ]
        );
    }

    #[test]
    fn broken_bytes_cost_only_their_item() {
        let json = Json::new(b"[{\"id\":\"1\"},{\"id\":\"\xc2\xfa\"},{\"id\":\"3\"}]", "body");
        let readable: Vec<bool> =
            json.items().expect("an array").map(|item| item.is_ok()).collect();
        assert_eq!(readable, [true, false, true]);
    }

    #[test]
    fn a_replacement_character_that_was_sent_is_content() {
        with_fields("{\"text\":\"\u{fffd}1\"}", |fields| {
            assert_eq!(fields.text("text").expect("a text"), "\u{fffd}1");
        });
    }
}
