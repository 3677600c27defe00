//! Where in a request a value stands: `data.id`, `/eventType`, `query:menu`, `header:X-Sig#nonce`.

use http::HeaderName;
use std::fmt;

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// In which part of the request.
    pub place: Place,
    /// The way within that part: names, and numbers of array elements from 0.
    pub path: Vec<Segment>,
    /// The parameter within the value, `name="value"` or `name=value`, as headers have them.
    pub parameter: Option<String>,
}

/// A step of a way through a document.
pub type Segment = String;

/// A part of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The item that is being read.
    Item,
    /// The document that the item stands in: `/…`.
    Document,
    /// The query: `query:…`.
    Query,
    /// The form around a document within it: `form:…`.
    Form,
    /// The document around the one within it: `outer:…`.
    Outer,
    /// So many objects above the item: `../…`.
    Above(usize),
    /// The piece of the item that is being read: `each:`.
    Each,
    /// A header: `header:…`.
    Header(HeaderName),
    /// The whole body: `body:`.
    Body,
    /// The method: `method:`.
    Method,
    /// The route, without the account: `route:`.
    Route,
    /// Path and query as sent: `target:`.
    Target,
    /// The URL as the carrier knows it, with the query: `url:`.
    Url,
    /// In templates of signatures: a secret of the account.
    Secret,
    /// In templates of signatures: the account's user.
    User,
    /// In templates of signatures: the fields in order.
    Sorted,
    /// In templates of pairs: the field's name.
    Name,
    /// In templates of pairs: the field's value.
    Value,
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// It is empty.
    #[error("is empty; name a field, for example \"content\", \"data.id\" or \"query:menu\"")]
    Empty,
    /// A header's name is none.
    #[error("{0:?} is not a header's name; write for example \"header:X-Signature\"")]
    Header(String),
    /// A part that has no inner places is given one.
    #[error("`{0}:` has nothing within it; write just \"{0}:\"")]
    Whole(&'static str),
    /// A step is empty, as in `a..b`.
    #[error(
        "{0:?} has an empty step; write names with single dots between them, and `\\.` for a dot within one"
    )]
    Step(String),
}

impl Source {
    /// Reads a place.
    ///
    /// # Errors
    /// [`SourceFault`].
    pub fn read(text: &str) -> Result<Source, SourceFault> {
        let whole = |place: Place, name: &'static str, rest: &str| match rest {
            "" => Ok(Source { place, path: Vec::new(), parameter: None }),
            _ => Err(SourceFault::Whole(name)),
        };
        let within = |place: Place, rest: &str| {
            Ok(Source { place, path: read_path(rest)?, parameter: None })
        };
        match text.split_once(':') {
            Some(("query", name)) => named(Place::Query, name),
            Some(("form", name)) => named(Place::Form, name),
            Some(("header", rest)) => header(rest),
            Some(("outer", rest)) => within(Place::Outer, rest),
            Some(("each", rest)) => whole(Place::Each, "each", rest),
            Some(("body", rest)) => whole(Place::Body, "body", rest),
            Some(("method", rest)) => whole(Place::Method, "method", rest),
            Some(("route", rest)) => whole(Place::Route, "route", rest),
            Some(("target", rest)) => whole(Place::Target, "target", rest),
            Some(("url", rest)) => whole(Place::Url, "url", rest),
            _ if text.starts_with("../") => {
                let rest = text.trim_start_matches("../");
                within(Place::Above((text.len() - rest.len()) / 3), rest)
            }
            _ => match text.strip_prefix('/') {
                Some(rest) => within(Place::Document, rest),
                None => within(Place::Item, text),
            },
        }
    }

    /// The place itself, with nothing within it.
    #[must_use]
    pub fn of(place: Place) -> Source {
        Source { place, path: Vec::new(), parameter: None }
    }
}

/// A field of a form or query, whose whole name is one step.
fn named(place: Place, name: &str) -> Result<Source, SourceFault> {
    if name.is_empty() {
        return Err(SourceFault::Empty);
    }
    Ok(Source { place, path: vec![name.to_owned()], parameter: None })
}

fn header(rest: &str) -> Result<Source, SourceFault> {
    let (name, parameter) = match rest.split_once('#') {
        Some((name, parameter)) => (name, Some(parameter.to_owned())),
        None => (rest, None),
    };
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| SourceFault::Header(name.to_owned()))?;
    Ok(Source { place: Place::Header(header), path: Vec::new(), parameter })
}

/// Reads a way through a document: steps with dots between them; `\.` is a dot within a step.
///
/// # Errors
/// [`SourceFault`].
pub fn read_path(text: &str) -> Result<Vec<Segment>, SourceFault> {
    if text.is_empty() {
        return Err(SourceFault::Empty);
    }
    let mut path = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = path.len() - 1;
        match character {
            '\\' => path[last].push(characters.next().unwrap_or('\\')),
            '.' => path.push(String::new()),
            other => path[last].push(other),
        }
    }
    if path.iter().any(String::is_empty) {
        return Err(SourceFault::Step(text.to_owned()));
    }
    Ok(path)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Item => {}
            Place::Document => f.write_str("/")?,
            Place::Query => f.write_str("query:")?,
            Place::Form => f.write_str("form:")?,
            Place::Outer => f.write_str("outer:")?,
            Place::Above(levels) => f.write_str(&"../".repeat(*levels))?,
            Place::Each => f.write_str("each:")?,
            Place::Header(name) => write!(f, "header:{name}")?,
            Place::Body => f.write_str("body:")?,
            Place::Method => f.write_str("method:")?,
            Place::Route => f.write_str("route:")?,
            Place::Target => f.write_str("target:")?,
            Place::Url => f.write_str("url:")?,
            Place::Secret => f.write_str("secret")?,
            Place::User => f.write_str("user")?,
            Place::Sorted => f.write_str("sorted")?,
            Place::Name => f.write_str("name")?,
            Place::Value => f.write_str("value")?,
        }
        f.write_str(&self.path.join("."))?;
        match &self.parameter {
            Some(parameter) => write!(f, "#{parameter}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_request_can_be_named() {
        for text in [
            "content",
            "data.payload.to.0.phone_number",
            "/eventType",
            "query:menu",
            "form:seqid",
            "outer:data.id",
            "../code",
            "../../batch.id",
            "each:",
            "header:x-aksk#Nonce",
            "body:",
            "method:",
            "url:",
            "soap:Body.notify",
        ] {
            assert_eq!(Source::read(text).map(|source| source.to_string()), Ok(text.to_owned()));
        }
        let dotted = Source::read(r"a\.b.c").expect("a place");
        assert_eq!(dotted.path, ["a.b", "c"]);
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "",
            "/",
            "..",
            "../",
            "a..b",
            "each:x",
            "outer:",
            "header:",
            "header:a b",
            "body:x",
            "query:",
        ] {
            assert!(Source::read(text).is_err(), "{text}");
        }
    }
}
