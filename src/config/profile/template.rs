//! The profile `template`: a destination's own interface, as configuration.

use super::answer::{AnswerRule, answer};
use super::fit::{a_json, a_path, a_text, an_xml};
use super::text::{CodeTable, CodeTables, RecordText};
use crate::config::dialect::{Filter, named};
use crate::config::problem::{Fault, listed, one_of};
use crate::config::raw::{At, Node, Section};
use crate::config::values::{text, wrong_kind};
use crate::model::{RecordKind, Selection};
use http::{HeaderName, Method};
use std::sync::Arc;
use toml::de::DeValue;

/// A destination's own interface: one record in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordTemplate {
    /// How records are written, by kind.
    pub shapes: Vec<(RecordKind, Shape)>,
    /// What bodies are encoded in.
    pub charset: BodyCharset,
    /// How the answer is read.
    pub answer: AnswerRule,
}

/// How a record of one kind is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The method.
    pub method: Method,
    /// Path and query below the base URL. Values are percent-encoded.
    pub path: RecordText,
    /// Headers.
    pub headers: Vec<(HeaderName, RecordText)>,
    /// The body.
    pub body: RecordBody,
}

/// The body of a request with one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordBody {
    /// None.
    Nothing,
    /// JSON. Values are escaped as parts of a string.
    Json(RecordText),
    /// `application/x-www-form-urlencoded`, in the order of the names. Values are percent-encoded.
    Form(Vec<(String, RecordText)>),
    /// XML. Values are escaped as text or attributes.
    Xml(RecordText),
}

/// What bodies are encoded in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyCharset {
    /// UTF-8.
    #[default]
    Utf8,
    /// GB 18030, which whoever reads GBK reads too.
    Gb18030,
}

impl BodyCharset {
    /// Both, with their names in the configuration and in content types.
    pub const NAMES: [(&'static str, BodyCharset); 2] =
        [("utf-8", BodyCharset::Utf8), ("gb18030", BodyCharset::Gb18030)];
}

/// The keys of a body.
const BODIES: [&str; 3] = ["json", "form", "xml"];

const METHODS: [(&str, &Method); 3] =
    [("GET", &Method::GET), ("POST", &Method::POST), ("PUT", &Method::PUT)];

/// The kinds with the keys of their tables.
const KINDS: [(&str, RecordKind); 3] = RecordKind::NAMES;

/// What the gateway writes itself.
const OURS: [&str; 4] = ["content-length", "transfer-encoding", "connection", "host"];

/// What holds for records of all kinds where theirs says nothing else.
struct Shared {
    method: Option<Method>,
    path: Option<At<String>>,
    headers: Vec<At<(HeaderName, String)>>,
    tables: CodeTables,
}

/// Reads `template`; what `only` lets through must have a shape.
pub(super) fn template(section: &mut Section<'_>, only: &Selection) -> Option<RecordTemplate> {
    let shared = Shared {
        method: method(section),
        path: path(section),
        headers: headers(section),
        tables: code_tables(section),
    };
    let charset = section.text("charset", "\"gb18030\"", |it| {
        one_of(it, "an encoding of bodies", &BodyCharset::NAMES)
    });
    section.demand("answer", "say how the answer is read, [destination.template.answer]");
    let answer = section.table("answer", answer);
    let mut shapes = Vec::new();
    let mut whole = true;
    for (name, kind) in KINDS {
        let is_sent = only.kinds.is_empty() || only.kinds.contains(&kind);
        if section.has(name) {
            match section.table(name, |section| shape(section, kind, &shared)) {
                Some(shape) => shapes.push((kind, shape)),
                None => whole = false,
            }
        } else {
            section.node(name);
            if is_sent {
                missing(section, name);
            }
        }
    }
    let charset = charset.map(|charset| charset.value).unwrap_or_default();
    Some(RecordTemplate { shapes, charset, answer: answer? }).filter(|_| whole)
}

/// Says that records of a kind would be sent and nobody said how.
fn missing(section: &Section<'_>, name: &str) {
    let here = section.here();
    let table = here.key.rsplit_once('.').map_or("destination", |(table, _)| table);
    let wrong = format!("says nothing of the kind `{name}`, which the destination is sent");
    let right =
        format!("write [{}.{name}], or leave that kind out of {table}.only.kinds", here.key);
    section.reject(&here, Fault::new(wrong, right));
}

fn shape(section: &mut Section<'_>, kind: RecordKind, shared: &Shared) -> Option<Shape> {
    let method = method(section).or_else(|| shared.method.clone());
    let path = path(section).or_else(|| shared.path.clone());
    let headers = headers(section);
    let body = body(section, kind, &shared.tables)?;
    let method = method.unwrap_or(Method::POST);
    if body == RecordBody::Nothing && method != Method::GET {
        let right = format!("write one of {} below it, or method = \"GET\"", listed(BODIES));
        section.reject(&section.here(), Fault::new("has no body", right));
    }
    let Some(path) = path else {
        let right = "write path = \"/rating\", what follows `url`";
        section.reject(&section.here(), Fault::new("`path` is missing", right));
        return None;
    };
    let filled = |place: &At<String>, check: &dyn Fn(&RecordText) -> Result<(), Fault>| {
        let read = RecordText::read(&place.value, kind, &shared.tables);
        let read = read.and_then(|text| check(&text).map(|()| text));
        read.map_err(|fault| section.reject(place, fault)).ok()
    };
    let path = filled(&path, &a_path);
    let own = |name: &HeaderName| headers.iter().any(|header| header.value.0 == *name);
    let inherited = shared.headers.iter().filter(|header| !own(&header.value.0));
    let headers = inherited.chain(&headers).map(|header| {
        let (name, value) = &header.value;
        Some((name.clone(), filled(&header.with(value.clone()), &a_text)?))
    });
    let headers: Option<Vec<_>> = headers.collect();
    let shape = Shape { method, path: path?, headers: headers?, body };
    recognisable(section, &shape);
    Some(shape)
}

/// Warns where the far end has nothing to know a repeat by.
fn recognisable(section: &Section<'_>, shape: &Shape) {
    let form: &[(String, RecordText)] = match &shape.body {
        RecordBody::Form(fields) => fields,
        _ => &[],
    };
    let body = match &shape.body {
        RecordBody::Json(text) | RecordBody::Xml(text) => Some(text),
        _ => None,
    };
    let form = form.iter().map(|(_, text)| text);
    let all = shape.headers.iter().map(|(_, text)| text).chain(form).chain(body);
    let fields: Vec<&str> = all
        .chain([&shape.path])
        .flat_map(RecordText::fields)
        .map(|piece| piece.field.name())
        .collect();
    let has = |name: &str| fields.contains(&name);
    let is_known = has("key") || has("id") || (has("project_no") && has("assess_number"));
    if !is_known {
        let wrong = "gives the far end nothing to know a repeat by, and every one may count twice";
        let right = "send ${key}, or ${id}, or ${project_no} with ${assess_number}";
        section.warn(&section.here(), Fault::new(wrong, right));
    }
}

fn method(section: &mut Section<'_>) -> Option<Method> {
    let method = section.text("method", "\"POST\"", |it| one_of(it, "a method", &METHODS));
    method.map(|method| method.value.clone())
}

fn path(section: &mut Section<'_>) -> Option<At<String>> {
    section.text("path", "\"/rating\"", |path| match path.starts_with('/') {
        true => Ok(path.to_owned()),
        false => {
            let right = "write what follows `url`, from the slash on, \"/rating/${id}\"";
            Err(Fault::new(format!("{path:?} is not a path"), right))
        }
    })
}

fn headers(section: &mut Section<'_>) -> Vec<At<(HeaderName, String)>> {
    let Some(node) = section.node("headers") else { return Vec::new() };
    let example = "{ \"X-Request-Id\" = \"${key}\" }";
    let Some(entries) = node.entries() else {
        node.reject(wrong_kind(node.value, "a table", example));
        return Vec::new();
    };
    let header = |(name, node): (&str, Node<'_>)| match header(name, node.value, example) {
        Ok(header) => Some(node.at(header)),
        Err(fault) => {
            node.reject(fault);
            None
        }
    };
    entries.filter_map(header).collect()
}

fn header(name: &str, value: &DeValue<'_>, example: &str) -> Result<(HeaderName, String), Fault> {
    let value = text(value, example)?;
    let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Fault::new(format!("{name:?} is not a header's name"), format!("write `{example}`"))
    })?;
    match OURS.contains(&known.as_str()) {
        true => Err(Fault::new(format!("the gateway writes `{known}` itself"), "remove it")),
        false => Ok((known, value.to_owned())),
    }
}

