//! Which document a request holds, by its method and first bytes, and what is inside a form field.

use super::form::Fields;
use super::json::Json;
use super::records::RecordList;
use super::xml::Xml;
use super::{Document, multipart};
use crate::carrier::charset::{self, Known};
use crate::carrier::{Call, Garbled};
use crate::config::dialect::{AnswerFormat, Charset, Format, Inside, InsideFormat};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use std::borrow::Cow;

/// What a request holds.
#[derive(Debug)]
pub(in crate::carrier) struct Opened<'a> {
    /// The form around the document, where the document is within one.
    pub(super) around: Option<Fields<'a>>,
    /// The document.
    pub(in crate::carrier) document: Document<'a>,
    /// What the document is called when something in it is wrong.
    pub(in crate::carrier) root: &'a str,
}

/// Opens the document of a request whose body is, unpacked, `body`.
///
/// # Errors
/// What was expected instead, at `body`, `query` or the name of the field.
pub(in crate::carrier) fn open<'a>(
    call: &Call<'a>,
    body: Cow<'a, [u8]>,
) -> Result<Opened<'a>, Garbled> {
    let headers = call.headers;
    let format = choose(call.method, &call.route.formats, headers, &body);
    let root = if format == Format::Query { "query" } else { "body" };
    let charset = call.route.charset;
    let document = match format {
        Format::Query => Document::Fields(Fields::form(Cow::Borrowed(call.query.as_bytes()))),
        Format::Form => Document::Fields(Fields::form(body)),
        Format::Multipart => Document::Fields(multipart::read(&body, headers)?),
        Format::Json => json(body, charset, headers, root)?,
        Format::Xml => xml(body, charset, headers, root)?,
        Format::Text => Document::Text,
    };
    match (document, &call.route.inside) {
        (Document::Fields(around), Some(inside)) => within(around, inside, root, call),
        (document, _) => Ok(Opened { around: None, document, root }),
    }
}

/// The format of a request, of those that are allowed.
fn choose(method: &Method, allowed: &[Format], headers: &HeaderMap, body: &[u8]) -> Format {
    let of_bodies = || allowed.iter().copied().filter(|format| *format != Format::Query);
    let may_be = |format: Format| allowed.contains(&format);
    let Some(first) = of_bodies().next() else { return Format::Query };
    // Some carriers write everything into the URL whatever the method.
    let bodiless = [Method::GET, Method::HEAD].contains(method) || body.is_empty();
    if bodiless && may_be(Format::Query) {
        return Format::Query;
    }
    if of_bodies().count() == 1 {
        return first;
    }
    let start = body.strip_prefix(charset::UTF8_MARK).unwrap_or(body).trim_ascii_start();
    let by_start = match start {
        [b'{' | b'[', ..] => Some(Format::Json),
        [b'<', ..] => Some(Format::Xml),
        [b'-', b'-', ..] => Some(Format::Multipart),
        _ => None,
    };
    let mut guesses = [by_start, by_content_type(headers), Some(Format::Form)].into_iter();
    guesses.find_map(|guess| guess.filter(|format| may_be(*format))).unwrap_or(first)
}

/// What the content type says where the first bytes leave it open: JSON and XML they do not.
fn by_content_type(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(CONTENT_TYPE)?.as_bytes();
    let kind = value.split(|byte| *byte == b';').next()?.trim_ascii();
    let known = [
        ("application/x-www-form-urlencoded", Format::Form),
        ("multipart/form-data", Format::Multipart),
        ("text/plain", Format::Text),
    ];
    let found = known.iter().find(|(name, _)| kind.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, format)| *format)
}

/// The document of an answer to a request of ours; `None` if it cannot be read.
pub(in crate::carrier) fn answer(format: AnswerFormat, body: &[u8]) -> Option<Document<'_>> {
    let (body, headers) = (Cow::Borrowed(body), HeaderMap::new());
    match format {
        AnswerFormat::Json => json(body, Charset::Utf8, &headers, "answer").ok(),
        AnswerFormat::Xml => xml(body, Charset::Utf8, &headers, "answer").ok(),
        AnswerFormat::Text => Some(Document::Text),
    }
}

fn json<'a>(
    bytes: Cow<'a, [u8]>,
    charset: Charset,
    headers: &HeaderMap,
    root: &str,
) -> Result<Document<'a>, Garbled> {
    let garbled = |problem: &'static str| Garbled::new(root, problem);
    let known = Known::resolve(charset, headers).map_err(garbled)?;
    let (text, repaired) = match known {
        // Only the item that holds broken bytes is lost, not its neighbours.
        Known::Ours(Charset::Utf8) => charset::repaired(bytes),
        known => (known.decode(bytes).map_err(garbled)?, false),
    };
    let json = Json::read(text, repaired);
    json.map(Document::Json).ok_or_else(|| garbled("expected a JSON object or array"))
}

fn xml<'a>(
    bytes: Cow<'a, [u8]>,
    charset: Charset,
    headers: &HeaderMap,
    root: &str,
) -> Result<Document<'a>, Garbled> {
    let garbled = |problem: &'static str| Garbled::new(root, problem);
    let known = Known::resolve(charset, headers).map_err(garbled)?;
    Xml::read(known.decode(bytes).map_err(garbled)?).map(Document::Xml).map_err(garbled)
}

/// The document in a form field.
fn within<'a>(
    around: Fields<'a>,
    inside: &'a Inside,
    root: &'a str,
    call: &Call<'a>,
) -> Result<Opened<'a>, Garbled> {
    let field = inside.field.as_str();
    let value = match &inside.format {
        InsideFormat::Records(records) if records.split_encoded => around.sent(field),
        _ => around.value(field),
    };
    let Some(value) = value else {
        return match inside.optional {
            true => Ok(Opened { around: None, document: Document::Fields(around), root }),
            false => Err(Garbled::new(field, "no such form field")),
        };
    };
    let bytes = Cow::Owned(unpack(value, inside)?.into_owned());
    let (charset, headers) = (call.route.charset, call.headers);
    let document = match &inside.format {
        InsideFormat::Json => json(bytes, charset, headers, field)?,
        InsideFormat::Xml => xml(bytes, charset, headers, field)?,
        InsideFormat::Form => Document::Fields(Fields::form(bytes)),
        InsideFormat::Records(records) => {
            Document::Records(RecordList::read(bytes, records, call.route.max_items))
        }
    };
    Ok(Opened { around: Some(around), document, root: field })
}

/// The first way of unpacking whose result looks like what is to be inside.
fn unpack<'v>(value: &'v [u8], inside: &Inside) -> Result<Cow<'v, [u8]>, Garbled> {
    let looks_right = |bytes: &[u8]| match inside.format {
        InsideFormat::Json => matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')),
        InsideFormat::Xml => bytes.trim_ascii_start().starts_with(b"<"),
        InsideFormat::Form => bytes.contains(&b'='),
        InsideFormat::Records(_) => true,
    };
    match inside.decode.as_slice() {
        [] => Ok(Cow::Borrowed(value)),
        [steps] => charset::unpack(Cow::Borrowed(value), steps)
            .map_err(|problem| Garbled::new(inside.field.as_str(), problem)),
        several => several
            .iter()
            .filter_map(|steps| charset::unpack(Cow::Borrowed(value), steps).ok())
            .find(|bytes| looks_right(bytes))
            .ok_or_else(|| Garbled::new(inside.field.as_str(), "unpacks to nothing expected here")),
    }
}
