//! JSON, of which only what is asked for is looked into.
//!
//! Carriers send the same id as a number on one page and as text on the next, and some ids are
//! larger than any integer type. So a number is never parsed: its digits are taken as they stand.
//! However deep a document is, it is skipped without recursion, and no part of it is read twice.
//! Where a way leads through a text that holds JSON, that is looked into.

use super::part::{Names, Part, place};
use super::{EVERY, Found, Item, Pairs, Step, Trail, Value, is_number};
use crate::config::dialect::Segment;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

/// A JSON object or array.
#[derive(Debug)]
pub(in crate::carrier) struct Json<'a> {
    text: Cow<'a, str>,
    /// Whether bytes that were no UTF-8 became U+FFFD.
    repaired: bool,
    root: Node,
}

/// A value within the text, looked into when it is first asked for something.
#[derive(Debug)]
pub(in crate::carrier) struct Node {
    at: Range<usize>,
    within: OnceCell<Box<Within>>,
}

#[derive(Debug)]
enum Within {
    /// Names and values in the order sent; of fields with the same name the last counts.
    Object(Vec<(Part, Node)>, Names),
    Array(Vec<Node>),
    /// A text that holds a document of its own.
    Text(Json<'static>),
    /// Nothing within.
    Scalar,
}

/// What the problem of an item is when it is none.
const OBJECT: &str = "expected a JSON object";

/// What the problem of a value is when bytes of it are not UTF-8.
const UTF8: &str = "expected UTF-8";

impl<'a> Json<'a> {
    /// The document in this text; `None` if it is no JSON object or array.
    pub(super) fn read(text: Cow<'a, str>, repaired: bool) -> Option<Json<'a>> {
        let trimmed = text.trim_ascii();
        // Looks at the whole document, so that nothing within can be broken later.
        let within = match trimmed.as_bytes().first()? {
            b'{' => object(&text, trimmed)?,
            b'[' => array(&text, trimmed)?,
            _ => return None,
        };
        let at = place(text.as_bytes(), trimmed.as_bytes());
        let root = Node { at, within: OnceCell::from(Box::new(within)) };
        Some(Json { text, repaired, root })
    }

    /// The document itself.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// Shows each item at this path; `false` if there is no such path.
    pub(super) fn each<'d>(
        &'d self,
        path: &[Segment],
        root: &Trail<'_>,
        show: &mut dyn FnMut(&Trail<'_>, Found<'d>),
    ) -> bool {
        self.descend(&self.root, path, root, show)
    }

    fn descend<'d>(
        &'d self,
        node: &'d Node,
        path: &[Segment],
        trail: &Trail<'_>,
        show: &mut dyn FnMut(&Trail<'_>, Found<'d>),
    ) -> bool {
        match (self.within(node), path.split_first()) {
            (Within::Array(elements), step) => {
                let numbered = step.filter(|(step, _)| is_number(step));
                if let Some((step, rest)) = numbered {
                    let Some(element) = nth(elements, step) else { return false };
                    return self.descend(element, rest, &trail.then(Step::Name(step)), show);
                }
                let mut there = step.is_none();
                for (index, element) in elements.iter().enumerate() {
                    let trail = trail.then(Step::Index(index));
                    match step {
                        // As deep as the path is long, however deep the arrays are.
                        Some(_) if self.raw(element).starts_with('[') => {}
                        Some(_) => there |= self.descend(element, path, &trail, show),
                        None => show(&trail, self.item(element)),
                    }
                }
                there
            }
            (Within::Text(json), _) => json.descend(&json.root, path, trail, show),
            (_, None) if self.raw(node) == "null" => false,
            (_, None) => {
                show(trail, self.item(node));
                true
            }
            (Within::Object(fields, _), Some((step, rest))) if step == EVERY => {
                let mut there = false;
                for (name, value) in fields {
                    let name = String::from_utf8_lossy(name.bytes(self.text.as_bytes()));
                    there |= self.descend(value, rest, &trail.then(Step::Name(&name)), show);
                }
                there
            }
            (Within::Object(..), Some((step, rest))) => match self.child(node, step) {
                Some(child) => self.descend(child, rest, &trail.then(Step::Name(step)), show),
                None => false,
            },
            (Within::Scalar, Some(_)) => false,
        }
    }

    /// An element of a list: an object, or an array whose elements have numbers for names.
    fn item<'d>(&'d self, node: &'d Node) -> Found<'d> {
        if self.is_broken(node) {
            return Err(UTF8);
        }
        match self.raw(node).as_bytes().first() {
            Some(b'{' | b'[') => Ok(Item::Json(self, node)),
            Some(b'"') => match self.within(node) {
                Within::Text(json) => Ok(Item::Json(json, &json.root)),
                _ => Err(OBJECT),
            },
            _ => Err(OBJECT),
        }
    }

