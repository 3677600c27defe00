//! Documents with parts of their own: values at paths, written as JSON or XML.

use crate::config::dialect::Segment;
use serde_json::{Map, Value};

/// Puts a text at a path; steps of digits number the elements of arrays. `false` if something else
/// stands in the way.
pub(super) fn put(node: &mut Value, path: &[Segment], text: &str) -> bool {
    let Some((step, rest)) = path.split_first() else {
        let free = node.is_null();
        if free {
            *node = Value::from(text);
        }
        return free;
    };
    if node.is_null() {
        let numbered = step.bytes().all(|byte| byte.is_ascii_digit());
        *node = if numbered { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match node {
        Value::Object(fields) => {
            put(fields.entry(step.as_str()).or_insert(Value::Null), rest, text)
        }
        Value::Array(elements) => match step.parse::<usize>() {
            Ok(index) if index < MOST_ELEMENTS => {
                if elements.len() <= index {
                    elements.resize(index + 1, Value::Null);
                }
                put(&mut elements[index], rest, text)
            }
            _ => false,
        },
        _ => false,
    }
}

/// A path with a larger number would make a document of nothing but empty elements.
const MOST_ELEMENTS: usize = 100;

/// The tree as an XML document: attributes are `@name`, arrays repeated elements.
pub(super) fn xml(tree: &Value) -> String {
    let mut text = String::from("<?xml version=\"1.0\"?>");
    element("request", tree, &mut text);
    text
}

fn element(name: &str, node: &Value, text: &mut String) {
    if let Value::Array(elements) = node {
        elements.iter().for_each(|node| element(name, node, text));
        return;
    }
    text.push('<');
    text.push_str(name);
    let fields = || node.as_object().into_iter().flatten();
    for (field, value) in fields() {
        if let (Some(attribute), Some(value)) = (field.strip_prefix('@'), value.as_str()) {
            text.push_str(&format!(" {attribute}=\"{}\"", escaped(value)));
        }
    }
    text.push('>');
    text.push_str(&escaped(node.as_str().unwrap_or_default()));
    for (field, value) in fields().filter(|(field, _)| !field.starts_with('@')) {
        element(field, value, text);
    }
    text.push_str("</");
    text.push_str(name);
    text.push('>');
}

/// As text or attribute: line ends too, which readers would change.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(character))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Whether XML has this character.
pub(super) fn is_in_xml(character: char) -> bool {
    let control = character < ' ' && !matches!(character, '\t' | '\n' | '\r');
    !control && !matches!(character, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(values: &[(&[&str], &str)]) -> (Value, bool) {
        let mut tree = Value::Null;
        let put = values.iter().all(|(path, text)| {
            let path: Vec<Segment> = path.iter().map(|step| (*step).to_owned()).collect();
            put(&mut tree, &path, text)
        });
        (tree, put)
    }

    #[test]
    fn values_at_paths_make_one_document() {
        let (tree, put) = tree(&[
            (&["data", "to", "0", "number"], "1"),
            (&["data", "to", "0", "state"], "a<\"b\""),
            (&["data", "@id"], "7"),
            (&["type"], "mo"),
        ]);
        assert!(put);
        assert_eq!(
            tree.to_string(),
            r#"{"data":{"@id":"7","to":[{"number":"1","state":"a<\"b\""}]},"type":"mo"}"#
        );
        assert_eq!(
            xml(&tree),
            "<?xml version=\"1.0\"?><request><data id=\"7\"><to><number>1</number><state>\
             a&lt;&quot;b&quot;</state></to></data><type>mo</type></request>"
        );
    }

    #[test]
    fn a_text_has_no_parts_and_an_array_no_names() {
        assert!(!tree(&[(&["a"], "1"), (&["a", "b"], "2")]).1);
        assert!(!tree(&[(&["a", "b"], "1"), (&["a"], "2")]).1);
        assert!(!tree(&[(&["a", "0"], "1"), (&["a", "b"], "2")]).1);
        assert!(!tree(&[(&["a", "4000000000"], "1")]).1);
    }
}
