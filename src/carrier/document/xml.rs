//! XML, as a flat list of its elements.
//!
//! A document type is refused, and with it every entity that could grow: only the five predefined
//! ones and character references are known. Paths start below the root element, names have no
//! prefix, and an attribute is a child whose name begins with `@`.

use super::part::{Part, place};
use super::{Found, Item, Pairs, Step, Trail, Value, is_number};
use crate::config::dialect::Segment;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use std::borrow::Cow;
use std::ops::Range;

/// The root element.
pub(super) const ROOT: usize = 0;

/// So many elements may be within each other.
const DEEPEST: usize = 64;

/// An XML document.
#[derive(Debug)]
pub(in crate::carrier) struct Xml<'a> {
    text: Cow<'a, str>,
    elements: Vec<Element>,
    /// The elements by parent and name, those of one name in the order sent: finding one costs the
    /// same wherever it stands.
    sorted: Vec<usize>,
}

/// An element, or an attribute of one.
#[derive(Debug)]
struct Element {
    parent: usize,
    is_attribute: bool,
    /// Where its local name stands in the text.
    name: Range<usize>,
    content: Part,
    /// Whether there are elements within.
    is_composite: bool,
}

impl<'a> Xml<'a> {
    /// The document in this text.
    ///
    /// # Errors
    /// What was expected.
    pub(super) fn read(text: Cow<'a, str>) -> Result<Xml<'a>, &'static str> {
        let elements = elements(&text)?;
        let mut xml = Xml { text, elements, sorted: Vec::new() };
        let mut sorted: Vec<usize> = (1..xml.elements.len()).collect();
        sorted.sort_by(|one, other| xml.key(*one).cmp(&xml.key(*other)));
        xml.sorted = sorted;
        Ok(xml)
    }

    /// Shows each element at this path; `false` if there is none.
    pub(super) fn each<'d>(
        &'d self,
        path: &[Segment],
        root: &Trail<'_>,
        show: &mut dyn FnMut(&Trail<'_>, Found<'d>),
    ) -> bool {
        self.descend(ROOT, path, root, show)
    }

    fn descend<'d>(
        &'d self,
        element: usize,
        path: &[Segment],
        trail: &Trail<'_>,
        show: &mut dyn FnMut(&Trail<'_>, Found<'d>),
    ) -> bool {
        let Some((step, rest)) = path.split_first() else {
            show(trail, Ok(Item::Element(element)));
            return true;
        };
        let children = self.children(element, step);
        let trail = trail.then(Step::Name(step));
        if let Some((step, rest)) = numbered(rest) {
            let Some(child) = children.get(step) else { return false };
            return self.descend(*child, rest, &trail.then(Step::Index(step)), show);
        }
        let mut there = false;
        for (index, child) in children.iter().enumerate() {
            there |= match children.len() {
                1 => self.descend(*child, rest, &trail, show),
                _ => self.descend(*child, rest, &trail.then(Step::Index(index)), show),
            };
        }
        there
    }

    /// The text at this path within an element, of elements with the same name the first.
    pub(super) fn value(&self, element: usize, path: &[Segment]) -> Value<'_> {
        self.find(element, path).map_or(Value::Nothing, |element| self.text(element))
    }

    fn find(&self, element: usize, path: &[Segment]) -> Option<usize> {
        let mut element = element;
        let mut path = path;
        while let Some((step, rest)) = path.split_first() {
            let (index, rest) = numbered(rest).unwrap_or((0, rest));
            (element, path) = (*self.children(element, step).get(index)?, rest);
        }
        Some(element)
    }

    fn text(&self, element: usize) -> Value<'_> {
        match self.elements.get(element) {
            None => Value::Nothing,
            Some(element) if element.is_composite => Value::Composite("expected text"),
            Some(element) => Value::Text(Cow::Borrowed(element.content.bytes(self.bytes()))),
        }
    }

    /// The texts of all elements at this path within an element; only the last step may be repeated.
    pub(super) fn list(&self, element: usize, path: &[Segment]) -> Vec<Value<'_>> {
        let Some((name, outer)) = path.split_last().filter(|(name, _)| !is_number(name)) else {
            return vec![self.value(element, path)];
        };
        let parent = self.find(element, outer);
        let children = parent.map(|parent| self.children(parent, name)).unwrap_or_default();
        children.iter().map(|child| self.text(*child)).collect()
    }

    /// The elements below the root; `None` if there are others or attributes.
    pub(super) fn fields(&self) -> Option<Pairs<'_>> {
        let below = self.elements.get(1..).unwrap_or_default();
        if below.iter().any(|element| element.parent != ROOT || element.is_attribute) {
            return None;
        }
        let field = |element: &'_ Element| {
            let name = self.bytes().get(element.name.clone()).unwrap_or_default().to_vec();
            (Cow::Owned(name), Cow::Owned(element.content.bytes(self.bytes()).to_vec()))
        };
        Some(below.iter().map(field).collect())
    }

    fn children(&self, parent: usize, name: &str) -> &[usize] {
        let (is_attribute, name) = match name.strip_prefix('@') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let wanted = (parent, is_attribute, name.as_bytes());
        let start = self.sorted.partition_point(|at| self.key(*at) < wanted);
        let end = self.sorted.partition_point(|at| self.key(*at) <= wanted);
        &self.sorted[start..end]
    }

    fn key(&self, element: usize) -> (usize, bool, &[u8]) {
        let element = &self.elements[element];
        let name = self.bytes().get(element.name.clone()).unwrap_or_default();
        (element.parent, element.is_attribute, name)
    }

    fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// The encoding that an XML declaration names, where it is written in ASCII.