    /// The value at this path within a node.
    pub(super) fn value<'d>(&'d self, node: &'d Node, path: &[Segment]) -> Value<'d> {
        self.find(node, path).map_or(Value::Nothing, |(json, node)| json.scalar(node))
    }

    /// The elements of the array at this path within a node, or the one value there.
    pub(super) fn list<'d>(&'d self, node: &'d Node, path: &[Segment]) -> Vec<Value<'d>> {
        let Some((json, node)) = self.find(node, path) else { return Vec::new() };
        match json.within(node) {
            Within::Array(elements) => elements.iter().map(|it| json.scalar(it)).collect(),
            Within::Text(inner) => inner.list(&inner.root, &[]),
            _ => vec![json.scalar(node)],
        }
    }

    /// What stands at this path, and the document that it is of.
    fn find<'d>(&'d self, node: &'d Node, path: &[Segment]) -> Option<(&'d Json<'d>, &'d Node)> {
        let Some((step, rest)) = path.split_first() else { return Some((self, node)) };
        match self.within(node) {
            Within::Array(elements) => self.find(nth(elements, step)?, rest),
            Within::Object(..) => self.find(self.child(node, step)?, rest),
            Within::Text(json) => json.find(&json.root, path),
            Within::Scalar => None,
        }
    }

    fn scalar<'d>(&'d self, node: &'d Node) -> Value<'d> {
        let raw = self.raw(node);
        match raw.as_bytes().first() {
            None | Some(b'n') => Value::Nothing,
            Some(b'{' | b'[') => match self.within(node) {
                Within::Object(fields, _) if fields.is_empty() => Value::Nothing,
                Within::Array(elements) if elements.is_empty() => Value::Nothing,
                _ => Value::Composite("expected text or a number"),
            },
            _ if self.is_broken(node) => Value::Broken(UTF8),
            Some(b'"') => Value::Text(unquoted(raw)),
            Some(_) => Value::Text(Cow::Borrowed(raw.as_bytes())),
        }
    }

    /// The fields of the document; what is not text is taken as it was written. An array has none.
    pub(super) fn fields(&self) -> Option<Pairs<'_>> {
        let Within::Object(fields, _) = self.within(&self.root) else { return None };
        let field = |(name, node): &'_ (Part, Node)| {
            let raw = &self.text[node.at.clone()];
            let value = match raw.as_bytes().first() {
                Some(b'"') => Cow::Owned(unquoted(raw).into_owned()),
                _ => Cow::Owned(raw.as_bytes().to_vec()),
            };
            (Cow::Owned(name.bytes(self.text.as_bytes()).to_vec()), value)
        };
        Some(fields.iter().map(field).collect())
    }

    fn raw(&self, node: &Node) -> &str {
        self.text.get(node.at.clone()).unwrap_or_default()
    }

    /// Whether bytes within were no UTF-8. A U+FFFD that was sent is content.
    fn is_broken(&self, node: &Node) -> bool {
        self.repaired && self.raw(node).contains(char::REPLACEMENT_CHARACTER)
    }

    fn within<'d>(&'d self, node: &'d Node) -> &'d Within {
        node.within.get_or_init(|| {
            let raw = self.raw(node);
            let within = match raw.as_bytes().first() {
                Some(b'{') => object(&self.text, raw),
                Some(b'[') => array(&self.text, raw),
                Some(b'"') => self.inner(raw).map(Within::Text),
                _ => None,
            };
            Box::new(within.unwrap_or(Within::Scalar))
        })
    }

    /// The document in a text.
    fn inner(&self, raw: &str) -> Option<Json<'static>> {
        let text = String::from_utf8(unquoted(raw).into_owned()).ok()?;
        Json::read(Cow::Owned(text), self.repaired)
    }

    fn child<'d>(&'d self, node: &'d Node, name: &str) -> Option<&'d Node> {
        let Within::Object(fields, names) = self.within(node) else { return None };
        let text = self.text.as_bytes();
        let last = names.last(fields.len(), |at| fields[at].0.bytes(text), name.as_bytes())?;
        Some(&fields[last].1)
    }
}

fn nth<'d>(elements: &'d [Node], step: &str) -> Option<&'d Node> {
    step.parse().ok().and_then(|index: usize| elements.get(index))
}

