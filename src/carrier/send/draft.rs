//! A request in the making: its fields rendered, and not yet written as a URL and a body.

use super::values::Telling;
use super::{Bytes, HOST, HeaderMap, HeaderName, HeaderValue, Outgoing, Unsendable};
use crate::carrier::answer::json;
use crate::carrier::document::Pairs;
use crate::carrier::scope::Values;
use crate::carrier::template::{percent, render, render_escaped};
use crate::config::Sending;
use crate::config::dialect::{Place, SendBody, SortedOf, Source, Submission, Template, is_value};
use http::header::CONTENT_TYPE;
use http::{Method, Uri};
use std::borrow::Cow;

/// What stands where `${signature}` does.
#[derive(Clone, Copy)]
pub(super) enum Hole<'s> {
    /// Nothing yet: fields that hold it are left out.
    Open,
    /// This.
    Filled(&'s [u8]),
}

/// Names and values in order.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The body of a draft.
pub(super) enum DraftBody {
    Nothing,
    Form(Fields),
    Json(Vec<u8>),
}

/// A request in the making.
pub(super) struct Draft {
    pub(super) method: Method,
    /// The URL without a query.
    pub(super) url: Uri,
    pub(super) query: Fields,
    pub(super) headers: HeaderMap,
    pub(super) body: DraftBody,
}

impl Draft {
    pub(super) fn new(
        sending: &Sending,
        telling: &Telling<'_>,
        hole: Hole<'_>,
    ) -> Result<Draft, Unsendable> {
        let submission = &*sending.submission;
        let pen = Pen { telling, hole };
        let url = pen.url(&sending.url)?;
        let mut headers = HeaderMap::new();
        let host = url.authority().ok_or(Unsendable::Misfit)?.as_str();
        headers.insert(HOST, value(host.as_bytes())?);
        let (body, content_type) = match &submission.body {
            SendBody::Nothing => (DraftBody::Nothing, None),
            SendBody::Form(fields) => {
                (DraftBody::Form(pen.fields(fields)), Some("application/x-www-form-urlencoded"))
            }
            SendBody::Json(template) => {
                (DraftBody::Json(pen.json(template)), Some("application/json; charset=utf-8"))
            }
        };
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, template) in submission.headers.iter().filter(|(_, it)| pen.is_told(it)) {
            headers.insert(name.clone(), value(&pen.plain(template))?);
        }
        let query = pen.fields(&submission.query);
        Ok(Draft { method: submission.method.clone(), url, query, headers, body })
    }

    /// Adds a header made of these parts.
    pub(super) fn header(&mut self, name: HeaderName, parts: &[&[u8]]) -> Result<(), Unsendable> {
        let mut value = value(&parts.concat())?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// The fields of the form, or of the query where there is no form.
    pub(super) fn fields(&mut self) -> &mut Fields {
        match &mut self.body {
            DraftBody::Form(fields) => fields,
            DraftBody::Nothing | DraftBody::Json(_) => &mut self.query,
        }
    }

    /// The body as bytes.
    pub(super) fn body(&self) -> Vec<u8> {
        match &self.body {
            DraftBody::Nothing => Vec::new(),
            DraftBody::Form(fields) => encoded(fields).into_bytes(),
            DraftBody::Json(json) => json.clone(),
        }
    }

    /// Path and query.
    pub(super) fn target(&self) -> String {
        match self.query.is_empty() {
            true => self.url.path().to_owned(),
            false => format!("{}?{}", self.url.path(), encoded(&self.query)),
        }
    }

    pub(super) fn finish(self) -> Result<Outgoing, Unsendable> {
        let body = Bytes::from(self.body());
        let target = self.target();
        let mut parts = self.url.into_parts();
        parts.path_and_query = Some(target.parse().map_err(|_| Unsendable::Misfit)?);
        let url = Uri::from_parts(parts).map_err(|_| Unsendable::Misfit)?;
        Ok(Outgoing { method: self.method, url, headers: self.headers, body })
    }
}

/// Names and values as a query or form has them.
pub(super) fn encoded(fields: &Fields) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn value(bytes: &[u8]) -> Result<HeaderValue, Unsendable> {
    HeaderValue::from_bytes(bytes).map_err(|_| Unsendable::Misfit)
}

