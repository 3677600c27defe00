//! Digests, HMACs and signatures: what they are over, and with which keys.

use super::super::{Algorithm, Digest, Place, Sorted, SortedOf, Source, Template, Written};
use super::places::{Ground, Use};
use super::values::{any_text, flag, map, texts, wrong_shape};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::{At, Section};

const WRITTEN: [(&str, Written); 2] = [("hex", Written::Hex), ("base64", Written::Base64)];

const KEYS: [(&str, Written); 3] =
    [("plain", Written::Plain), ("hex", Written::Hex), ("base64", Written::Base64)];

const SORTED_OF: [(&str, SortedOf); 3] =
    [("query", SortedOf::Query), ("form", SortedOf::Form), ("document", SortedOf::Document)];

/// Reads the keys of the scheme `digest` of a carrier's requests.
pub(super) fn digest(section: &mut Section<'_>, ground: &Ground) -> Option<Digest> {
    section.demand("given", "say where the signature stands, given = \"header:X-Signature\"");
    let given =
        section.text("given", "\"header:X-Signature\"", |text| ground.source(text, Use::Proof));
    let digest = keys(section, ground, given.as_ref());
    Some(Digest { given: given?.value, ..digest? })
}

/// Reads the keys of the scheme `digest` of our requests, whose templates say where it goes.
pub(super) fn of_ours(section: &mut Section<'_>) -> Option<Digest> {
    keys(section, &Ground::default(), None)
}

fn keys(section: &mut Section<'_>, ground: &Ground, given: Option<&At<Source>>) -> Option<Digest> {
    section.demand("algorithm", "write algorithm = \"hmac-sha256\", or another");
    section.demand("over", "say what is signed, over = \"${header:X-Time}${body:}\"");
    let algorithms = texts(section, "algorithm", "\"hmac-sha256\"", |name| {
        one_of(name, "an algorithm", &Algorithm::NAMES)
    });
    let over = section
        .text("over", "\"${header:X-Time}${body:}\"", |text| ground.template(text, Use::Proof));
    let prefix = any_text(section, "prefix", "\"sha256=\"");
    let written = section
        .text("written", "\"hex\"", |name| one_of(name, "how a signature is written", &WRITTEN));
    let key = section.text("key", "\"base64\"", |name| one_of(name, "how a key is written", &KEYS));
    let sorted = sorted(section);
    let (algorithms, over) = (algorithms?, over?);
    check_secret(section, &algorithms, &over);
    check_sorted(section, &over, sorted.as_ref(), given);
    let key = key.map_or(Written::Plain, |key| key.value);
    if algorithms.value.contains(&Algorithm::Ed25519) && key == Written::Plain {
        let wrong = "an Ed25519 public key is 32 bytes, which no text file holds as they are";
        section.reject(&algorithms, Fault::new(wrong, "add key = \"base64\" or key = \"hex\""));
    }
    Some(Digest {
        algorithms: algorithms.value,
        over: over.value,
        given: Source::of(Place::Item),
        prefix,
        written: written.map_or(Written::Hex, |written| written.value),
        sorted: sorted.map(|sorted| sorted.value),
        key,
    })
}

/// Without a key, a digest proves something only with the secret in it; with one, the secret has
/// no business there.
fn check_secret(section: &Section<'_>, algorithms: &At<Vec<Algorithm>>, over: &At<Template>) {
    let named = over.value.sources().any(|source| source.place == Place::Secret);
    let keyed = |algorithm: &&Algorithm| algorithm.is_keyed();
    if !named && algorithms.value.iter().any(|algorithm| !algorithm.is_keyed()) {
        let wrong = "has no ${secret}, so anybody could make this digest";
        let right = "put ${secret} where the carrier puts the key, or use an `hmac-…` algorithm";
        section.reject(over, Fault::new(wrong, right));
    }
    if named && algorithms.value.iter().all(|algorithm| keyed(&algorithm)) {
        let wrong = "has ${secret}, which is the key already";
        let right = "remove it, unless the carrier really signs its own key";
        section.warn(over, Fault::new(wrong, right));
    }
}