fn array(text: &str, raw: &str) -> Option<Within> {
    struct Elements<'t>(&'t str);

    impl<'de> Visitor<'de> for Elements<'_> {
        type Value = Vec<Node>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<Node>, A::Error> {
            let mut nodes = Vec::new();
            while let Some(element) = elements.next_element::<&RawValue>()? {
                nodes.push(node(self.0, element));
            }
            Ok(nodes)
        }
    }

    let mut json = serde_json::Deserializer::from_str(raw);
    let nodes = json.deserialize_seq(Elements(text)).ok()?;
    json.end().ok()?;
    Some(Within::Array(nodes))
}

fn object(text: &str, raw: &str) -> Option<Within> {
    struct Fields<'t>(&'t str);

    impl<'de> Visitor<'de> for Fields<'_> {
        type Value = Vec<(Part, Node)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
            let mut nodes = Vec::new();
            while let Some(name) = fields.next_key_seed(Bytes)? {
                let value = fields.next_value::<&RawValue>()?;
                nodes.push((Part::of(self.0.as_bytes(), name), node(self.0, value)));
            }
            Ok(nodes)
        }
    }

    let mut json = serde_json::Deserializer::from_str(raw);
    let fields = json.deserialize_map(Fields(text)).ok()?;
    json.end().ok()?;
    let names = Names::new(fields.len(), |at| fields[at].0.bytes(text.as_bytes()));
    Some(Within::Object(fields, names))
}

fn node(text: &str, raw: &RawValue) -> Node {
    let at = place(text.as_bytes(), raw.get().as_bytes());
    Node { at, within: OnceCell::new() }
}

