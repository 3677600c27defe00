//! Texts with places of the request in them: `${form:seqid}`, `${body:|md5|hex}`.

use super::source::{Place, Source, SourceFault};

/// A text with values in it.
///
/// `secret`, `user`, `sorted`, `name` and `value` have a meaning of their own; a field of such a
/// name is written `/name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// What it is made of, in order.
    pub pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Literal(String),
    /// A value, passed through filters in order.
    Value(Source, Vec<Filter>),
}

/// What is done to a value within a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// The 16 bytes of its MD5.
    Md5,
    /// The 20 bytes of its SHA-1.
    Sha1,
    /// The 32 bytes of its SHA-256.
    Sha256,
    /// The 64 bytes of its SHA-512.
    Sha512,
    /// The 32 bytes of its SM3.
    Sm3,
    /// Lower-case hexadecimal digits.
    Hex,
    /// Base64, padded.
    Base64,
    /// The bytes of Base64.
    Unbase64,
    /// Upper case, of ASCII letters.
    Upper,
    /// Lower case, of ASCII letters.
    Lower,
    /// Percent-encoded as in a URL: all but letters, digits and `-._~`.
    Percent,
    /// Without the query: up to the first `?`.
    Path,
    /// The bytes of a UTF-8 text in GB 18030.
    Gb18030,
    /// The bytes of a UTF-8 text in UTF-16, big end first.
    Utf16Be,
}

impl Filter {
    /// All of them, with their names.
    pub const NAMES: [(&'static str, Filter); 14] = [
        ("md5", Filter::Md5),
        ("sha1", Filter::Sha1),
        ("sha256", Filter::Sha256),
        ("sha512", Filter::Sha512),
        ("sm3", Filter::Sm3),
        ("hex", Filter::Hex),
        ("base64", Filter::Base64),
        ("unbase64", Filter::Unbase64),
        ("upper", Filter::Upper),
        ("lower", Filter::Lower),
        ("percent", Filter::Percent),
        ("path", Filter::Path),
        ("gb18030", Filter::Gb18030),
        ("utf-16be", Filter::Utf16Be),
    ];
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// `${` without `}`.
    #[error(
        "`${{` at character {0} is never closed; write ${{field}}, or $${{ for the characters themselves"
    )]
    Open(usize),
    /// What stands within is no place.
    #[error("`${{{place}}}` {fault}")]
    Place {
        /// The place as written.
        place: String,
        /// What is wrong with it.
        fault: SourceFault,
    },
    /// There is no such filter.
    #[error("there is no filter `{name}`; the filters are {}", Filter::NAMES.map(|(name, _)| name).join(", "))]
    Filter {
        /// What was written.
        name: String,
    },
}

impl Template {
    /// Reads a template; `$${` stands for `${` itself.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn read(text: &str) -> Result<Template, TemplateFault> {
        let piece = |(part, is_value): (String, bool)| match is_value {
            true => value(&part),
            false => Ok(Piece::Literal(part)),
        };
        Ok(Template { pieces: parts(text)?.into_iter().map(piece).collect::<Result<_, _>>()? })
    }

    /// A text without values.
    #[must_use]
    pub fn literal(text: &str) -> Template {
        let pieces = match text {
            "" => Vec::new(),
            text => vec![Piece::Literal(text.to_owned())],
        };
        Template { pieces }
    }

    /// The places it names.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(source, _) => Some(source),
            Piece::Literal(_) => None,
        })
    }
}

/// What a text is made of, in order: literals, and what stands between `${` and `}`, which is told
/// by `true`. `$${` stands for `${` itself.
///
/// # Errors
/// [`TemplateFault::Open`].
pub(in crate::config) fn parts(text: &str) -> Result<Vec<(String, bool)>, TemplateFault> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            literal.push_str(&rest[..at]);
            literal.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        literal.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let open = text[..text.len() - rest.len() + at].chars().count();
        let end = after.find('}').ok_or(TemplateFault::Open(open))?;
        if !literal.is_empty() {
            parts.push((std::mem::take(&mut literal), false));
        }
        parts.push((after[..end].to_owned(), true));
        rest = &after[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push((literal, false));
    }
    Ok(parts)
}

fn value(text: &str) -> Result<Piece, TemplateFault> {
    let mut parts = text.split('|');
    let place = parts.next().unwrap_or_default().trim();
    let source = match place {
        "secret" => Source::of(Place::Secret),
        "user" => Source::of(Place::User),
        "sorted" => Source::of(Place::Sorted),
        "name" => Source::of(Place::Name),
        "value" => Source::of(Place::Value),
        place => Source::read(place)
            .map_err(|fault| TemplateFault::Place { place: place.to_owned(), fault })?,
    };
    let filter = |name: &str| {
        let known = Filter::NAMES.iter().find(|(known, _)| *known == name.trim());
        known
            .map(|(_, filter)| *filter)
            .ok_or_else(|| TemplateFault::Filter { name: name.trim().to_owned() })
    };
    Ok(Piece::Value(source, parts.map(filter).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_texts_alternate() {
        let template =
            Template::read("a${secret}${body:|md5|hex}{\"b\":$${c}}").expect("a template");
        assert_eq!(
            template.pieces,
            [
                Piece::Literal("a".into()),
                Piece::Value(Source::of(Place::Secret), vec![]),
                Piece::Value(Source::of(Place::Body), vec![Filter::Md5, Filter::Hex]),
                Piece::Literal("{\"b\":${c}}".into()),
            ]
        );
    }

    #[test]
    fn a_fault_says_what_would_be_right() {
        assert_eq!(Template::read("满${x"), Err(TemplateFault::Open(1)));
        let filter = Template::read("${x|md6}").expect_err("no such filter").to_string();
        assert!(filter.contains("`md6`; the filters are md5, sha1"), "{filter}");
        let place = Template::read("${}").expect_err("no place").to_string();
        assert!(place.starts_with("`${}` is empty; name a field"), "{place}");
    }
}
