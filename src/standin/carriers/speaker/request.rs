//! Writes a layout as the bytes of a request.

use super::layout::{Layout, Slot};
use super::{Spoken, Unspoken, charset, tree};
use crate::config::Access;
use crate::config::dialect::{Charset, Format, Inside, InsideFormat, Place, Records, Source};
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// The request of this layout to an account that is reached so.
///
/// # Errors
/// A value that the form cannot hold.
pub(super) fn request(
    layout: &Layout<'_>,
    access: &Access,
    external_url: &str,
) -> Result<Spoken, Unspoken> {
    let (mut query, mut form) = (Vec::new(), Vec::new());
    for (slot, value) in &layout.values {
        match slot {
            Slot::Query(name) => query.push((name.as_str(), form_value(value))),
            Slot::Form(name) => form.push((name.as_str(), form_value(value))),
            _ => {}
        }
    }
    let inside = layout.way.route.inside.as_ref();
    let inner = match (inside, layout.way.packing) {
        (Some(inside), Some(packing)) => Some((inside, packed(layout, inside, packing)?)),
        _ => None,
    };
    let name = inside.map(|inside| inside.field.join(".")).unwrap_or_default();
    let within = match (layout.way.format, inner) {
        (Format::Query, Some((_, value))) => {
            query.push((&name, value));
            None
        }
        (Format::Form | Format::Multipart, Some((_, value))) => {
            form.push((&name, value));
            None
        }
        (_, inner) => inner.map(|(inside, value)| (inside, value.bytes().to_vec())),
    };
    let (content_type, body) = body(layout, &form, within)?;
    let mut headers = headers(layout)?;
    if let Some(content_type) = content_type {
        let content_type = HeaderValue::try_from(content_type);
        headers.insert(CONTENT_TYPE, content_type.map_err(|_| no_place(CONTENT_TYPE))?);
    }
    let query = joined(&query);
    let mark = if query.is_empty() { "" } else { "?" };
    let target = [&access.path_of(layout.way.route), mark, &query].concat();
    let url = access.url_of(&target, Some(external_url), String::new);
    let method = layout.way.method.clone();
    Ok(Spoken { method, target, url, headers, body: Bytes::from(body) })
}

/// A value of a form: to be encoded, or encoded already.
enum FormValue {
    Plain(Vec<u8>),
    Encoded(String),
}

fn form_value(value: &[u8]) -> FormValue {
    FormValue::Plain(value.to_vec())
}

impl FormValue {
    fn encoded(&self) -> String {
        match self {
            FormValue::Plain(value) => byte_serialize(value).collect(),
            FormValue::Encoded(value) => value.clone(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            FormValue::Plain(value) => value,
            FormValue::Encoded(value) => value.as_bytes(),
        }
    }
}

fn joined(fields: &[(&str, FormValue)]) -> String {
    let pair = |(name, value): &(&str, FormValue)| {
        let name: String = byte_serialize(name.as_bytes()).collect();
        format!("{name}={}", value.encoded())
    };
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Content type and body.
fn body(
    layout: &Layout<'_>,
    form: &[(&str, FormValue)],
    within: Option<(&Inside, Vec<u8>)>,
) -> Result<(Option<String>, Vec<u8>), Unspoken> {
    let announced = |kind: &str| {
        let utf8 = matches!(
            layout.way.route.charset,
            Charset::Utf8 | Charset::Announced | Charset::Detect
        );
        Some(if utf8 { format!("{kind};charset=UTF-8") } else { kind.to_owned() })
    };
    Ok(match layout.way.format {
        Format::Query => (None, Vec::new()),
        Format::Form => (announced("application/x-www-form-urlencoded"), joined(form).into()),
        Format::Multipart => {
            let (boundary, body) = multipart(form);
            (Some(format!("multipart/form-data; boundary={boundary}")), body)
        }
        Format::Json => {
            (announced("application/json"), around(layout, &InsideFormat::Json, within.as_ref())?)
        }
        Format::Xml => {
            (announced("text/xml"), around(layout, &InsideFormat::Xml, within.as_ref())?)
        }
        Format::Text => {
            let body = layout.at(&Slot::Body).unwrap_or_default();
            (announced("text/plain"), within.map_or_else(|| body.to_vec(), |(_, value)| value))
        }
    })
}

/// The values of the document, with the way to each.
fn within<'l>(layout: &'l Layout<'_>) -> impl Iterator<Item = (&'l [String], &'l [u8])> {
    layout.values.iter().filter_map(|(slot, value)| match slot {
        Slot::Document(path) => Some((path.as_slice(), value.as_slice())),
        _ => None,
    })
}

/// The document of a request, or what is around the one within it.
fn around(
    layout: &Layout<'_>,
    format: &InsideFormat,
    inner: Option<&(&Inside, Vec<u8>)>,
) -> Result<Vec<u8>, Unspoken> {
    let charset = layout.way.route.charset;
    let Some((inside, value)) = inner else {
        return document(within(layout), format, charset);
    };
    let outer = layout.values.iter().filter_map(|(slot, value)| match slot {
        Slot::Outer(path) => Some((path.as_slice(), value.as_slice())),
        _ => None,
    });
    let inner = std::iter::once((inside.field.as_slice(), value.as_slice()));
    document(outer.chain(inner), format, charset)
}

/// A JSON or XML document in this charset.
fn document<'l>(
    values: impl Iterator<Item = (&'l [String], &'l [u8])>,
    format: &InsideFormat,
    charset: Charset,
) -> Result<Vec<u8>, Unspoken> {
    let mut tree = Value::Object(serde_json::Map::new());
    for (path, value) in values {
        let source = Source { place: Place::Document, path: path.to_vec(), parameter: None };
        let text = std::str::from_utf8(value).ok();
        let allowed = |text: &&str| match format {
            InsideFormat::Xml => text.chars().all(tree::is_in_xml),
            _ => true,
        };
        let Some(text) = text.filter(allowed) else { return Err(Unspoken::Characters(source)) };
        if !tree::put(&mut tree, path, text) {
            return Err(Unspoken::Taken(source));
        }
    }
    let text = match format {
        InsideFormat::Xml => tree::xml(&tree),
        _ => tree.to_string(),
    };
    let bytes = charset::encode(&text, charset);
    let bytes = bytes.ok_or_else(|| Unspoken::Characters(Source::of(Place::Body)))?;
    Ok(charset::broken(bytes, charset))
}