/// Writes templates.
struct Pen<'p> {
    telling: &'p Telling<'p>,
    hole: Hole<'p>,
}

impl Pen<'_> {
    /// Whether a template can be written yet.
    fn is_told(&self, template: &Template) -> bool {
        matches!(self.hole, Hole::Filled(_))
            || !template.sources().any(|source| is_value(source, Submission::SIGNATURE))
    }

    fn plain(&self, template: &Template) -> Vec<u8> {
        render(template, self, &self.telling.special())
    }

    /// The fields that are not empty.
    fn fields(&self, fields: &[(String, Template)]) -> Fields {
        let told = fields.iter().filter(|(_, template)| self.is_told(template));
        let rendered = told.map(|(name, it)| (name.as_bytes().to_vec(), self.plain(it)));
        rendered.filter(|(_, value)| !value.is_empty()).collect()
    }

    fn json(&self, template: &Template) -> Vec<u8> {
        render_escaped(template, self, &self.telling.special(), |source, value| {
            match is_value(source, "parameters") || is_value(source, "parameter_list") {
                true if value.is_empty() => b"null".to_vec(),
                true => value,
                false => json(&String::from_utf8_lossy(&value)).into_bytes(),
            }
        })
    }

    fn url(&self, template: &Template) -> Result<Uri, Unsendable> {
        let escaped = render_escaped(template, self, &self.telling.special(), |_, value| {
            percent(&value).into_bytes()
        });
        Uri::try_from(escaped).map_err(|_| Unsendable::Misfit)
    }
}

impl Values for Pen<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        match self.hole {
            Hole::Filled(signature) if is_value(source, Submission::SIGNATURE) => {
                Some(Cow::Borrowed(signature))
            }
            _ => self.telling.value(source),
        }
    }

    fn fields(&self, _: SortedOf) -> Option<Pairs<'_>> {
        None
    }
}

/// What a signature over a template can name: the message, and the request without its holes.
pub(super) struct Signed<'s> {
    pub(super) draft: &'s Draft,
    pub(super) telling: &'s Telling<'s>,
}

impl Values for Signed<'_> {
    fn value(&self, source: &Source) -> Option<Cow<'_, [u8]>> {
        let draft = self.draft;
        let field = |fields: &'_ Fields| {
            let name = source.path.join(".");
            let found = fields.iter().find(|(known, _)| *known == name.as_bytes());
            found.map(|(_, value)| Cow::Owned(value.clone()))
        };
        match &source.place {
            Place::Query => field(&draft.query),
            Place::Form => match &draft.body {
                DraftBody::Form(fields) => field(fields),
                DraftBody::Nothing | DraftBody::Json(_) => None,
            },
            Place::Header(name) => {
                draft.headers.get(name).map(|value| Cow::Borrowed(value.as_bytes()))
            }
            Place::Body => Some(Cow::Owned(draft.body())),
            Place::Method => Some(Cow::Borrowed(draft.method.as_str().as_bytes())),
            Place::Target => Some(Cow::Owned(draft.target().into_bytes())),
            Place::Url => {
                let (url, target) = (draft.url.to_string(), draft.target());
                let base = url.strip_suffix(draft.url.path()).unwrap_or(&url);
                Some(Cow::Owned(format!("{base}{target}").into_bytes()))
            }
            _ => self.telling.value(source),
        }
    }

    fn fields(&self, of: SortedOf) -> Option<Pairs<'_>> {
        let fields = match (of, &self.draft.body) {
            (SortedOf::Form | SortedOf::Document, DraftBody::Form(fields)) => fields,
            (SortedOf::Query, _) | (SortedOf::Document, DraftBody::Nothing) => &self.draft.query,
            (SortedOf::Form | SortedOf::Document, _) => return None,
        };
        let pair = |(name, value): &'_ (Vec<u8>, Vec<u8>)| {
            (Cow::Owned(name.clone()), Cow::Owned(value.clone()))
        };
        Some(fields.iter().map(pair).collect())
    }
}
