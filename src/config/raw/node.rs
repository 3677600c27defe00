//! Values whose shape says what they mean: a text, several, or a table.

use super::super::problem::Fault;
use super::{At, Context, Document, Layer, Section, Value, full};
use toml::Spanned;
use toml::de::{DeString, DeValue};

impl<'a> Section<'a> {
    /// Notes that `key`, if it is there, says nothing.
    pub(in crate::config) fn refuse(&mut self, key: &'static str, fault: impl FnOnce() -> Fault) {
        self.know(key);
        let first = self.layers.iter().find_map(|layer| Some((layer, layer.entry(key)?)));
        if let Some((layer, (name, _))) = first {
            self.reject(&layer.at(key, name, ()), fault());
        }
    }

    /// Warns that `key`, if the user wrote it, says nothing.
    pub(in crate::config) fn warn_of(&self, key: &str, fault: impl FnOnce() -> Fault) {
        let mut written = self.layers.iter().filter(|layer| !layer.document.is_built_in());
        let first = written.find_map(|layer| Some((layer, layer.entry(key)?)));
        if let Some((layer, (name, _))) = first {
            self.warn(&layer.at(key, name, ()), fault());
        }
    }

    /// The value of `key` from the first layer that has it, whatever its shape.
    pub(in crate::config) fn node(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.know(key);
        let entry = |layer: &Layer<'a>| {
            let (name, value) = layer.entry(key)?;
            Some(Node {
                document: layer.document,
                context: self.context,
                key: layer.full(key),
                offset: name.span().start,
                value: value.get_ref(),
            })
        };
        self.layers.iter().find_map(entry)
    }
}

/// A value as written, whatever its shape, and where it stands.
pub(in crate::config) struct Node<'a> {
    document: &'a Document<'a>,
    context: &'a Context<'a>,
    key: String,
    offset: usize,
    pub(in crate::config) value: &'a DeValue<'a>,
}

impl<'a> Node<'a> {
    /// The value's place, with another value.
    pub(in crate::config) fn at<T>(&self, value: T) -> At<T> {
        At { value, key: self.key.clone(), origin: self.document.origin(self.offset) }
    }

    /// Notes a problem.
    pub(in crate::config) fn reject(&self, fault: Fault) {
        self.context.problems.borrow_mut().push(self.at(()).problem(fault));
    }

    /// The elements, if it is an array.
    pub(in crate::config) fn items(&self) -> Option<impl Iterator<Item = Node<'a>>> {
        let item = |(place, item): (usize, &'a Value<'a>)| Node {
            key: format!("{}[{place}]", self.key),
            ..self.within(item.span().start, item.get_ref())
        };
        Some(self.value.as_array()?.iter().enumerate().map(item))
    }

    /// The entries under names that are the user's, if it is a table.
    pub(in crate::config) fn entries(&self) -> Option<impl Iterator<Item = (&'a str, Node<'a>)>> {
        let entry = |(name, value): (&'a Spanned<DeString<'a>>, &'a Value<'a>)| {
            let node = self.within(name.span().start, value.get_ref());
            (&**name.get_ref(), Node { key: full(&self.key, name.get_ref()), ..node })
        };
        Some(self.value.as_table()?.iter().map(entry))
    }

    fn within(&self, offset: usize, value: &'a DeValue<'a>) -> Node<'a> {
        Node { key: String::new(), offset, value, ..*self }
    }

    /// Reads it as a table; nothing, if it is none.
    pub(in crate::config) fn section<T>(
        &self,
        read: impl FnOnce(&mut Section<'a>) -> T,
    ) -> Option<T> {
        let layer = Layer {
            document: self.document,
            table: self.value.as_table()?,
            offset: self.offset,
            path: self.key.clone(),
            lent: false,
        };
        let (path, context) = (self.key.clone(), self.context);
        Some(Section { path, layers: vec![layer], known: Vec::new(), context }.run(read))
    }
}