/// The value of the field that the document stands in.
fn packed(layout: &Layout<'_>, inside: &Inside, packing: usize) -> Result<FormValue, Unspoken> {
    let bytes = match &inside.format {
        InsideFormat::Records(records) => record(layout, records)?,
        InsideFormat::Form => {
            let fields: Vec<_> =
                within(layout).map(|(path, value)| (path[0].as_str(), form_value(value))).collect();
            joined(&fields).into_bytes()
        }
        format => {
            let own = layout.way.route.charset;
            let charset = if layout.is_within_characters() { Charset::Utf8 } else { own };
            document(within(layout), format, charset)?
        }
    };
    let none = Vec::new();
    let steps = inside.decode.get(packing).unwrap_or(&none);
    let bytes = charset::pack(bytes, steps);
    Ok(match (&inside.format, String::from_utf8(bytes)) {
        (InsideFormat::Records(records), Ok(text)) if records.split_encoded => {
            FormValue::Encoded(text)
        }
        (_, Ok(text)) => FormValue::Plain(text.into_bytes()),
        (_, Err(error)) => FormValue::Plain(error.into_bytes()),
    })
}

/// One record; fields that may hold anything are percent-encoded first where they are split first.
fn record(layout: &Layout<'_>, records: &Records) -> Result<Vec<u8>, Unspoken> {
    // What is quoted may hold delimiters.
    let delimiters: &[&String] = match records.quote {
        Some(_) => &[],
        None => &[&records.record, &records.field],
    };
    let mut fields = Vec::new();
    for (index, column) in records.columns.iter().enumerate() {
        let value = layout.at(&Slot::Document(vec![column.clone()])).unwrap_or_default();
        let value = match records.split_encoded {
            true => byte_serialize(value).collect::<String>().into_bytes(),
            false => match records.quote {
                Some(quote) => quoted(value, quote),
                None => value.to_vec(),
            },
        };
        let takes_surplus = records.surplus == Some(index);
        let splits = |delimiter: &&&String| {
            !delimiter.is_empty()
                && value.windows(delimiter.len()).any(|at| at == delimiter.as_bytes())
        };
        let split = delimiters.iter().filter(splits);
        if split.filter(|it| !(takes_surplus && **it == &records.field)).count() > 0 {
            return Err(Unspoken::Delimiter);
        }
        fields.push(value);
    }
    let heading = format!("-{}", records.record).repeat(records.skip).into_bytes();
    Ok([heading, fields.join(records.field.as_bytes())].concat())
}

/// A field in quotes, those within doubled.
fn quoted(value: &[u8], quote: u8) -> Vec<u8> {
    let doubled = value.iter().flat_map(|byte| match *byte == quote {
        true => vec![quote, quote],
        false => vec![*byte],
    });
    std::iter::once(quote).chain(doubled).chain([quote]).collect()
}

/// A multipart body with a boundary that stands nowhere within.
fn multipart(form: &[(&str, FormValue)]) -> (String, Vec<u8>) {
    let is_within = |boundary: &str| {
        let among = |(_, value): &(&str, FormValue)| {
            value.bytes().windows(boundary.len()).any(|at| at == boundary.as_bytes())
        };
        form.iter().any(among)
    };
    let boundary = (0_u32..).map(|number| format!("boundary-{number}")).find(|it| !is_within(it));
    let boundary = boundary.unwrap_or_default();
    let mut body = Vec::new();
    for (name, value) in form {
        let name = name.replace('"', "%22");
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value.bytes());
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (boundary, body)
}

/// The headers; the parameters of one stand in it one after the other.
fn headers(layout: &Layout<'_>) -> Result<HeaderMap, Unspoken> {
    let mut texts: Vec<(&HeaderName, Vec<u8>)> = Vec::new();
    for (slot, value) in &layout.values {
        match slot {
            Slot::Header(name) => texts.push((name, value.clone())),
            Slot::Parameter(name, parameter) => {
                let pair = [parameter.as_bytes(), b"=\"", value, b"\""].concat();
                match texts.iter_mut().find(|(there, _)| *there == name) {
                    Some((_, text)) => text.extend([b", ", pair.as_slice()].concat()),
                    None => texts.push((name, pair)),
                }
            }
            _ => {}
        }
    }
    let mut headers = HeaderMap::new();
    for (name, text) in texts {
        let value = HeaderValue::from_bytes(&text).map_err(|_| no_place(name.clone()))?;
        headers.insert(name.clone(), value);
    }
    Ok(headers)
}

fn no_place(name: HeaderName) -> Unspoken {
    Unspoken::Characters(Source::of(Place::Header(name)))
}