/// Reads `codes`: tables of the destination's own codes, by name.
fn code_tables(section: &mut Section<'_>) -> CodeTables {
    let example = "codes.satisfaction = { 5 = \"A\", 4 = \"B\" }";
    let Some(node) = section.node("codes") else { return Vec::new() };
    let Some(tables) = node.entries() else {
        node.reject(wrong_kind(node.value, "a table", example));
        return Vec::new();
    };
    let code = |(value, node): (&str, Node<'_>)| {
        let code = text(node.value, "\"A\"").map_err(|fault| node.reject(fault)).ok()?;
        Some((value.to_owned(), code.to_owned()))
    };
    let table = |(name, node): (&str, Node<'_>)| {
        let Some(codes) = node.entries() else {
            node.reject(wrong_kind(node.value, "a table", example));
            return None;
        };
        if Filter::NAMES.iter().any(|(filter, _)| *filter == name) {
            let fault = Fault::new("is the name of a filter", "give the table another name");
            node.reject(fault);
        }
        let (name, codes) = (name.to_owned(), codes.filter_map(code).collect());
        Some(Arc::new(CodeTable { name, codes }))
    };
    tables.filter_map(table).collect()
}

/// Reads the body: one of `json`, `form`, `xml`, or none.
fn body(section: &mut Section<'_>, kind: RecordKind, tables: &CodeTables) -> Option<RecordBody> {
    let written: Vec<&str> = BODIES.into_iter().filter(|key| section.has(key)).collect();
    if written.len() > 1 {
        let wrong = format!("has several bodies, {}", listed(written));
        section.reject(&section.here(), Fault::new(wrong, "keep one of them"));
    }
    let read = |text: &str| RecordText::read(text, kind, tables);
    let json = section.text("json", "'{\"id\":\"${key}\"}'", |text| {
        read(text).and_then(|text| a_json(&text).map(|()| text))
    });
    let xml = section.text("xml", "'<rating id=\"${key}\"/>'", |text| {
        read(text).and_then(|text| an_xml(&text).map(|()| text))
    });
    let form = named(section, "form", "{ id = \"${key}\" }", |_, text| read(text));
    let body = json.map(|text| RecordBody::Json(text.value));
    let body = body.or_else(|| xml.map(|text| RecordBody::Xml(text.value)));
    let body = body.or_else(|| form.map(RecordBody::Form));
    let is_written = BODIES.iter().any(|key| section.has(key));
    body.or_else(|| (!is_written).then_some(RecordBody::Nothing))
}
