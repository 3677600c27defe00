//! Fields: one place, several of which the first counts, or a table that says more.

use super::super::{CallerField, Decoding, Field, Origin, StateField};
use super::decoding::decoding;
use super::places::{Ground, Use};
use super::values::{map, named, texts, texts_of, wrong_shape};
use crate::config::problem::{Fault, one_of};
use crate::config::raw::Section;
use std::collections::BTreeMap;

/// Whether a field that is configured must be in the item, where its table does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Without it the item is garbled.
    Required,
    /// It may be missing.
    Optional,
}

const PLACE: &str = "\"content\"";

/// A field whose values may mean others.
pub(super) fn field(
    section: &mut Section<'_>,
    key: &'static str,
    ground: &Ground,
    need: Need,
) -> Option<Field> {
    let (field, map) = shaped(section, key, ground, need, |table| map(table, "map"))?;
    Some(Field { map: map.unwrap_or_default(), ..field })
}

/// The citizen's number.
pub(super) fn caller(section: &mut Section<'_>, ground: &Ground) -> Option<CallerField> {
    let (field, rest) = shaped(section, "caller", ground, Need::Required, |table| {
        let place = |text: &str| ground.source(text, Use::Event);
        (map(table, "map"), table.text("country", "\"nationcode\"", place))
    })?;
    let (map, country) = rest.unwrap_or_default();
    Some(CallerField {
        number: Field { map, ..field },
        country: country.map(|country| country.value),
    })
}

/// A state: a word of the carrier's, and what the words mean.
pub(super) fn state<T: Copy>(
    section: &mut Section<'_>,
    ground: &Ground,
    states: &[(&'static str, T)],
    raw: Option<Field>,
) -> Option<StateField<T>> {
    let example = format!("{{ \"0\" = \"{}\" }}", states.first()?.0);
    let meaning = |text: &str| one_of(text, "a state", states);
    let read = shaped(section, "state", ground, Need::Required, |table| {
        let map = named(table, "map", &example, |_, state| meaning(state));
        let other = table.text("other", "\"failed\"", meaning);
        (map, other.map(|other| other.value))
    })?;
    let (read, other) = match read {
        (code, Some((map, other))) => ((code, Some(map)), other),
        (code, None) => ((code, None), None),
    };
    let node = section.node("state")?;
    let (code, map) = match read {
        (code, Some(Some(map))) => (code, map.into_iter().collect()),
        (code, _) => match &code.from {
            // What always holds the same value is one of our words.
            Origin::Constant(word) => match meaning(word) {
                Ok(state) => (code.clone(), BTreeMap::from([(word.clone(), state)])),
                Err(fault) => {
                    node.reject(fault);
                    return None;
                }
            },
            _ => {
                let right = format!("write {{ from = …, map = {example} }}");
                node.reject(Fault::new("has no `map`, so nothing would be known", right));
                return None;
            }
        },
    };
    Some(StateField { code, map, other, raw })
}

/// A field in whichever shape it has; `rest` reads what its table may hold besides.
pub(super) fn shaped<'a, T>(
    section: &mut Section<'a>,
    key: &'static str,
    ground: &Ground,
    need: Need,
    rest: impl FnOnce(&mut Section<'a>) -> T,
) -> Option<(Field, Option<T>)> {
    let node = section.node(key)?;
    let table = node.section(|table| {
        let field = of_table(table, ground, need);
        let rest = rest(table);
        Some((field?, Some(rest)))
    });
    if let Some(read) = table {
        return read;
    }
    if node.value.as_str().is_none() && node.value.as_array().is_none() {
        let right = format!("write {PLACE}, several such, or {{ from = {PLACE}, … }}");
        wrong_shape(&node, "the place of a field", &right);
        return None;
    }
    let places = texts_of(&node, PLACE, |text| ground.source(text, Use::Event))?;
    Some((plain(Origin::Places(places), need), None))
}

fn plain(from: Origin, need: Need) -> Field {
    Field {
        from,
        decoding: Decoding::default(),
        map: BTreeMap::new(),
        strip: Vec::new(),
        until: Vec::new(),
        required: need == Need::Required,
    }
}

fn of_table(table: &mut Section<'_>, ground: &Ground, need: Need) -> Option<Field> {
    let from = origin(table, ground);
    let decoding = match from {
        Some(Origin::Constant(_)) => {
            for key in ["decode", "decode_by", "charset_from"] {
                let right = "remove it, or name the field's place with `from`";
                table.refuse(key, || Fault::new("has nothing to decode: `value` is a text", right));
            }
            Some(Decoding::default())
        }
        _ => decoding(table, ground),
    };
    let strip = texts(table, "strip", "[\"+86\", \"86\"]", |text| Ok(text.to_owned()));
    let until = texts(table, "until", "[\"@\", \";\"]", |text| match text {
        "" => Err(Fault::new("is empty", "write what a value ends before, \"@\"")),
        text => Ok(text.to_owned()),
    });
    let required = table.flag("required");
    Some(Field {
        decoding: decoding?,
        strip: strip.map(|strip| strip.value).unwrap_or_default(),
        until: until.map(|until| until.value).unwrap_or_default(),
        required: required.map_or(need == Need::Required, |required| required.value),
        ..plain(from?, need)
    })
}

fn origin(table: &mut Section<'_>, ground: &Ground) -> Option<Origin> {
    let given: Vec<&str> =
        ["from", "template", "value"].into_iter().filter(|key| table.has(key)).collect();
    let from = texts(table, "from", PLACE, |text| ground.source(text, Use::Event));
    let template = table.text("template", "\"${a}${b}\"", |text| ground.template(text, Use::Event));
    let value = table.text("value", "\"always this\"", |text| Ok(text.to_owned()));
    match given.as_slice() {
        [_] => from
            .map(|places| Origin::Places(places.value))
            .or(template.map(|template| Origin::Template(template.value)))
            .or(value.map(|value| Origin::Constant(value.value))),
        [] => {
            let wrong = "says not where the value comes from";
            let right = "write `from`, the field's place; or `template`; or `value`, a constant";
            table.reject(&table.here(), Fault::new(wrong, right));
            None
        }
        several => {
            let wrong = format!("has {}", several.join(" and "));
            table.reject(&table.here(), Fault::new(wrong, "keep one of them"));
            None
        }
    }
}
