//! What must be proven: the schemes of a route, any of which will do.

use super::super::{Auth, Check, Scheme, Source, TimeField};
use super::digest::{covers, digest};
use super::fields::Need;
use super::places::{Ground, Use};
use super::times::time;
use super::values::{any_text, flag, wrong_shape};
use crate::config::check::KEEPING;
use crate::config::problem::{Fault, one_of};
use crate::config::raw::{At, Section};
use http::header::AUTHORIZATION;
use std::time::Duration;

/// How far clocks may be apart where nothing is said.
const TOLERANCE: Duration = Duration::from_mins(5);

const SCHEMES: [&str; 8] =
    ["basic", "token", "digest", "jwt", "sdk-hmac-sha256", "twilio", "plivo-v2", "plivo-v3"];

/// The keys that only some schemes have, and those schemes.
const OWN: [(&str, &[&str]); 9] = [
    ("given", &["token", "digest", "jwt"]),
    ("prefix", &["token", "digest", "jwt"]),
    ("algorithm", &["digest"]),
    ("over", &["digest"]),
    ("written", &["digest"]),
    ("key", &["digest"]),
    ("sorted", &["digest"]),
    ("body_hash", &["jwt"]),
    ("url_hash", &["jwt"]),
];

/// The schemes that sign nothing, so that a time or a one-time value with them proves nothing.
const UNSIGNED: [&str; 2] = ["basic", "token"];

/// The schemes whose proof tells its time by itself.
const TIMED: [&str; 2] = ["jwt", "sdk-hmac-sha256"];

const RIGHT: &str = "write [auth] with a scheme, or auth = \"none\"";

/// Reads `auth`; a table without `scheme` changes its carrier's, one with it stands alone.
pub(super) fn auth(section: &mut Section<'_>, ground: &Ground) -> Option<Auth> {
    let Some(node) = section.node("auth") else { return Some(Auth::default()) };
    if node.value.as_str() == Some("none") {
        return Some(Auth::default());
    }
    if node.value.is_table() {
        let (scheme, optional) = section.table("auth", |section| {
            section.end_with("scheme");
            scheme(section, ground)
        });
        return Some(Auth { schemes: vec![scheme?], optional });
    }
    let Some(items) = node.items() else {
        wrong_shape(&node, "a table", RIGHT);
        return None;
    };
    let mut auth = Auth::default();
    let mut whole = true;
    for item in items {
        match item.section(|section| scheme(section, ground)) {
            Some((Some(scheme), optional)) => {
                auth.schemes.push(scheme);
                auth.optional |= optional;
            }
            Some((None, _)) => whole = false,
            None => {
                wrong_shape(&item, "a table", RIGHT);
                whole = false;
            }
        }
    }
    if whole && auth.schemes.is_empty() {
        node.reject(Fault::new("is empty", RIGHT));
    }
    (whole && !auth.schemes.is_empty()).then_some(auth)
}

fn scheme(section: &mut Section<'_>, ground: &Ground) -> (Option<Scheme>, bool) {
    let optional = flag(section, "optional");
    section.demand("scheme", "write scheme = \"digest\", or another of the schemes");
    let names = SCHEMES.map(|name| (name, name));
    let name = section.text("scheme", "\"digest\"", |name| one_of(name, "a scheme", &names));
    let Some(name) = name else {
        for key in ["user", "nonce", "time", "tolerance"].into_iter().chain(OWN.map(|(key, _)| key))
        {
            section.node(key);
        }
        return (None, optional);
    };
    refuse_strange(section, name.value);
    let place = |text: &str| ground.source(text, Use::Proof);
    let user = section.text("user", "\"header:X-App-Key\"", place);
    let nonce = section.text("nonce", "\"header:X-Nonce\"", place);
    let time = signed_time(section, ground, name.value);
    let tolerance = section.duration("tolerance", KEEPING);
    let Some(check) = check(section, ground, name.value) else { return (None, optional) };
    let scheme = Scheme {
        check,
        user: user.map(|user| user.value),
        time,
        tolerance: tolerance.map_or(TOLERANCE, |tolerance| tolerance.value),
        nonce: nonce.as_ref().map(|nonce| nonce.value.clone()),
    };
    warn_unproven(section, ground, &scheme, nonce.as_ref());
    (Some(scheme), optional)
}