pub(super) fn declared(bytes: &[u8]) -> Option<&str> {
    let bytes = bytes.trim_ascii_start();
    let end = bytes.iter().position(|byte| *byte == b'>')?;
    let declaration = str::from_utf8(&bytes[..end]).ok()?.strip_prefix("<?xml ")?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    rest[1..].split(quote).next()
}

/// The number that a path begins with, and the rest of it.
fn numbered(path: &[Segment]) -> Option<(usize, &[Segment])> {
    let (step, rest) = path.split_first()?;
    is_number(step).then(|| Some((step.parse().ok()?, rest)))?
}

/// All elements of a document; the first is the root.
fn elements(text: &str) -> Result<Vec<Element>, &'static str> {
    const BROKEN: &str = "expected well-formed XML";
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    loop {
        let piece = match reader.read_event().map_err(|_| BROKEN)? {
            Event::Start(start) => {
                if open.len() == DEEPEST {
                    return Err("has elements too deep within each other");
                }
                let parent = open.last().copied();
                match parent {
                    Some(parent) => elements[parent].is_composite = true,
                    None if elements.is_empty() => {}
                    None => return Err("expected one root element"),
                }
                open.push(elements.len());
                start_element(text, &start, parent.unwrap_or(ROOT), &mut elements).ok_or(BROKEN)?;
                continue;
            }
            Event::End(_) => {
                open.pop();
                continue;
            }
            Event::Text(piece) => piece.xml10_content(),
            Event::CData(piece) => piece.xml10_content(),
            Event::GeneralRef(reference) => Cow::Owned(resolved(&reference).ok_or(ENTITY)?),
            Event::DocType(_) => return Err("has a document type, which is not read"),
            // Empty elements come as a start and an end.
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => continue,
            Event::Eof if open.is_empty() && !elements.is_empty() => return Ok(elements),
            Event::Eof => return Err(BROKEN),
        };
        match open.last() {
            Some(element) => elements[*element].content.append(text.as_bytes(), piece),
            None if piece.trim().is_empty() => {}
            None => return Err(BROKEN),
        }
    }
}

const ENTITY: &str = "has an entity that XML does not define by itself";

fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref().ok()? {
        Some(character) => Some(character.to_string()),
        None => resolve_xml_entity(reference).map(str::to_owned),
    }
}

