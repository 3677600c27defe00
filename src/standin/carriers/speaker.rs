//! Speaks any dialect as its carrier would: the inverse of [`crate::carrier`], from what is said to
//! the request that says it.

mod charset;
mod layout;
mod proof;
mod request;
mod rule;
#[cfg(test)]
mod tests;
mod tree;

pub use proof::{KeyPair, is_asymmetric};

use crate::carrier::{self, Answer, Call, Reply};
use crate::config::Account;
use crate::config::dialect::{EventRule, Format, InsideFormat, Route, RuleKind, Source, Transport};
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use layout::Layout;
use std::time::Duration;

/// A carrier that calls one account.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// The account, whose dialect is all that is known of the carrier.
    pub account: &'a Account,
    /// The gateway as carriers know it, before the path, where the account says nothing else: some
    /// sign it.
    pub external_url: &'a str,
    /// What signs where the account's secrets are only the public half of it.
    pub keys: Option<&'a KeyPair>,
}

/// A kind of event in one form that the dialect reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way<'a> {
    /// The address that is called.
    pub route: &'a Route,
    /// The rule by which it is to be read.
    pub rule: &'a EventRule,
    /// The method.
    pub method: Method,
    /// Where the fields stand.
    pub format: Format,
    /// For a document within a form field: which of the packings that are tried. `None`: the
    /// document stands alone.
    pub packing: Option<usize>,
}

/// What a carrier has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    /// The citizen's number, in the form in which it is to be written.
    pub caller: &'a str,
    /// The service code or hotline number.
    pub service: &'a str,
    /// The carrier's id of the message or call; also what is good for once, where that is signed.
    pub id: &'a str,
    /// The id of the call, where `id` is another one.
    pub call: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// What we once gave the carrier.
    pub pass_through: &'a str,
    /// Text, keys, the address of a recording, or the carrier's word for a state, by the rule's
    /// kind.
    pub content: &'a str,
}

/// A request as the carrier sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The whole URL as the carrier knows it.
    pub url: String,
    /// The headers, without those of the connection.
    pub headers: HeaderMap,
    /// The body; for a link, one text frame.
    pub body: Bytes,
}

/// Why something cannot be said in this way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unspoken {
    /// There is no such place in a request of this form.
    #[error("a request of this form has no place `{0}`; say it in another way")]
    NoPlace(Source),
    /// Something else stands there already.
    #[error("`{0}` would have to hold two values; the rule reads only one of them")]
    Taken(Source),
    /// No encoding of the field carries these characters.
    #[error("`{0}` cannot carry this text in any of its encodings; say something simpler")]
    Characters(Source),
    /// The field's map, prefixes or template yield no such value.
    #[error("no value of `{0}` would be read as what is said; say one of its own words")]
    Meaning(Source),
    /// A condition of the rule does not hold for what is said.
    #[error("`{0}` would not be as the rule's `when` wants it; say something else")]
    Condition(Source),
    /// Another rule would take it.
    #[error("an earlier rule would read it; say it in another way")]
    Shadowed,
    /// A delimiter stands within a value.
    #[error("the text holds a delimiter of the records; say it without")]
    Delimiter,
    /// Every byte is a character where the content stands, or there is no content.
    #[error("every byte can be decoded there; no content is bad")]
    Undecodable,
    /// The account has no secret to sign with.
    #[error("the account has no secret to sign with; give it one in its `secrets`")]
    NoSecret,
    /// The account's secrets are public keys, and not of the pair at hand.
    #[error("the account trusts public keys of others; let it trust {public}")]
    NoPrivateKey {
        /// The public key of the pair at hand, as the account's secret has to be written.
        public: String,
    },
    /// The account's secrets are public keys, and there is no pair at hand.
    #[error("the account trusts public keys, and there is no private one to sign with")]
    NoPair,
    /// The secret is no key of the scheme.
    #[error("the account's first secret is no key of its scheme; compare it with the carrier's")]
    NoKey,
}

