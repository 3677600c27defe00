//! The file as written: tables and values with their lines, the user's laid over the built-in.
//!
//! A [`Section`] is asked for its keys one by one. Whatever it was not asked for is unknown, so
//! the list of keys exists once: in the code that uses them. A bad value is reported and the
//! built-in one stands in for it, so that one mistake does not hide the next.

mod layers;
mod node;

pub(super) use node::Node;

use super::problem::{Fault, Problem, Problems, listed, nearest};
use super::values::{kind, wrong_kind};
use super::{Environment, Origin};
use std::cell::RefCell;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// What the built-in defaults are called where a file's name is due.
pub(super) const BUILT_IN: &str = "built-in defaults";

/// One file: its tree, and its text for the lines.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    tree: DeTable<'a>,
}

impl<'a> Document<'a> {
    /// Parses a file.
    ///
    /// # Errors
    /// Every place where it is not TOML.
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<Document<'a>, Problems> {
        let (tree, errors) = DeTable::parse_recoverable(text);
        let document = Document { file, text, tree: tree.into_inner() };
        if errors.is_empty() {
            return Ok(document);
        }
        let problem = |error: &toml::de::Error| Problem {
            origin: document.origin(error.span().map_or(0, |span| span.start)),
            key: String::new(),
            // Not the error's own rendering, which repeats the line and so, maybe, a secret.
            wrong: format!("this is not TOML ({})", error.message()),
            right: "correct the line; texts stand in quotes, and a key stands once".to_owned(),
        };
        Err(Problems::new(errors.iter().map(problem).collect()))
    }

    fn is_built_in(&self) -> bool {
        self.file == BUILT_IN
    }

    /// What it holds.
    pub(super) fn tree(&self) -> &DeTable<'a> {
        &self.tree
    }

    fn origin(&self, offset: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        Origin { file: self.file.to_owned(), line }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) key: String,
    pub(super) origin: Origin,
}

impl<T> At<T> {
    /// Whether the user left it at its default.
    pub(super) fn is_built_in(&self) -> bool {
        self.origin.file == BUILT_IN
    }

    /// Another value in the same place.
    pub(super) fn with<U>(&self, value: U) -> At<U> {
        At { value, key: self.key.clone(), origin: self.origin.clone() }
    }

    /// A problem in this place.
    pub(super) fn problem(&self, fault: Fault) -> Problem {
        let Fault { wrong, right } = fault;
        Problem { origin: self.origin.clone(), key: self.key.clone(), wrong, right }
    }
}

/// What every section shares: where references are looked up, and what was found on the way.
#[derive(Debug)]
pub(super) struct Context<'e> {
    environment: &'e Environment,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    gaps: RefCell<Vec<Problem>>,
}

impl<'e> Context<'e> {
    pub(super) fn new(environment: &'e Environment) -> Context<'e> {
        Context {
            environment,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            gaps: RefCell::default(),
        }
    }

    pub(super) fn into_findings(self) -> Findings {
        Findings {
            problems: Problems::new(self.problems.into_inner()),
            warnings: Problems::new(self.warnings.into_inner()),
            gaps: Problems::new(self.gaps.into_inner()),
        }
    }
}

/// What was found in the documents.
pub(super) struct Findings {
    /// What is wrong.
    pub(super) problems: Problems,
    /// What works and should not stay.
    pub(super) warnings: Problems,
    /// What only a gateway that serves needs.
    pub(super) gaps: Problems,
}

#[derive(Clone)]
struct Layer<'a> {
    document: &'a Document<'a>,
    table: &'a DeTable<'a>,
    offset: usize,
    /// Its own name in its own file.
    path: String,
    /// It is another table's too, which says what it may hold.
    lent: bool,
}

