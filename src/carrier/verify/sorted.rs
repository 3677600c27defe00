//! The fields of a request in the order in which they are signed.

use crate::carrier::scope::Values;
use crate::carrier::template::{Special, render};
use crate::config::dialect::Sorted;
use std::collections::BTreeMap;

/// The fields as one text: by the bytes of their names, those of one name as sent; or values by
/// their own bytes. `None` if the fields are not all that is said, so that nothing would be signed
/// of the rest.
pub(super) fn sorted(by: &Sorted, values: &dyn Values, special: &Special<'_>) -> Option<Vec<u8>> {
    if !by.values.is_empty() {
        let mut texts: Vec<_> = by.values.iter().map(|it| render(it, values, special)).collect();
        texts.sort();
        return Some(texts.join(by.join.as_bytes()));
    }
    let mut fields = values.fields(by.of)?;
    fields.retain(|(name, _)| by.except.iter().all(|except| except.as_bytes() != &**name));
    fields.retain(|(_, value)| !by.skip_empty || !value.is_empty());
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let pairs = fields.iter().map(|(name, value)| {
        let value = replaced(value, &by.replace);
        let special = Special { name, value: &value, ..Special::default() };
        render(&by.pair, values, &special)
    });
    Some(pairs.collect::<Vec<_>>().join(by.join.as_bytes()))
}

/// The value with each of the texts in it exchanged for its other, the longest first.
fn replaced(value: &[u8], by: &BTreeMap<String, String>) -> Vec<u8> {
    let mut result = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        // In reverse order a text comes before its own beginnings.
        let found =
            by.iter().rev().find(|(text, _)| !text.is_empty() && rest.starts_with(text.as_bytes()));
        match found {
            Some((text, other)) => {
                result.extend_from_slice(other.as_bytes());
                rest = &rest[text.len()..];
            }
            None => {
                result.push(*first);
                rest = after;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::sample::{Sample, route};
    use crate::carrier::scope::Scope;
    use crate::config::dialect::{Format, SortedOf, Template};

    fn by(pair: &str, join: &str) -> Sorted {
        Sorted {
            of: SortedOf::Document,
            values: Vec::new(),
            except: vec!["sign".to_owned()],
            pair: Template::read(pair).expect("a template"),
            join: join.to_owned(),
            skip_empty: false,
            replace: BTreeMap::new(),
        }
    }

    fn text(by: &Sorted, form: &'static str) -> String {
        let route = route(&[Format::Form]);
        let sample = Sample::post(form).to("/callback/x?z=2&y=1");
        let call = sample.call(&route);
        let sorted = sorted(by, &Scope::of(&call), &Special::default());
        String::from_utf8(sorted.expect("a form says nothing else")).expect("UTF-8")
    }

    #[test]
    fn fields_come_by_name_and_then_as_sent() {
        let pairs = by("${name}=${value}", "&");
        assert_eq!(text(&pairs, "b=2&sign=x&a=9&B=1&a=1&c="), "B=1&a=9&a=1&b=2&c=");
        assert_eq!(text(&by("${value}", ","), "b=2&a=1"), "1,2");
        assert_eq!(text(&pairs, ""), "");
        let query = Sorted { of: SortedOf::Query, ..pairs };
        assert_eq!(text(&query, "a=1"), "y=1&z=2");
    }

    #[test]
    fn empty_fields_may_be_left_out_and_values_encoded() {
        let by = Sorted { skip_empty: true, ..by("${name}${value|percent|lower}", "") };
        assert_eq!(text(&by, "b=&a=%2F%20x"), "a%2f%20x");
    }

    #[test]
    fn texts_within_values_may_stand_for_others() {
        let replace = [("&", "_"), ("=", "_"), ("ab", "x"), ("a", "b"), ("", "!")];
        let replace = replace.map(|(text, other)| (text.to_owned(), other.to_owned()));
        let by = Sorted { replace: replace.into(), ..by("&${name}=${value}", "") };
        assert_eq!(text(&by, "a=1%26b%3D2&b=aab"), "&a=1_b_2&b=bx");
    }
}