fn start_element(
    text: &str,
    start: &BytesStart<'_>,
    parent: usize,
    elements: &mut Vec<Element>,
) -> Option<()> {
    let number = elements.len();
    let element = |parent, is_attribute, name: &str, content| {
        let name = place(text.as_bytes(), name.as_bytes());
        Element { parent, is_attribute, name, content, is_composite: false }
    };
    elements.push(element(parent, false, start.local_name().into_inner(), Part::EMPTY));
    // Looking for attributes that come twice would take time with the square of their number.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.ok()?;
        // It says how names are written, and nothing else.
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        let content = Part::Unpacked(value.into_owned().into_bytes());
        elements.push(element(number, true, attribute.key.local_name().into_inner(), content));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Xml<'_>, &'static str> {
        Xml::read(Cow::Borrowed(text))
    }

    fn value(xml: &Xml<'_>, path: &[&str]) -> Option<String> {
        let path: Vec<Segment> = path.iter().map(|step| (*step).to_owned()).collect();
        match xml.value(ROOT, &path) {
            Value::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
            _ => None,
        }
    }

    #[test]
    fn elements_and_attributes_are_found_by_their_local_names() {
        let text = r#"<?xml version="1.0"?><!-- c --><s:Envelope xmlns:s="urn:x" v="1&amp;2">
            <s:Body><a n="0">x &lt;<![CDATA[<&>]]>&#28385;</a><a>2</a><b/></s:Body></s:Envelope>"#;
        let xml = read(text).expect("a document");
        assert_eq!(value(&xml, &["@v"]).as_deref(), Some("1&2"));
        assert_eq!(value(&xml, &["Body", "a"]).as_deref(), Some("x <<&>满"));
        assert_eq!(value(&xml, &["Body", "a", "@n"]).as_deref(), Some("0"));
        assert_eq!(value(&xml, &["Body", "a", "1"]).as_deref(), Some("2"));
        assert_eq!(value(&xml, &["Body", "b"]).as_deref(), Some(""));
        assert_eq!(value(&xml, &["Body", "a", "2"]), None);
        assert_eq!(value(&xml, &["Body"]), None, "no text, but elements");
        assert_eq!(value(&xml, &["@s"]), None, "names have no prefix");
    }

    #[test]
    fn fields_are_all_that_is_said_or_none() {
        let fields = |text| read(text).expect("a document").fields().map(|fields| fields.len());
        assert_eq!(
            fields("<r xmlns='urn:x' xmlns:s='urn:y'><s:a>1</s:a><a/><b>2</b></r>"),
            Some(3)
        );
        assert_eq!(fields("<r/>"), Some(0));
        assert_eq!(fields("<r><a>1</a><b><c>2</c></b></r>"), None);
        assert_eq!(fields("<r><a n='1'>1</a></r>"), None);
        assert_eq!(fields("<r v='1'><a>1</a></r>"), None);
    }

    #[test]
    fn repeated_elements_are_items() {
        let xml = read("<r><m><i>1</i><i>2</i></m><m><i>3</i></m></r>").expect("a document");
        let mut places = Vec::new();
        let path = ["m".to_owned(), "i".to_owned()];
        let there = xml.each(&path, &Trail::new("body"), &mut |trail, _| {
            places.push(trail.to_string());
        });
        assert!(there);
        assert_eq!(places, ["body.m[0].i[0]", "body.m[0].i[1]", "body.m[1].i"]);
        assert!(!xml.each(&["x".to_owned()], &Trail::new("body"), &mut |_, _| {}));
    }

    #[test]
    fn nothing_that_grows_or_is_broken_is_read() {
        let bomb = r#"<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><r>&b;</r>"#;
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        for text in
            [bomb, &deep, "", "x", "<r>", "<r></x>", "<r/><r/>", "<r>&b;</r>", "<r a='&b;'/>"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        let deepest = format!("{}{}", "<a>".repeat(64), "</a>".repeat(64));
        assert!(read(&deepest).is_ok());
    }

    #[test]
    fn many_attributes_and_elements_stay_cheap() {
        let attributes: String = (0..50_000).map(|at| format!(" a{at}=''")).collect();
        let text = format!("<r{attributes}>{}</r>", "<i/>".repeat(50_000));
        let xml = read(&text).expect("a document");
        assert_eq!(value(&xml, &["@a49999"]).as_deref(), Some(""));
        assert_eq!(value(&xml, &["i", "49999"]).as_deref(), Some(""));
    }

    #[test]
    fn a_declaration_may_name_the_encoding() {
        for (text, encoding) in [
            ("<?xml version=\"1.0\" encoding=\"GBK\"?><a/>", Some("GBK")),
            (" <?xml version='1.0' encoding = 'gb2312' standalone='yes'?><a/>", Some("gb2312")),
            ("<?xml version=\"1.0\"?><a encoding=\"x\"/>", None),
            ("<a encoding=\"x\"/>", None),
            ("<?xml encoding=", None),
            ("", None),
        ] {
            assert_eq!(declared(text.as_bytes()), encoding, "{text}");
        }
    }
}