/// The text in a JSON string. Half of a surrogate pair, as a text cut in the middle of an emoji
/// has, becomes U+FFFD: it must not cost the rest of the text.
fn unquoted(raw: &str) -> Cow<'_, [u8]> {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return Cow::Borrowed(inner.as_bytes());
    }
    let mut json = serde_json::Deserializer::from_str(raw);
    let bytes = Bytes.deserialize(&mut json).unwrap_or_default();
    match String::from_utf8_lossy(&bytes) {
        Cow::Borrowed(_) => bytes,
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// A JSON string as bytes, which halves of surrogate pairs survive.
struct Bytes;

impl<'de> DeserializeSeed<'de> for Bytes {
    type Value = Cow<'de, [u8]>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Bytes {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes.to_vec()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text.as_bytes()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.as_bytes().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Item, Value};
    use super::*;

    fn read(text: &str) -> Json<'_> {
        Json::read(Cow::Borrowed(text), false).expect("a document")
    }

    fn path(path: &str) -> Vec<Segment> {
        path.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect()
    }

    fn value(json: &Json<'_>, at: &str) -> Result<Option<String>, &'static str> {
        match json.value(json.root(), &path(at)) {
            Value::Nothing => Ok(None),
            Value::Text(text) => Ok(Some(String::from_utf8(text.into_owned()).expect("UTF-8"))),
            Value::Composite(expected) | Value::Broken(expected) => Err(expected),
        }
    }

    fn text(json: &Json<'_>, at: &str) -> String {
        value(json, at).expect("a scalar").expect("not missing")
    }

    fn places(json: &Json<'_>, at: &str) -> Option<Vec<String>> {
        let mut places = Vec::new();
        let there = json.each(&path(at), &Trail::new("body"), &mut |trail, found| {
            places.push(match found {
                Ok(Item::Json(..)) => trail.to_string(),
                Ok(_) => unreachable!("JSON holds JSON"),
                Err(problem) => format!("{trail}: {problem}"),
            });
        });
        there.then_some(places)
    }

    #[test]
    fn scalars_come_back_as_sent() {
        let json = read(
            r#"{"big":123456789012345678901234567890,"zeros":"000024","small":1.50,
            "yes":true,"none":null,"empty":"","escaped":"\u6ee1\u610f \ud83d\udc4d\n",
            "twice":1,"twice":2}"#,
        );
        assert_eq!(text(&json, "big"), "123456789012345678901234567890");
        assert_eq!(text(&json, "zeros"), "000024");
        assert_eq!(text(&json, "small"), "1.50");
        assert_eq!(text(&json, "yes"), "true");
        assert_eq!(text(&json, "empty"), "");
        assert_eq!(text(&json, "escaped"), "满意 👍\n");
        assert_eq!(text(&json, "twice"), "2", "the last counts");
        assert_eq!(value(&json, "none"), Ok(None));
        assert_eq!(value(&json, "missing"), Ok(None));
        assert_eq!(json.fields().expect("an object").len(), 9, "repeated ones too");
        assert!(read("[{}]").fields().is_none(), "not one of them would be signed");
    }

    #[test]
    fn half_an_emoji_costs_only_itself() {
        let json = read(r#"{"text":"满意\ud83d","\ud83d":1}"#);
        assert_eq!(text(&json, "text").trim_end_matches(char::REPLACEMENT_CHARACTER), "满意");
    }

    #[test]
    fn a_path_leads_through_objects_and_arrays() {
        let json = read(r#"{"data":{"to":[{"number":"1"},{"number":"2"}],"none":{}}}"#);
        assert_eq!(text(&json, "data.to.1.number"), "2");
        assert_eq!(value(&json, "data.to.2.number"), Ok(None));
        assert_eq!(value(&json, "data.to.x"), Ok(None));
        assert_eq!(value(&json, "data.to"), Err("expected text or a number"));
        assert_eq!(value(&json, "data.none"), Ok(None), "nothing in it");
    }

    #[test]
    fn items_are_elements_or_one_object() {
        let json = read(r#"[{"a":1},7,[1],{"a":2}]"#);
        let all = ["body[0]", "body[1]: expected a JSON object", "body[2]", "body[3]"];
        assert_eq!(places(&json, ""), Some(all.map(str::to_owned).to_vec()));
        let json = read(r#"{"one":{},"none":null,"empty":[],"l":[{"m":[{},{}]},{"m":[{}]},{}]}"#);
        let within = ["body.l[0].m[0]", "body.l[0].m[1]", "body.l[1].m[0]"];
        assert_eq!(places(&json, "one"), Some(vec!["body.one".to_owned()]));
        assert_eq!(places(&json, "l.m"), Some(within.map(str::to_owned).to_vec()));
        assert_eq!(places(&json, "l.1.m"), Some(vec!["body.l.1.m[0]".to_owned()]));
        assert_eq!(places(&json, "empty"), Some(Vec::new()));
        assert_eq!(places(&json, "none"), None);
        assert_eq!(places(&json, "one.m"), None);
        assert_eq!(places(&json, ""), Some(vec!["body".to_owned()]));
    }

    #[test]
    fn a_way_leads_through_texts_that_hold_json() {
        let json = read(
            r#"{"m":"{\"id\":7,\"in\":\"[{\\\"k\\\":\\\"满\\\"}]\"}","l":["{\"a\":1}","x","[7]"],"n":"{"}"#,
        );
        assert_eq!(text(&json, "m.id"), "7");
        assert_eq!(text(&json, "m.in.0.k"), "满");
        assert_eq!(text(&json, "m"), r#"{"id":7,"in":"[{\"k\":\"满\"}]"}"#, "itself, as sent");
        assert_eq!(places(&json, "m.in"), Some(vec!["body.m.in[0]".to_owned()]));
        let all = ["body.l[0]", "body.l[1]: expected a JSON object", "body.l[2]"];
        assert_eq!(places(&json, "l"), Some(all.map(str::to_owned).to_vec()));
        assert_eq!(value(&json, "n.a"), Ok(None));
    }

    #[test]
    fn every_field_of_an_object_may_be_an_item() {
        let json = read(r#"{"list":{"1":{"a":1},"x":{"a":2}}}"#);
        let all = ["body.list.1", "body.list.x"];
        assert_eq!(places(&json, "list.*"), Some(all.map(str::to_owned).to_vec()));
        assert_eq!(places(&json, "list.*.b"), None);
    }

    #[test]
    fn broken_bytes_cost_only_their_item() {
        let text = "[{\"id\":\"1\"},{\"id\":\"\u{fffd}\"}]";
        let broken = Json::read(Cow::Borrowed(text), true).expect("a document");
        assert_eq!(
            places(&broken, ""),
            Some(vec!["body[0]".to_owned(), "body[1]: expected UTF-8".to_owned()])
        );
        let sent = Json::read(Cow::Borrowed(text), false).expect("a document");
        assert_eq!(places(&sent, ""), Some(vec!["body[0]".to_owned(), "body[1]".to_owned()]));
    }

    #[test]
    fn what_is_no_object_or_array_is_no_document() {
        for text in ["", " ", "7", "\"a\"", "null", "{", "[1,]", "{\"a\":1}x", "[{\"a\":\"1"] {
            assert!(Json::read(Cow::Borrowed(text), false).is_none(), "{text}");
        }
    }

    #[test]
    fn depth_and_width_cost_no_more_than_their_size() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500_000), "]".repeat(500_000));
        let json = read(&deep);
        assert_eq!(value(&json, "a.0.0.0"), Err("expected text or a number"));
        assert_eq!(places(&json, "a.b"), None);
        let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(places(&read(&deep), "a"), None);
        let wide: String = (0..50_000).map(|at| format!("\"f{at}\":{at},")).collect();
        let wide = format!("{{{wide}\"last\":1}}");
        let json = read(&wide);
        for at in 0..50_000 {
            assert_eq!(text(&json, &format!("f{at}")), at.to_string());
        }
    }
}