fn check_sorted(
    section: &Section<'_>,
    over: &At<Template>,
    sorted: Option<&At<Sorted>>,
    given: Option<&At<Source>>,
) {
    let named = over.value.sources().any(|source| source.place == Place::Sorted);
    match sorted {
        None if named && !section.has("sorted") => {
            let right = "add sorted = { of = \"document\", except = [\"sign\"] }";
            section.reject(over, Fault::new("has ${sorted}, and no `sorted` says of what", right));
        }
        Some(sorted) if !named => {
            let right = "put ${sorted} where the fields in order stand, or remove this";
            section.reject(sorted, Fault::new("is not used: `over` has no ${sorted}", right));
        }
        Some(sorted) => {
            let own = given.and_then(|given| of(&sorted.value, &given.value));
            let own = own.filter(|own| !sorted.value.except.contains(own));
            if let Some(own) = own {
                let wrong = format!("would sign the signature `{own}` itself");
                section.reject(sorted, Fault::new(wrong, format!("add except = [\"{own}\"]")));
            }
        }
        None => {}
    }
}

/// The name of a field as it stands among the sorted ones, if it does.
fn of(sorted: &Sorted, source: &Source) -> Option<String> {
    let there = match sorted.of {
        SortedOf::Query => source.place == Place::Query,
        SortedOf::Form => source.place == Place::Form,
        SortedOf::Document => matches!(source.place, Place::Item | Place::Document),
    };
    match source.path.as_slice() {
        [name] if there => Some(name.clone()),
        _ => None,
    }
}

/// Whether a change of this value would be noticed.
pub(super) fn covers(digest: &Digest, source: &Source) -> bool {
    let of_body = matches!(source.place, Place::Item | Place::Document | Place::Form | Place::Body);
    let of_url = source.place == Place::Query;
    let in_document = |it: &Source| matches!(it.place, Place::Item | Place::Document);
    digest.over.sources().any(|signed| {
        signed == source
            || match signed.place {
                Place::Body => of_body,
                Place::Url | Place::Target => of_url,
                Place::Sorted => digest.sorted.as_ref().is_some_and(|it| of(it, source).is_some()),
                // The same place, written otherwise.
                _ => in_document(signed) && in_document(source) && signed.path == source.path,
            }
    })
}

fn sorted(section: &mut Section<'_>) -> Option<At<Sorted>> {
    let node = section.node("sorted")?;
    if !node.value.is_table() {
        wrong_shape(&node, "a table", "write sorted = { of = \"document\", except = [\"sign\"] }");
        return None;
    }
    let sorted = section.table("sorted", |section| {
        let of = section
            .text("of", "\"document\"", |name| one_of(name, "where fields are sorted", &SORTED_OF));
        let except = texts(section, "except", "[\"sign\"]", |name| Ok(name.to_owned()));
        let pair = section.text("pair", "\"${name}=${value}\"", pair);
        let join = section.text("join", "\"&\"", |text| Ok(text.to_owned()));
        let fallback = pair_of_name_and_value();
        Some(Sorted {
            of: of.map_or(SortedOf::Document, |of| of.value),
            except: except.map(|except| except.value).unwrap_or_default(),
            pair: pair.map_or(fallback, |pair| pair.value),
            join: join.map_or_else(|| "&".to_owned(), |join| join.value),
            skip_empty: flag(section, "skip_empty"),
            replace: map(section, "replace"),
        })
    })?;
    Some(node.at(sorted))
}

fn pair(text: &str) -> Result<Template, Fault> {
    let template = Ground::default().template(text, Use::Pair)?;
    let varies = template.sources().any(|source| source.place == Place::Value);
    match varies {
        true => Ok(template),
        false => Err(Fault::new("has no ${value}", "write \"${name}=${value}\" or \"${value}\"")),
    }
}

fn pair_of_name_and_value() -> Template {
    let value = |place| super::super::Piece::Value(Source::of(place), Vec::new());
    let equals = super::super::Piece::Literal("=".to_owned());
    Template { pieces: vec![value(Place::Name), equals, value(Place::Value)] }
}