/// One table, as the user's file and the built-in defaults have it together.
pub(super) struct Section<'a> {
    path: String,
    /// The user's first.
    layers: Vec<Layer<'a>>,
    known: Vec<&'static str>,
    context: &'a Context<'a>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Section<'a> {
    /// Reads the whole of the documents, of which earlier ones win.
    pub(super) fn whole<T>(
        documents: &'a [Document<'a>],
        context: &'a Context<'a>,
        read: impl FnOnce(&mut Section<'a>) -> T,
    ) -> T {
        let layers = documents.iter().map(Layer::whole).collect();
        Section { path: String::new(), layers, known: Vec::new(), context }.run(read)
    }

    /// Reads the table `key` within this one.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'a>) -> T,
    ) -> T {
        self.know(key);
        self.inner(key).run(read)
    }

    /// Reads each table within the table `key`; their names are the user's.
    pub(super) fn each<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(At<&'a str>, &mut Section<'a>) -> Option<T>,
    ) -> Vec<T> {
        self.know(key);
        let outer = self.inner(key);
        let names = outer.names().into_iter();
        names.filter_map(|name| outer.inner(name.value).run(|inner| read(name, inner))).collect()
    }

    /// The names of the tables within, the user's first.
    fn names(&self) -> Vec<At<&'a str>> {
        let mut names: Vec<At<&'a str>> = Vec::new();
        for layer in &self.layers {
            for name in layer.table.keys() {
                let text: &'a str = name.get_ref();
                if names.iter().all(|known| known.value != text) {
                    names.push(layer.at(text, name, text));
                }
            }
        }
        names
    }

    fn know(&mut self, key: &'static str) {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
    }

    /// The table `key` as far down as it is one: what is none ends what lies over it.
    fn inner(&self, key: &str) -> Section<'a> {
        let mut layers = Vec::new();
        for layer in &self.layers {
            let Some((name, value)) = layer.entry(key) else { continue };
            match value.get_ref() {
                DeValue::Table(table) => layers.push(layer.inner(name, table)),
                _ if !layers.is_empty() => break,
                other => {
                    let wrong = format!("is {}, not a table", kind(other));
                    let right = format!("write [{}] and its keys below it", layer.full(key));
                    self.reject(&layer.at(key, name, ()), Fault::new(wrong, right));
                }
            }
        }
        Section { path: self.full(key), layers, known: Vec::new(), context: self.context }
    }

    fn run<T>(mut self, read: impl FnOnce(&mut Section<'a>) -> T) -> T {
        let outcome = read(&mut self);
        self.report_unknown();
        outcome
    }

    fn report_unknown(&self) {
        for layer in self.layers.iter().filter(|layer| !layer.lent) {
            for name in layer.table.keys().filter(|name| !self.known.contains(&&**name.get_ref())) {
                let right = match nearest(name.get_ref(), self.known.iter().copied()) {
                    Some(key) => format!("did you mean `{key}`?"),
                    None => format!("known here: {}", listed(self.known.iter().copied())),
                };
                let place = layer.at(name.get_ref(), name, ());
                self.reject(&place, Fault::new("there is no such key", right));
            }
        }
    }

    /// Whether the table is there, in any layer.
    pub(super) fn is_written(&self) -> bool {
        !self.layers.is_empty()
    }

    /// The section itself as a place.
    pub(super) fn here(&self) -> At<()> {
        match self.layers.first() {
            Some(layer) => At {
                value: (),
                key: layer.path.clone(),
                origin: layer.document.origin(layer.offset),
            },
            None => At {
                value: (),
                key: self.path.clone(),
                origin: Origin { file: BUILT_IN.to_owned(), line: 1 },
            },
        }
    }

    /// Notes a problem.
    pub(super) fn reject<T>(&self, place: &At<T>, fault: Fault) {
        self.context.problems.borrow_mut().push(place.problem(fault));
    }

    /// Notes what another reader found in a file that this section names.
    pub(super) fn adopt(&self, problems: &Problems) {
        self.context.problems.borrow_mut().extend(problems.iter().cloned());
    }

    /// Notes what works and should not stay.
    pub(super) fn warn<T>(&self, place: &At<T>, fault: Fault) {
        self.context.warnings.borrow_mut().push(place.problem(fault));
    }

    /// Notes what only a gateway that serves needs.
    pub(super) fn leave_open<T>(&self, place: &At<T>, fault: Fault) {
        self.context.gaps.borrow_mut().push(place.problem(fault));
    }

    /// Where references are looked up.
    pub(super) fn environment(&self) -> &'a Environment {
        self.context.environment
    }

    /// Notes that two values do not go together, at whichever of them the user wrote.
    pub(super) fn conflict<T, U>(&self, first: &At<T>, second: &At<U>, fault: Fault) {
        if first.is_built_in() {
            self.reject(second, fault);
        } else {
            self.reject(first, fault);
        }
    }

    /// Whether `key` is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.layers.iter().any(|layer| layer.entry(key).is_some())
    }

    /// Notes that a section that is written lacks `key`. One that is there and wrong was
    /// reported for its value.
    pub(super) fn demand(&self, key: &str, right: &str) {
        if self.is_written() && !self.has(key) {
            let fault = Fault::new(format!("`{key}` is missing"), right);
            self.reject(&self.here(), fault);
        }
    }

    /// Notes that the array `key` is empty.
    pub(super) fn demand_items(&self, key: &str, right: &str) {
        let first = self.layers.iter().find_map(|layer| Some((layer, layer.entry(key)?)));
        let Some((layer, (name, value))) = first else { return };
        if value.get_ref().as_array().is_some_and(|items| items.is_empty()) {
            self.reject(&layer.at(key, name, ()), Fault::new("is empty", right));
        }
    }

    /// The value of `key` as `read` sees it.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&DeValue<'a>) -> Result<T, Fault>,
    ) -> Option<At<T>> {
        self.know(key);
        for layer in &self.layers {
            let Some((name, value)) = layer.entry(key) else { continue };
            match read(value.get_ref()) {
                Ok(value) => return Some(layer.at(key, name, value)),
                Err(fault) => self.reject(&layer.at(key, name, ()), fault),
            }
        }
        None
    }

    /// The items of the array `key`, each as `read` sees it; bad ones are reported and left out.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&DeValue<'a>) -> Result<T, Fault>,
    ) -> Option<At<Vec<At<T>>>> {
        self.know(key);
        for layer in &self.layers {
            let Some((name, value)) = layer.entry(key) else { continue };
            let place = layer.at(key, name, ());
            let DeValue::Array(items) = value.get_ref() else {
                self.reject(&place, wrong_kind(value.get_ref(), "an array", example));
                continue;
            };
            let mut good = Vec::new();
            for item in items.iter() {
                let place =
                    At { origin: layer.document.origin(item.span().start), ..place.clone() };
                match read(item.get_ref()) {
                    Ok(value) => good.push(place.with(value)),
                    Err(fault) => self.reject(&place, fault),
                }
            }
            return Some(place.with(good));
        }
        None
    }

    fn full(&self, key: &str) -> String {
        full(&self.path, key)
    }
}

impl<'a> Layer<'a> {
    fn whole(document: &'a Document<'a>) -> Layer<'a> {
        Layer { document, table: &document.tree, offset: 0, path: String::new(), lent: false }
    }

    fn inner(&self, name: &Spanned<DeString<'a>>, table: &'a DeTable<'a>) -> Layer<'a> {
        let path = self.full(name.get_ref());
        Layer { document: self.document, table, offset: name.span().start, path, lent: false }
    }

    fn at<T>(&self, key: &str, name: &Spanned<impl Sized>, value: T) -> At<T> {
        At { value, key: self.full(key), origin: self.document.origin(name.span().start) }
    }

    fn full(&self, key: &str) -> String {
        full(&self.path, key)
    }

    fn entry(&self, key: &str) -> Option<(&'a Spanned<DeString<'a>>, &'a Value<'a>)> {
        self.table.iter().find(|(name, _)| name.get_ref() == key)
    }
}

/// A key in full; one that could not stand bare is quoted, as it is in the file.
pub(super) fn full(path: &str, key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let key = match !key.is_empty() && key.bytes().all(bare) {
        true => key.to_owned(),
        false => format!("{key:?}"),
    };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
