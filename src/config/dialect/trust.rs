//! How far a request may be trusted: what proves that its carrier sent it, and what of it is proven.

use super::{
    Check, Dialect, Digest, Filter, Format, Piece, Place, Route, Scheme, Sorted, SortedOf,
};

/// What proves that a request comes from the carrier; more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Nothing. Operators rely on address lists, client certificates and a name nobody guesses.
    Nothing,
    /// A password or token that travels with the request.
    Credentials,
    /// A signature that does not cover what was said.
    Signature,
    /// A signature over everything that was said.
    SignedBody,
}

impl Trust {
    /// As documentation and lists show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Trust::Nothing => "none",
            Trust::Credentials => "credentials",
            Trust::Signature => "signature, not over the content",
            Trust::SignedBody => "signed content",
        }
    }
}

impl Dialect {
    /// How far a request of it may be trusted at least, over all routes that yield answers of
    /// citizens.
    #[must_use]
    pub fn trust(&self) -> Trust {
        let heard = self.routes.iter().filter(|route| route.hears_citizens());
        heard.map(Route::trust).min().unwrap_or(Trust::Nothing)
    }
}

impl Route {
    /// How far a request to this route may be trusted at least.
    #[must_use]
    pub fn trust(&self) -> Trust {
        if self.auth.optional {
            return Trust::Nothing;
        }
        let trusted = self.auth.schemes.iter().map(|scheme| scheme.trust(&self.formats));
        trusted.min().unwrap_or(Trust::Nothing)
    }
}

impl Scheme {
    /// How far this scheme may be trusted with requests of these formats.
    #[must_use]
    pub fn trust(&self, formats: &[Format]) -> Trust {
        match &self.check {
            Check::Basic | Check::Token { .. } => Trust::Credentials,
            _ if formats.iter().all(|format| self.covers(*format)) => Trust::SignedBody,
            _ => Trust::Signature,
        }
    }

    /// Whether a change of what was said in this format would be noticed.
    fn covers(&self, format: Format) -> bool {
        match &self.check {
            Check::SdkHmacSha256 | Check::Twilio | Check::PlivoV3 => true,
            Check::Jwt { url_hash, .. } => format != Format::Query || url_hash.is_some(),
            Check::Digest(digest) => digest.covers(format),
            Check::Basic | Check::Token { .. } | Check::PlivoV2 => false,
        }
    }
}

impl Digest {
    fn covers(&self, format: Format) -> bool {
        self.over.pieces.iter().any(|piece| match piece {
            Piece::Literal(_) => false,
            Piece::Value(source, filters) => match source.place {
                Place::Body => format != Format::Query,
                Place::Url | Place::Target => {
                    format == Format::Query && !filters.contains(&Filter::Path)
                }
                Place::Sorted => self.sorted.as_ref().is_some_and(|it| it.covers(format)),
                _ => false,
            },
        })
    }
}

impl Sorted {
    /// Values in order are those that are named, never all that is said.
    fn covers(&self, format: Format) -> bool {
        self.values.is_empty() && self.of.covers(format)
    }
}

impl SortedOf {
    fn covers(self, format: Format) -> bool {
        match self {
            SortedOf::Query => format == Format::Query,
            SortedOf::Form => matches!(format, Format::Form | Format::Multipart),
            SortedOf::Document => format != Format::Text,
        }
    }
}
