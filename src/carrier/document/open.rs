//! Which document a request holds, by its method and first bytes, and what is inside a field of it.

use super::form::Fields;
use super::json::Json;
use super::records::RecordList;
use super::xml::{self, Xml};
use super::{Document, Value, multipart, text, whole};
use crate::carrier::charset::{self, Known};
use crate::carrier::{Call, Garbled};
use crate::config::dialect::{AnswerFormat, Charset, Format, Inside, InsideFormat};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use std::borrow::Cow;

/// What a request holds.
#[derive(Debug)]
pub(in crate::carrier) struct Opened<'a> {
    /// The document around this one, where this one is within another.
    pub(super) around: Option<Document<'a>>,
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
        Format::Text => Document::Text(body),
    };
    match &call.route.inside {
        Some(inside) => within(document, inside, root, call),
        None => Ok(Opened { around: None, document, root }),
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
        // The platforms of some cities declare GBK.
        AnswerFormat::Xml => xml(body, Charset::Announced, &headers, "answer").ok(),
        AnswerFormat::Text => Some(Document::Text(body)),
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
    let declared = match charset {
        Charset::Announced if !charset::is_announced(headers) => xml::declared(&bytes),
        _ => None,
    };
    let known = match declared {
        Some(label) => Known::named(label).ok_or("declares an unknown encoding"),
        None => Known::resolve(charset, headers),
    };
    let known = known.map_err(garbled)?;
    Xml::read(known.decode(bytes).map_err(garbled)?).map(Document::Xml).map_err(garbled)
}

/// The document in a field of another, or in a text.
fn within<'a>(
    around: Document<'a>,
    inside: &'a Inside,
    root: &'a str,
    call: &Call<'a>,
) -> Result<Opened<'a>, Garbled> {
    let name = inside.name.as_str();
    let found = match (&around, &inside.format) {
        (Document::Text(body), _) if inside.field.is_empty() => Value::Text(Cow::Borrowed(body)),
        (Document::Fields(fields), InsideFormat::Records(records)) if records.split_encoded => {
            text(fields.sent(&whole(&inside.field)))
        }
        _ => around.value(around.root(), &inside.field),
    };
    let value = match found {
        Value::Text(value) => value,
        _ if inside.optional => return Ok(Opened { around: None, document: around, root }),
        Value::Nothing => return Err(Garbled::new(name, "no such field")),
        Value::Composite(expected) | Value::Broken(expected) => {
            return Err(Garbled::new(name, expected));
        }
    };
    let bytes = Cow::Owned(unpack(&value, inside)?.into_owned());
    // What a document that was decoded holds is UTF-8, until it is unpacked.
    let is_packed = inside.decode.iter().any(|steps| !steps.is_empty());
    let is_decoded = around.is_decoded() && !is_packed;
    let charset = if is_decoded { Charset::Utf8 } else { call.route.charset };
    let headers = call.headers;
    let document = match &inside.format {
        InsideFormat::Json => json(bytes, charset, headers, name)?,
        InsideFormat::Xml => xml(bytes, charset, headers, name)?,
        InsideFormat::Form => Document::Fields(Fields::form(bytes)),
        InsideFormat::Records(form) => {
            let records = RecordList::read(bytes, form, charset, call.route.max_items);
            Document::Records(if is_decoded { records.decoded() } else { records })
        }
    };
    Ok(Opened { around: Some(around), document, root: name })
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
            .map_err(|problem| Garbled::new(inside.name.as_str(), problem)),
        several => several
            .iter()
            .filter_map(|steps| charset::unpack(Cow::Borrowed(value), steps).ok())
            .find(|bytes| looks_right(bytes))
            .ok_or_else(|| Garbled::new(inside.name.as_str(), "unpacks to nothing expected here")),
    }
}
