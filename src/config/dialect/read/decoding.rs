//! From the bytes of a value to its text: `"base64 gbk"`, by a code, or by a charset's name.

use super::super::{Charset, Decode, Decoding, Step};
use super::places::{Ground, Use};
use super::values::{texts, wrong_shape};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::{At, Section};
use crate::config::values::text;
use std::collections::BTreeMap;

const STEPS: [(&str, Step); 4] = [
    ("percent", Step::Percent),
    ("form", Step::Form),
    ("hex", Step::Hex),
    ("base64", Step::Base64),
];

const EXAMPLE: &str = "\"base64 gbk\"";

/// Reads `decode`, `decode_by` and `charset_from` of a field's table.
pub(super) fn decoding(section: &mut Section<'_>, ground: &Ground) -> Option<Decoding> {
    let place = |text: &str| ground.source(text, Use::Event);
    let code = section.text("decode_by", "\"coding\"", place);
    let charset = section.text("charset_from", "\"charset\"", place);
    if let (Some(code), Some(_)) = (&code, &charset) {
        let wrong = "names a code, and `charset_from` a charset";
        section.reject(code, Fault::new(wrong, "keep one of `decode_by` and `charset_from`"));
    }
    if let Some(code) = code {
        section.demand("decode", "write decode = { \"8\" = \"utf-16be\", other = \"utf-8\" }");
        return by_code(section, &code);
    }
    if let Some(charset) = charset {
        let steps = section.text("decode", "\"base64\"", steps);
        return Some(Decoding::ByName {
            charset: charset.value,
            steps: steps.map(|steps| steps.value).unwrap_or_default(),
        });
    }
    if section.has("decode_by") || section.has("charset_from") {
        section.node("decode");
        return None;
    }
    let node = section.node("decode");
    if let Some(table) = node.as_ref().filter(|node| node.value.is_table()) {
        let right = "name the code's field with `decode_by`, or write one decoding, \"base64 gbk\"";
        table.reject(Fault::new("holds decodings by a code, and no `decode_by` names it", right));
        return None;
    }
    let always = section.text("decode", EXAMPLE, decode);
    Some(Decoding::Always(always.map(|decode| decode.value).unwrap_or_default()))
}

fn by_code(section: &mut Section<'_>, code: &At<super::super::Source>) -> Option<Decoding> {
    let node = section.node("decode")?;
    let Some(entries) = node.entries() else {
        let right = "write decode = { \"8\" = \"utf-16be\", other = \"utf-8\" }";
        wrong_shape(&node, "a table by code", right);
        return None;
    };
    let mut by = BTreeMap::new();
    for (name, node) in entries {
        match text(node.value, EXAMPLE).and_then(decode) {
            Ok(decode) => drop(by.insert(name.to_owned(), decode)),
            Err(fault) => node.reject(fault),
        }
    }
    let other = by.remove("other");
    Some(Decoding::ByCode { code: code.value.clone(), by, other })
}

/// Reads steps and then, maybe, a charset.
fn decode(text: &str) -> Result<Decode, Fault> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let charset = words.last().and_then(|last| Charset::named(last));
    if charset.is_some() {
        words.pop();
    }
    let step = |word: &&str| match Charset::named(word) {
        Some(_) => Err(Fault::new(
            format!("`{word}` is a charset and does not come last"),
            "write the steps first, then the charset: \"base64 gbk\"",
        )),
        None => one_of(word, "a step or a charset", &steps_and_charsets()),
    };
    let steps: Result<Vec<Option<Step>>, Fault> = words.iter().map(step).collect();
    Ok(Decode { steps: steps?.into_iter().flatten().collect(), charset })
}

fn steps_and_charsets() -> Vec<(&'static str, Option<Step>)> {
    let steps = STEPS.iter().map(|(name, step)| (*name, Some(*step)));
    steps.chain(Charset::NAMES.iter().map(|(name, _)| (*name, None))).collect()
}

/// Reads steps alone.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, Fault> {
    text.split_whitespace().map(|word| one_of(word, "a step", &STEPS)).collect()
}

/// Reads a charset.
pub(super) fn charset(section: &mut Section<'_>, key: &'static str) -> Option<Charset> {
    let charset = section.text(key, "\"gbk\"", |name| match Charset::named(name) {
        Some(charset) => Ok(charset),
        None => one_of(name, "a charset", &Charset::NAMES),
    });
    charset.map(|charset| charset.value)
}

/// Reads the decodings to try of a document within a field.
pub(super) fn attempts(section: &mut Section<'_>) -> Vec<Vec<Step>> {
    let attempts = texts(section, "decode", "[\"\", \"base64\"]", steps);
    attempts.map_or_else(|| vec![Vec::new()], |attempts| attempts.value)
}