impl<'a> Speaker<'a> {
    /// All ways in which this carrier can say something: every rule that yields events, in every
    /// form in which it would be read.
    #[must_use]
    pub fn ways(&self) -> Vec<Way<'a>> {
        let said = Said {
            caller: "13900000000",
            service: "8890",
            id: "1",
            call: "2",
            at: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(500_000),
            pass_through: "3",
            content: "1",
        };
        let mut ways = Vec::new();
        for route in &self.account.dialect.routes {
            let heard = route.events.iter().filter(|rule| rule.kind != RuleKind::Ignored);
            for way in heard.flat_map(|rule| self.manners(route, rule)) {
                let content = way.words().first().copied().unwrap_or(said.content);
                let laid = self.lay(&way, &Said { content, ..said });
                if laid.and_then(|layout| self.request(&layout)).is_ok() {
                    ways.push(way);
                }
            }
        }
        ways
    }

    /// Methods, formats and packings that the route knows.
    fn manners(&self, route: &'a Route, rule: &'a EventRule) -> Vec<Way<'a>> {
        let is_link = self.account.dialect.transport == Transport::WebSocket;
        let only_query = route.formats.iter().all(|format| *format == Format::Query);
        let packings = route.inside.as_ref().map(|inside| {
            // Only these show which packing was right, so that others are tried.
            let shown = matches!(inside.format, InsideFormat::Json | InsideFormat::Xml);
            let packed = if shown { inside.decode.len().max(1) } else { 1 };
            (0..packed).map(Some).chain(inside.optional.then_some(None)).collect::<Vec<_>>()
        });
        let mut ways = Vec::new();
        for method in &route.methods {
            let bodiless = [Method::GET, Method::HEAD].contains(method) && !is_link || only_query;
            let fits = |format: &&Format| (**format == Format::Query) == bodiless;
            for format in route.formats.iter().filter(fits) {
                let around = matches!(format, Format::Query | Format::Form | Format::Multipart);
                let packings = packings.as_ref().filter(|_| around);
                for packing in packings.map_or(&[None][..], Vec::as_slice) {
                    let (method, format, packing) = (method.clone(), *format, *packing);
                    ways.push(Way { route, rule, method, format, packing });
                }
            }
        }
        ways
    }

    /// The request that says this, signed at `now` by the first scheme of the route.
    ///
    /// # Errors
    /// Why it cannot be said in this way.
    pub fn say(&self, way: &Way<'_>, said: &Said<'_>, now: Timestamp) -> Result<Spoken, Unspoken> {
        self.sign(self.lay(way, said)?, said.id, now)
    }

    /// The same with bytes for content that nothing decodes.
    ///
    /// # Errors
    /// As of [`Speaker::say`]; where all bytes are characters, there are none that do not decode.
    pub fn say_undecodable(
        &self,
        way: &Way<'_>,
        said: &Said<'_>,
        now: Timestamp,
    ) -> Result<Spoken, Unspoken> {
        let mut layout = Layout::new(way);
        rule::break_content(&mut layout)?;
        rule::lay(&mut layout, self.account, said)?;
        self.sign(layout, said.id, now)
    }

    /// How far from the gateway's clock a request to this route may be signed; `None` if what
    /// proves it tells no time.
    #[must_use]
    pub fn tolerance(&self, route: &Route) -> Option<Duration> {
        let (scheme, _) = proof::signing(self, route).ok()??;
        let own = self.account.tolerance.unwrap_or(scheme.tolerance);
        proof::tells_time(scheme).then_some(own)
    }

    fn sign(&self, mut layout: Layout<'_>, once: &str, now: Timestamp) -> Result<Spoken, Unspoken> {
        let route = layout.way.route;
        let Some((scheme, secret)) = proof::signing(self, route)? else {
            return self.request(&layout);
        };
        proof::prepare(&mut layout, scheme, self.account, once, now)?;
        let unsigned = self.request(&layout)?;
        let user = self.account.user.as_deref().or(Some(proof::USER));
        let proof = carrier::sign(scheme, &secret, user, &unsigned.call(route), now)
            .ok_or(Unspoken::NoKey)?;
        layout.put(&[], &proof.place, proof.value)?;
        self.request(&layout)
    }

    /// What is said, at its places.
    fn lay<'w>(&self, way: &'w Way<'w>, said: &Said<'_>) -> Result<Layout<'w>, Unspoken> {
        let mut layout = Layout::new(way);
        rule::lay(&mut layout, self.account, said)?;
        Ok(layout)
    }

    fn request(&self, layout: &Layout<'_>) -> Result<Spoken, Unspoken> {
        request::request(layout, &self.account.access, self.external_url)
    }
}

impl Way<'_> {
    /// The carrier's words for states, of those that this rule reads; empty for kinds without
    /// states.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        rule::words(self.rule)
    }
}

impl Spoken {
    /// As the gateway sees it.
    #[must_use]
    pub fn call<'c>(&'c self, route: &'c Route) -> Call<'c> {
        Call {
            method: &self.method,
            route,
            target: &self.target,
            query: self.target.split_once('?').map_or("", |(_, query)| query),
            url: &self.url,
            headers: &self.headers,
            body: &self.body,
        }
    }

    /// What the carrier takes for success.
    #[must_use]
    pub fn accepted(&self, route: &Route) -> Reply {
        carrier::answer(&self.call(route), &Answer::Accepted)
    }
}
