//! Values that dialects write in more than one shape: a text or several, texts by name.

use crate::config::problem::Fault;
use crate::config::raw::{At, Node, Section};
use crate::config::values::{kind, text, wrong_kind};
use std::collections::BTreeMap;

/// One text, or an array of several, each as `read` sees it; bad ones are reported and left out.
pub(in crate::config) fn texts<T>(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Option<At<Vec<T>>> {
    let node = section.node(key)?;
    let good = texts_of(&node, example, read)?;
    Some(node.at(good))
}

/// The same of a value.
pub(super) fn texts_of<T>(
    node: &Node<'_>,
    example: &str,
    read: impl Fn(&str) -> Result<T, Fault>,
) -> Option<Vec<T>> {
    let one = |node: &Node<'_>| {
        let read = text(node.value, example).and_then(&read);
        read.map_err(|fault| node.reject(fault)).ok()
    };
    match node.items() {
        None => one(node).map(|value| vec![value]),
        Some(items) => {
            let items: Vec<Node<'_>> = items.collect();
            if items.is_empty() {
                node.reject(Fault::new("is empty", format!("write `{example}`")));
                return None;
            }
            Some(items.iter().filter_map(one).collect())
        }
    }
}

/// Texts under names of the user's.
pub(in crate::config) fn named<T>(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
    read: impl Fn(&str, &str) -> Result<T, Fault>,
) -> Option<Vec<(String, T)>> {
    let node = section.node(key)?;
    let Some(entries) = node.entries() else {
        node.reject(wrong_kind(node.value, "a table", example));
        return None;
    };
    let entry = |(name, node): (&str, Node<'_>)| {
        let value = text(node.value, example).and_then(|value| read(name, value));
        Some((name.to_owned(), value.map_err(|fault| node.reject(fault)).ok()?))
    };
    Some(entries.filter_map(entry).collect())
}

/// Texts that stand for others.
pub(super) fn map(section: &mut Section<'_>, key: &'static str) -> BTreeMap<String, String> {
    let example = "{ \"as sent\" = \"as meant\" }";
    let map = named(section, key, example, |_, value| Ok(value.to_owned()));
    map.unwrap_or_default().into_iter().collect()
}

/// A yes or no; `false` if it is left out.
pub(super) fn flag(section: &mut Section<'_>, key: &'static str) -> bool {
    section.flag(key).is_some_and(|flag| flag.value)
}

/// Any text; empty if it is left out.
pub(super) fn any_text(section: &mut Section<'_>, key: &'static str, example: &str) -> String {
    let any = section.text(key, example, |text| Ok(text.to_owned()));
    any.map(|text| text.value).unwrap_or_default()
}

/// Says of a value in the wrong shape what was expected.
pub(super) fn wrong_shape(node: &Node<'_>, expected: &str, right: &str) {
    node.reject(Fault::new(format!("is {}, not {expected}", kind(node.value)), right));
}