/// Reports the keys that this scheme has no use for.
fn refuse_strange(section: &mut Section<'_>, scheme: &'static str) {
    for (key, schemes) in OWN.iter().filter(|(_, schemes)| !schemes.contains(&scheme)) {
        let right = format!("remove it; it belongs to the scheme `{}`", schemes.join("` or `"));
        section.refuse(key, || Fault::new(format!("`{scheme}` has no such part"), right));
    }
    if UNSIGNED.contains(&scheme) {
        for key in ["time", "tolerance", "nonce"] {
            let wrong = format!("proves nothing: `{scheme}` does not sign it");
            section.refuse(key, || Fault::new(wrong, "remove it, or use a scheme that signs"));
        }
    }
    if scheme == "basic" {
        let right = "remove it; the account's `user` is compared with the header's";
        section.refuse("user", || Fault::new("`basic` has its user in the header", right));
    }
}

fn signed_time(section: &mut Section<'_>, ground: &Ground, scheme: &str) -> Option<TimeField> {
    if section.has("time") {
        return time(section, ground, Need::Required);
    }
    section.node("time");
    if !TIMED.contains(&scheme) {
        let right = "add `time`, where the carrier's clock stands, or remove this";
        section.refuse("tolerance", || Fault::new("has no time to compare with ours", right));
    }
    None
}

fn check(section: &mut Section<'_>, ground: &Ground, name: &str) -> Option<Check> {
    Some(match name {
        "basic" => Check::Basic,
        "token" => {
            let (given, prefix) = bearer(section, ground)?;
            Check::Token { given, prefix }
        }
        "digest" => Check::Digest(digest(section, ground)?),
        "jwt" => {
            let (given, prefix) = bearer(section, ground)?;
            let body_hash = section.text("body_hash", "\"payload_hash\"", |it| Ok(it.to_owned()));
            let body_hash = body_hash.map_or_else(|| "payload_hash".to_owned(), |it| it.value);
            let url_hash = section.text("url_hash", "\"url_hash\"", |it| Ok(it.to_owned()));
            Check::Jwt { given, prefix, body_hash, url_hash: url_hash.map(|it| it.value) }
        }
        "sdk-hmac-sha256" => Check::SdkHmacSha256,
        "twilio" => Check::Twilio,
        "plivo-v2" => Check::PlivoV2,
        _ => Check::PlivoV3,
    })
}

/// Where a token stands, and what is in front of it: `Authorization: Bearer …` if nothing is said.
fn bearer(section: &mut Section<'_>, ground: &Ground) -> Option<(Source, String)> {
    let place = |text: &str| ground.source(text, Use::Proof);
    let given = section.text("given", "\"header:Authorization\"", place);
    let usual = !section.has("given");
    let prefix = match section.has("prefix") || !usual {
        true => any_text(section, "prefix", "\"Bearer \""),
        false => {
            section.node("prefix");
            "Bearer ".to_owned()
        }
    };
    match given {
        Some(given) => Some((given.value, prefix)),
        None if usual => {
            let authorization = super::super::Place::Header(AUTHORIZATION);
            Some((Source::of(authorization), prefix))
        }
        None => None,
    }
}

/// Warns of a time or one-time value that the signature does not cover, and of a one-time value
/// that nothing needs.
fn warn_unproven(
    section: &Section<'_>,
    ground: &Ground,
    scheme: &Scheme,
    nonce: Option<&At<Source>>,
) {
    if let Some(nonce) = nonce
        && scheme.trust(&ground.formats) == super::super::Trust::SignedBody
    {
        let wrong = "is not needed: the signature covers what is said";
        let right = "remove it; a repeat is recognised by what it says";
        section.warn(nonce, Fault::new(wrong, right));
    }
    let Check::Digest(digest) = &scheme.check else { return };
    if let Some(nonce) = nonce
        && !covers(digest, &nonce.value, ground)
    {
        let wrong = format!("`{}` is not signed, so anybody can change it", nonce.value);
        section.warn(nonce, Fault::new(wrong, "put it into `over` if the carrier signs it"));
    }
    let times = scheme.time.as_ref().map(|time| super::events::places_of(&time.field));
    if let Some(time) = times.unwrap_or_default().iter().find(|time| !covers(digest, time, ground))
    {
        let wrong = format!("the time `{time}` is not signed, so anybody can change it");
        let here = section.here();
        section.warn(&here, Fault::new(wrong, "put it into `over` if the carrier signs it"));
    }
}
